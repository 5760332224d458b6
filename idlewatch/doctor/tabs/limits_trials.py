"""The trials of the limits of a session, in two tabs: a warning, its extension, and the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase
from idlewatch.core.protocol import Close
from idlewatch.doctor.clients.socket_client import Closed, TabSocket
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped, warning
from idlewatch.doctor.tabs.pushes import LATE_AFTER, Push, await_pushes, close_code
from idlewatch.ops.self_report import SelfReport

OLD_ROUND = 5.0
"""Seconds after which the latest round of a timer is too long ago: there is one a second."""


WARN, EXTEND, END = "Warning, pushed to two tabs", "Extension in one of two tabs", "End, pushed to two tabs"
WARNED = f"in both, less than {LATE_AFTER:g} s after its time"
EXTENDED = "both are active again"
ENDED = f"an ended frame with the reason idle, then close code {Close.ENDED:d}, in both"


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
    warned, told = await_pushes(tabs, Phase.WARNED, warned_at, read_phase)
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
        extended, told = await_pushes(tabs, Phase.ACTIVE, sent_at, read_phase)
    yield judge_extension(extended, told, reports)
    if any(push.late is None for push in extended):
        yield skipped(Trial.END, END, "the session was not extended in both tabs", ENDED)
        return
    remaining = float(extended[0].frame["remaining"])
    ends_at = time.monotonic() + remaining
    note_progress(f"Waiting for the end, {remaining:.0f} s")
    ended, told = await_pushes(tabs, Phase.ENDED, ends_at, read_phase)
    codes = [close_code(tab) for tab in tabs] if not _is_missing(ended) else []
    yield judge_end(ended, codes, told, reports)


def judge_warning(pushes: Sequence[Push], phase: str, reports: Sequence[SelfReport]) -> Finding:
    """Judge a warning; `phase`: what a request was told of the session where a push is missing."""
    came = _came(pushes)
    if _is_missing(pushes):
        told = f"; a request gets {phase!r}" if phase else ""
        return fault(Trial.WARNING, WARN, came + told, WARNED, why_not_pushed(pushes, reports))
    if max(push.late or 0.0 for push in pushes) >= LATE_AFTER:
        return warning(Trial.WARNING, WARN, came, WARNED, why_not_pushed(pushes, reports))
    return ok(Trial.WARNING, WARN, came, WARNED)


def judge_extension(pushes: Sequence[Push], phase: str, reports: Sequence[SelfReport]) -> Finding:
    """Judge an extension in the first of the tabs; `phase` as for `judge_warning`."""
    came = _came(pushes, "after the click")
    if not _is_missing(pushes):
        return ok(Trial.EXTENSION, EXTEND, came, EXTENDED)
    told = f"; a request gets {phase!r}" if phase else ""
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
        told = f"; a request gets {phase!r}" if phase else ""
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
    if any(push.is_cut_off for push in pushes):
        return (
            "The socket was cut off meanwhile: the server stopped or was restarted, or something on the way closes "
            "sockets. If it comes again, see the log of the site and of its proxy."
        )
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
            "One tab received it, the other did not: they are served by different processes, and the channel layer "
            "does not carry messages between them. See the trial channel-layer-delivery."
        )
    return (
        "Nothing was pushed: no timer ends what is due, or the message does not get to the process that serves the "
        "tabs. See the trials timer and channel-layer-delivery, and the log of the site."
    )


def _is_missing(pushes: Sequence[Push]) -> bool:
    return any(push.late is None for push in pushes)


def _came(pushes: Sequence[Push], of: str = "") -> str:
    texts = [push.came.replace("after its time", of or "after its time") for push in pushes]
    return " and ".join(dict.fromkeys(texts))
