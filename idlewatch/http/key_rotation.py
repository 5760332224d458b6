"""The Django session of a request whose view may give it a new key, or sign another user in over it.

Until the view has returned, the session stays under the key with which the request came: other requests that carry it
are answered, and it goes on where the view fails or its transaction is rolled back. Engines that keep sessions in a
cache or in files would delete it at once, whatever becomes of the transaction.
"""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.sessions.backends.base import SessionBase

from idlewatch.monitor import django_sessions, record_keys
from idlewatch.process import Lane, in_thread
from idlewatch.signals.transactions import Commit, once_committed


def announce_rotation(watch_id: str, then: Callable[[], None] = lambda: None) -> None:
    """Mark the record of a session whose key is about to be replaced, for every process to see; call `then` afterwards.

    In a transaction it waits for the commit: before that no other process sees what the view has changed, and this
    write must neither delay those of others to the record nor be refused because of them.
    """

    def announce() -> None:
        record_keys.expect_rotation(watch_id)
        then()

    once_committed(announce)


class OriginalSession:
    """The watched Django session with which a request came: its deletion waits until the view has returned.

    Until `leave` its deletions are deferred and a new key is announced: Django has no signal for either.
    """

    __slots__ = ("_is_recorded", "commit", "is_announced", "is_deleted", "key", "session", "watch_id")

    def __init__(self, session: SessionBase, key: str, watch_id: str) -> None:
        self.key = key
        """The key with which the request came; with signed cookies, the cookie."""
        self.watch_id = watch_id
        self.commit: Commit | None = None
        """The transaction in which the view deleted the session or gave it another key; None: it did neither."""
        self.is_announced = False
        """The view is giving the session another key or password, or signing a user in over it."""
        self._is_recorded = False
        """The record says so."""
        self.is_deleted = False
        """The view deleted the session; it waits for `release`."""
        self.session = session
        own = vars(session)
        own["delete"], own["adelete"] = self._defer_deletion, self._adefer_deletion
        own["cycle_key"], own["acycle_key"] = self._announce_and_cycle, self._aannounce_and_cycle

    def leave(self) -> None:
        """Leave the session to itself again."""
        own = vars(self.session)
        del own["delete"], own["adelete"], own["cycle_key"], own["acycle_key"]

    def announce(self) -> None:
        """Announce that the session is about to get another key or password."""
        self.is_announced = True
        announce_rotation(self.watch_id, self._note_recorded)

    def _note_recorded(self) -> None:
        self._is_recorded = True

    def release(self) -> None:
        """Delete the session if the view deleted it, also if it left the key in place."""
        if self.is_deleted:
            if self.is_announced and not self._is_recorded:
                # The database failed when the view's transaction was committed: other requests would find it lost.
                self.announce()
            self.is_deleted = False
            self._delete(self.key)

    def drop_successor(self) -> None:
        """Delete the session that the view saved under another key: the one under `key` stays."""
        self.is_deleted = False
        key = self.session.session_key
        if key is not None and key != self.key and django_sessions.keeps_keys():
            self._delete(key)

    def _defer_deletion(self, session_key: str | None = None) -> None:
        self.commit = Commit()
        if self._is_own(session_key):
            self.is_deleted = True
        else:
            self._delete(session_key)

    async def _adefer_deletion(self, session_key: str | None = None) -> None:
        self.commit = await in_thread(Lane.REQUEST, Commit)
        if self._is_own(session_key):
            self.is_deleted = True
        else:
            await type(self.session).adelete(self.session, session_key)

    def _delete(self, session_key: str | None) -> None:
        type(self.session).delete(self.session, session_key)

    def _is_own(self, session_key: str | None) -> bool:
        return django_sessions.keeps_keys() and (session_key or self.session.session_key) == self.key

    def _announce_and_cycle(self) -> None:
        self.commit = Commit()
        self.announce()
        self._cycle_key()

    def _cycle_key(self) -> None:
        type(self.session).cycle_key(self.session)

    async def _aannounce_and_cycle(self) -> None:
        self.commit = await in_thread(Lane.REQUEST, Commit)
        await in_thread(Lane.REQUEST, self.announce)
        # That of signed cookies calls the sync one, which is not to announce it again, on the event loop.
        own = vars(self.session)
        own["cycle_key"] = self._cycle_key
        try:
            await type(self.session).acycle_key(self.session)
        finally:
            own["cycle_key"] = self._announce_and_cycle
