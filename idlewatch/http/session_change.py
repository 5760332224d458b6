"""A view's changes to the session of its request. Receivers and views record them; the middleware acts on them."""

from __future__ import annotations

from dataclasses import dataclass

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

    def sign_in(self, state: SessionState, auth_digest: str, *, displaced: bool) -> None:
        """Record a sign-in."""
        self.state, self.auth_digest = state, auth_digest
        self.signed_in, self.displaced = True, displaced

    def sign_out(self, state: SessionState) -> None:
        """Record a sign-out."""
        self.state = state
        self.signed_in, self.signed_out = False, True

    def discard(self) -> None:
        """Leave the user anonymous, with no end to report."""
        self.state = NO_SESSION
        self.signed_in = False
