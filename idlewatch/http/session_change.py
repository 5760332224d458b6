"""A view's changes to the session of its request. Receivers and views record them; the middleware acts on them."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.base_user import AbstractBaseUser

from idlewatch.http.session_state import NO_SESSION, SessionState


@dataclass(slots=True)
class SessionChange:
    """The change of a session while its request is answered."""

    state: SessionState | None = None
    """The session as it is now; None: as it was admitted."""
    auth_digest: str | None = None
    """Digest of the auth hash that the record has now; None: as it was admitted."""
    signed_in: bool = False
    """The user signed in."""
    displaced: bool = False
    """The sign-in replaced a session that was, or may have been, another user's."""
    sign_in_failed: bool = False
    """The user tried to sign in, with other credentials than those of the account."""
    signed_out: bool = False
    """The user signed out, and needs no notice of it."""
    is_deferred: bool = False
    """A user signed in over another's session, or an operator who acts as a user signed out: see `http.sign_in`."""
    newcomer: AbstractBaseUser | None = None
    """The user who signed in, while that is deferred; None: one has signed out."""
    deferred_at: float = 0.0
    """Epoch seconds."""
    is_release: bool = False
    """An operator who acts as a user was signed out, and then in, by this request."""

    def sign_in(self, state: SessionState, auth_digest: str, *, displaced: bool) -> None:
        """Record a sign-in."""
        self.state, self.auth_digest = state, auth_digest
        self.signed_in, self.displaced, self.signed_out = True, displaced, False
        self.is_deferred = False

    def sign_out(self, state: SessionState) -> None:
        """Record a sign-out."""
        self.state = state
        self.signed_in, self.signed_out = False, True
        self.is_deferred = False

    def defer(self, newcomer: AbstractBaseUser | None, at: float) -> None:
        """Record that a user has signed in or out, and that the end of the view tells what that means."""
        self.is_release = self.is_deferred and self.newcomer is None and newcomer is not None
        self.is_deferred, self.newcomer, self.deferred_at = True, newcomer, at

    def switch(self, state: SessionState, auth_digest: str) -> None:
        """Record that the same person acts as another user, or no longer does."""
        self.state, self.auth_digest = state, auth_digest
        self.is_deferred = False

    def discard(self) -> None:
        """Leave the user anonymous, with no end to report."""
        self.state = NO_SESSION
        self.signed_in = False
