"""Waiting for what several tabs of a session are pushed at a time that is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from threading import Thread
from typing import Any, NamedTuple

from idlewatch.core.policy import Phase
from idlewatch.core.protocol import Close
from idlewatch.doctor.clients.http_client import NoAnswer
from idlewatch.doctor.clients.socket_client import Closed, TabSocket

PATIENCE = 3.0
"""Seconds after its time for which a frame is awaited."""
LATE_AFTER = 1.0
"""Seconds after its time from which a frame is late: a page counts down by itself, and shows zero meanwhile."""


class Push(NamedTuple):
    """A frame that a tab was to be pushed."""

    late: float | None
    """Seconds after its time; None: it did not come."""
    came: str
    """What came, in a phrase."""
    frame: Mapping[str, Any]
    is_awaited: bool = False
    """Whether it may still come."""
    is_cut_off: bool = False
    """Whether the socket was closed, and not by an end."""

    def __repr__(self) -> str:
        return f"<Push {self.late}>"


NOTHING = Push(None, "nothing", {})
"""No frame came."""


def warn_at(frame: Mapping[str, Any]) -> float:
    """Return when, by the monotonic clock, the warning is due of a session whose state came just now."""
    return time.monotonic() + max(float(frame["remaining"]) - float(frame["warn_before"]), 0.0)


def receive_push(tab: TabSocket, phase: Phase, due_at: float, patience: float = PATIENCE) -> Push:
    """Wait for the state of a phase that a tab is to be pushed at `due_at`, by the monotonic clock."""
    until = due_at + patience
    try:
        while True:
            frame = tab.receive(max(until - time.monotonic(), 0.1))
            if frame.get("phase") == phase:
                break
            if frame.get("phase") == Phase.ENDED:
                return Push(None, f"the end instead, {_after(due_at)}", frame)
    except TimeoutError:
        return Push(None, f"nothing within {patience:g} s of its time", {}, is_awaited=True)
    except NoAnswer as error:
        is_cut_off = isinstance(error, Closed) and error.code != Close.ENDED
        return Push(None, str(error), {}, is_cut_off=is_cut_off)
    return Push(max(time.monotonic() - due_at, 0.0), _after(due_at), frame)


def _after(due_at: float) -> str:
    return f"{max(time.monotonic() - due_at, 0.0) * 1000:.0f} ms after its time"


def await_pushes(
    tabs: Sequence[TabSocket], phase: Phase, due_at: float, read_phase: Callable[[], str]
) -> tuple[Sequence[Push], str]:
    """Wait for a push in each tab; return also what a request is told of the session if one is late."""
    received = receive_all(tabs, phase, due_at, LATE_AFTER)
    late = [index for index, push in enumerate(received) if push.is_awaited]
    if not late:
        return received, ""
    told = read_phase()
    again = receive_all([tabs[index] for index in late], phase, due_at, PATIENCE)
    found = dict(enumerate(received)) | dict(zip(late, again, strict=True))
    return list(found.values()), told


def receive_all(tabs: Sequence[TabSocket], phase: Phase, due_at: float, patience: float) -> Sequence[Push]:
    """Wait in each tab, in a thread of its own: so that what comes in one is not late by the wait for another."""
    received = [NOTHING] * len(tabs)

    def receive(index: int) -> None:
        received[index] = receive_push(tabs[index], phase, due_at, patience)

    threads = [Thread(target=receive, args=[index], daemon=True) for index in range(len(tabs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return received


def close_code(tab: TabSocket) -> int | None:
    """Return the code with which the site closes a tab; None if it does not, or without one."""
    try:
        while True:
            tab.receive(PATIENCE)
    except Closed as error:
        return error.code
    except (TimeoutError, NoAnswer):
        return None
