"""What two tabs of a session are pushed under limits of seconds: a warning, its extension, and the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Thread
from typing import Any, NamedTuple

from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase
from idlewatch.core.protocol import Close
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped, warning
from idlewatch.doctor.http_client import NoAnswer
from idlewatch.doctor.socket_client import Closed, TabSocket
from idlewatch.ops.self_report import SelfReport

PATIENCE = 3.0
"""Seconds after its time for which a frame is awaited."""
LATE_AFTER = 1.0
"""Seconds after its time from which a frame is late: a page counts down by itself, and shows zero meanwhile."""
OLD_ROUND = 5.0
"""Seconds after which the latest round of a timer is too long ago: there is one a second."""

WARN, EXTEND, END = "Warning, pushed to two tabs", "Extension in one of two tabs", "End, pushed to two tabs"
WARNED = f"in both, less than {LATE_AFTER:g} s after its time"
EXTENDED = "both are active again"
ENDED = f"an ended frame with the reason idle, then close code {Close.ENDED:d}, in both"


class Push(NamedTuple):
    """A frame that a tab was to be pushed."""

    late: float | None
    """Seconds after its time; None: it did not come."""
    came: str
    """What came, in a phrase."""
    frame: Mapping[str, Any]
    is_awaited: bool = False
    """Whether it may still come."""

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
        return Push(None, str(error), {})
    return Push(max(time.monotonic() - due_at, 0.0), _after(due_at), frame)


def _after(due_at: float) -> str:
    return f"{max(time.monotonic() - due_at, 0.0) * 1000:.0f} ms after its time"


def try_limits(
    tabs: Sequence[TabSocket],
    warned_at: float,
    read_phase: Callable[[], str],
    reports: Sequence[SelfReport],
    note_progress: Callable[[str], None],
) -> Iterator[Finding]:
    """Wait for a warning, extend the session, and wait for its end.

    `warned_at`: when the warning is due; `read_phase`: returns the phase of the session by a request; `reports`: of the
    processes that answer.
    """
    note_progress(f"Waiting for the warning, {warned_at - time.monotonic():.0f} s")
    warned, told = _await(tabs, Phase.WARNED, warned_at, read_phase)
    yield judge_warning(warned, told, reports)
    if any(push.late is None for push in warned):
        yield skipped(Trial.EXTENSION, EXTEND, "no warning came that it could take back", EXTENDED)
        yield skipped(Trial.END, END, "the warning before it was not pushed either", ENDED)
        return
    sent_at = time.monotonic()
    try:
        tabs[0].send({"type": "extend"})
    except Closed as error:
        extended: Sequence[Push] = [Push(None, str(error), {})]
        told = ""
    else:
        extended, told = _await(tabs, Phase.ACTIVE, sent_at, read_phase)
    yield judge_extension(extended, told, reports)
    if any(push.late is None for push in extended):
        yield skipped(Trial.END, END, "the session was not extended in both tabs", ENDED)
        return
    remaining = float(extended[0].frame["remaining"])
    ends_at = time.monotonic() + remaining
    note_progress(f"Waiting for the end, {remaining:.0f} s")
    ended, told = _await(tabs, Phase.ENDED, ends_at, read_phase)
    codes = [_close_code(tab) for tab in tabs] if not _is_missing(ended) else []
    yield judge_end(ended, codes, told, reports)


def judge_warning(pushes: Sequence[Push], phase: str, reports: Sequence[SelfReport]) -> Finding:
    """Judge a warning; `phase`: what a request was told of the session where a push is missing."""
    came = _came(pushes)
    if _is_missing(pushes):
        told = f"; a request is told {phase!r}" if phase else ""
        return fault(Trial.WARNING, WARN, came + told, WARNED, why_not_pushed(pushes, reports))
    if max(push.late or 0.0 for push in pushes) >= LATE_AFTER:
        return warning(Trial.WARNING, WARN, came, WARNED, why_not_pushed(pushes, reports))
    return ok(Trial.WARNING, WARN, came, WARNED)


def judge_extension(pushes: Sequence[Push], phase: str, reports: Sequence[SelfReport]) -> Finding:
    """Judge an extension in the first of the tabs; `phase` as for `judge_warning`."""
    came = _came(pushes, "after the click")
    if not _is_missing(pushes):
        return ok(Trial.EXTENSION, EXTEND, came, EXTENDED)
    told = f"; a request is told {phase!r}" if phase else ""
    if pushes[0].late is None:
        hint = "A message of the first tab was not answered: something on the way swallows frames, or the store fails."
        return fault(Trial.EXTENSION, EXTEND, came + told, EXTENDED, hint)
    return fault(Trial.EXTENSION, EXTEND, came + told, EXTENDED, why_not_pushed(pushes, reports))


def judge_end(
    pushes: Sequence[Push], codes: Sequence[int | None], phase: str, reports: Sequence[SelfReport]
) -> Finding:
    """Judge an end; `codes`: those with which the sockets were closed, `phase` as for `judge_warning`."""
    came = _came(pushes)
    if _is_missing(pushes):
        told = f"; a request is told {phase!r}" if phase else ""
        return fault(Trial.END, END, came + told, ENDED, why_not_pushed(pushes, reports))
    reasons = {push.frame.get("reason") for push in pushes}
    came += f", reason {'/'.join(map(str, sorted(map(str, reasons))))}, close codes {'/'.join(map(str, codes))}"
    if reasons != {Reason.IDLE}:
        hint = "Something else ended it first: a limit that a process with other settings applies, or an operator."
        return fault(Trial.END, END, came, ENDED, hint)
    if set(codes) != {int(Close.ENDED)}:
        hint = "A proxy replaces or drops close codes; pages go by the ended frame, which comes before."
        return warning(Trial.END, END, came, ENDED, hint)
    if max(push.late or 0.0 for push in pushes) >= LATE_AFTER:
        return warning(Trial.END, END, came, ENDED, why_not_pushed(pushes, reports))
    return ok(Trial.END, END, came, ENDED)


def why_not_pushed(pushes: Sequence[Push], reports: Sequence[SelfReport]) -> str:
    """Return the likely cause of a push that is missing or late."""
    timers = {report.process: report.timer for report in reports if report.timer is not None}
    if reports and not timers:
        return "No process that answers runs a timer: wrap the application by idlewatch.asgi.watched."
    for process, timer in timers.items():
        if timer.round_age is None or timer.round_age > OLD_ROUND:
            age = "yet" if timer.round_age is None else f"for {timer.round_age:.0f} s"
            return f"The timer of process {process} has kept no round {age}: see its log, and the trial timer."
        if not timer.is_listening:
            return f"Process {process} does not receive what others publish: see the trial channel-layer-delivery."
    if any(push.late is not None and push.late < LATE_AFTER for push in pushes):
        return (
            "One tab was told, the other was not: they are served by different processes, and the channel layer does "
            "not carry messages between them. See the trial channel-layer-delivery."
        )
    return (
        "Nothing was pushed: no timer ends what is due, or the message does not get to the process that serves the "
        "tabs. See the trials timer and channel-layer-delivery, and the log of the site."
    )


def _await(
    tabs: Sequence[TabSocket], phase: Phase, due_at: float, read_phase: Callable[[], str]
) -> tuple[Sequence[Push], str]:
    """Wait for a push in each tab; return also what a request is told of the session if one is late."""
    received = _receive_all(tabs, phase, due_at, LATE_AFTER)
    late = [index for index, push in enumerate(received) if push.is_awaited]
    if not late:
        return received, ""
    told = read_phase()
    again = _receive_all([tabs[index] for index in late], phase, due_at, PATIENCE)
    found = dict(enumerate(received)) | dict(zip(late, again, strict=True))
    return list(found.values()), told


def _receive_all(tabs: Sequence[TabSocket], phase: Phase, due_at: float, patience: float) -> Sequence[Push]:
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


def _close_code(tab: TabSocket) -> int | None:
    try:
        while True:
            tab.receive(PATIENCE)
    except Closed as error:
        return error.code
    except (TimeoutError, NoAnswer):
        return None


def _is_missing(pushes: Sequence[Push]) -> bool:
    return any(push.late is None for push in pushes)


def _came(pushes: Sequence[Push], of: str = "") -> str:
    texts = [push.came.replace("after its time", of or "after its time") for push in pushes]
    return " and ".join(dict.fromkeys(texts))
