"""Isolation of the sessions of a batch: one that makes it fail is logged once and set aside, and the others go on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from traceback import extract_tb
from typing import TypeVar

from django.db import InterfaceError, OperationalError

from idlewatch.exceptions import EngineUnavailable, StoreElsewhere, StoreUnavailable, Undecided
from idlewatch.process import Process, current_process

logger = logging.getLogger("idlewatch")

T = TypeVar("T")
R = TypeVar("R")

AWAY = (OperationalError, InterfaceError, EngineUnavailable, StoreElsewhere, StoreUnavailable)
"""Errors that mean that the database, the store or the session engine is away: the whole batch has to wait."""
MAX_SET_ASIDE = 10_000
"""Subjects that are remembered; beyond that, all are forgotten."""
MAX_LOGGED = 100
"""Errors that a process logs, at most: so many have the same cause."""


class SetAside:
    """Subjects whose error one process has logged, and that have not succeeded since. Thread-safe."""

    def __init__(self, _process: Process) -> None:
        self._lock = Lock()
        self._known: set[str] = set()
        self._logged = 0

    def __bool__(self) -> bool:
        return bool(self._known)

    def __contains__(self, subject: str) -> bool:
        return subject in self._known

    def add(self, subject: str, message: str) -> None:
        """Log a message about a subject, unless one was logged and the subject has not succeeded since."""
        with self._lock:
            if subject in self._known:
                return
            if len(self._known) >= MAX_SET_ASIDE:
                self._known.clear()
            self._known.add(subject)
            self._logged += 1
        if self._logged <= MAX_LOGGED:
            logger.error(message)
        if self._logged == MAX_LOGGED:
            logger.error("%d such errors were logged; further ones are not.", MAX_LOGGED)

    def discard(self, subject: str) -> None:
        """Note that the subject has succeeded."""
        with self._lock:
            self._known.discard(subject)


def log_once(subject: str, message: str) -> None:
    """Log a message, once per process for each subject."""
    current_process().part(SetAside).add(subject, message)


class isolated:  # noqa: N801 - as the context managers of contextlib; one that is a generator costs three times as much
    """Do some kind of work on one session; if that raises, set it aside, so that the others of the batch go on.

    Raises:
        any of `AWAY`.
    """

    __slots__ = ("_watch_id", "_work")

    def __init__(self, work: str, watch_id: str) -> None:
        self._work = work
        self._watch_id = watch_id

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        aside = current_process().part(SetAside)
        if error is None:
            if aside:
                aside.discard(_subject(self._work, self._watch_id))
            return False
        if not isinstance(error, Exception) or isinstance(error, AWAY):
            return False
        # The state of a session that is undecided will be determined later.
        if not isinstance(error, Undecided):
            about = f"Session {self._watch_id} is left out ({self._work}), and others go on: {description_of(error)}."
            aside.add(_subject(self._work, self._watch_id), about)
        return True


def made_of_each(work: str, items: Sequence[T], make: Callable[[T], R], id_of: Callable[[T], str]) -> Sequence[R]:
    """Return what `make` makes of each item, without those that make it raise, which are set aside by their watch id.

    `make` may be called more than once with the same item.

    Raises:
        any of `AWAY`.
    """
    if not current_process().part(SetAside):
        try:
            return [make(item) for item in items]
        except Exception:  # noqa: BLE001, S110 - it is logged below, where the one that raises it is found
            pass
    made = []
    for item in items:
        with isolated(work, id_of(item)):
            made.append(make(item))
    return made


def work_through(work: str, items: Mapping[str, T], do: Callable[[Sequence[T]], object]) -> set[str]:
    """Do some kind of work on a batch of sessions, by watch id, at once; return those that make it fail.

    They are found by halving the batch, so `do` may be called more than once with the same session. Next time, those
    that failed are tried one by one, after the others.

    Raises:
        any of `AWAY`.
    """
    aside = current_process().part(SetAside)
    alone = [watch_id for watch_id in items if _subject(work, watch_id) in aside]
    failed = _halve(work, [(watch_id, item) for watch_id, item in items.items() if watch_id not in alone], do)
    for watch_id in alone:
        failed |= _halve(work, [(watch_id, items[watch_id])], do)
    return failed


def description_of(error: BaseException) -> str:
    """Return the type of an error and where it was raised, without its text, which may quote a session key."""
    place = extract_tb(error.__traceback__)[-1:]
    return type(error).__name__ + "".join(f" at {frame.filename}:{frame.lineno}" for frame in place)


def _subject(work: str, watch_id: str) -> str:
    return f"{work} {watch_id}"


def _halve(work: str, items: Sequence[tuple[str, T]], do: Callable[[Sequence[T]], object]) -> set[str]:
    if len(items) == 1:
        ((watch_id, item),) = items
        failed = {watch_id}
        with isolated(work, watch_id):
            do([item])
            failed.clear()
        return failed
    try:
        if items:
            do([item for _, item in items])
    except AWAY:
        raise
    except Exception:  # noqa: BLE001 - it is logged where the one that raises it is found
        middle = len(items) // 2
        return _halve(work, items[:middle], do) | _halve(work, items[middle:], do)
    return set()
