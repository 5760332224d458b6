"""A view's changes to the session of its request. Receivers and views record them; the middleware acts on them."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from msgspec import Struct

from idlewatch.http.session_state import NO_SESSION, SessionState


class SessionChange(Struct):
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
    token_signed_out: bool = False
    """A user who came with a token signed out: it was the token's end, unless the session is gone too."""
    is_restart: bool = False
    """The user signed in again: the clocks restart once the view has returned, by `http.sign_in.settle`."""
    is_deferred: bool = False
    """A sign-in over another user's session, or a sign-out of an operator who acts as a user, waits for
    `http.sign_in.settle`."""
    deferred_user: AbstractBaseUser | None = None
    """The user of a deferred sign-in or a restart; None: it is a sign-out."""
    deferred_at: float = 0.0
    """When it was deferred (epoch seconds)."""
    is_release: bool = False
    """An operator who acts as a user was signed out, and then in, by this request."""

    def sign_in(self, state: SessionState, auth_digest: str, *, displaced: bool) -> None:
        """Record a sign-in."""
        self.state, self.auth_digest = state, auth_digest
        self.signed_in, self.displaced, self.signed_out = True, displaced, False
        self.is_deferred = self.is_restart = False

    def restart(self, state: SessionState, user: AbstractBaseUser, at: float) -> None:
        """Record that the user of the session signed in again."""
        self.state, self.signed_in = state, True
        self.is_deferred, self.is_restart, self.deferred_user, self.deferred_at = False, True, user, at

    def sign_out(self, state: SessionState) -> None:
        """Record a sign-out."""
        self.state = state
        self.signed_in, self.signed_out = False, True
        self.is_deferred = self.is_restart = False

    def defer(self, user: AbstractBaseUser | None, at: float) -> None:
        """Record a sign-in of `user`, or a sign-out, whose meaning shows only at the end of the view."""
        self.is_release = self.is_deferred and self.deferred_user is None and user is not None
        self.is_deferred, self.is_restart, self.deferred_user, self.deferred_at = True, False, user, at

    def switch(self, state: SessionState, auth_digest: str) -> None:
        """Record that the same person acts as another user, or no longer does."""
        self.state, self.auth_digest = state, auth_digest
        self.is_deferred = self.is_restart = False

    def discard(self) -> None:
        """Leave the user anonymous, with no end to report."""
        self.state = NO_SESSION
        self.signed_in = False


NO_CHANGE = SessionChange()
"""What a view leaves that neither signs in nor out."""
