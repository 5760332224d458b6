"""Announces what happens to sessions, once it is committed: to the log, the metrics, and the project's receivers.

What happens to a probe goes to the log alone: receivers may write to the user, and alerts are made of the metrics.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from idlewatch import metrics
from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.core.policy import Phase, Verdict
from idlewatch.core.probes import is_probe
from idlewatch.signals import dispatcher, event_log
from idlewatch.signals.definitions import (
    SessionSignal,
    session_ended,
    session_extended,
    session_opened,
    session_warned,
)
from idlewatch.signals.transactions import once_recorded
from idlewatch.store.values import Watched


def opened(watched: Watched) -> None:
    """Announce a new session once its record is committed."""
    once_recorded(partial(_announce_opened, watched))


def switched(watched: Watched, operator: str, at: float) -> None:
    """Announce that an operator acts as another user in a session, or no longer does, once that is committed.

    `operator`: the primary key of the person who signed in, as a string.
    """
    event = "impersonation_ended" if watched.user == operator else "impersonation_started"
    log = partial(event_log.log_event, event, watch_id=watched.id, user=watched.user, operator=operator)
    once_recorded(partial(log, at=as_datetime(at)))


def ended(watched: Watched, reason: Reason, at: float, by: AbstractBaseUser | None) -> None:
    """Announce an end once its record is committed."""
    once_recorded(partial(_announce_ended, watched, reason, at, by))


def count_changes(changes: Iterable[tuple[Watched, Verdict]]) -> None:
    """Count settled verdicts, each with the session as it was before."""
    warned, active, warnings, extensions = Phase.WARNED, Phase.ACTIVE, 0, 0
    for before, verdict in changes:
        if is_probe(before.id):
            continue
        phase, is_warned = verdict.shown.phase, before.shown.phase is warned
        warnings += phase is warned and not is_warned
        extensions += phase is active and is_warned
    metrics.WARNINGS.inc(warnings)
    metrics.EXTENSIONS.inc(extensions)


def is_followed() -> bool:
    """Return whether `changed` does anything: events are logged, or the project has receivers."""
    return event_log.is_logged() or bool(session_warned.receivers or session_extended.receivers)


def changed(before: Watched, verdict: Verdict, at: float) -> None:
    """Announce a settled verdict: a warning, or that a warned session goes on. Ends are announced with their record."""
    if verdict.phase is Phase.WARNED:
        _announce_warned(before, verdict, at)
    elif verdict.phase is Phase.ACTIVE and before.shown.phase is Phase.WARNED:
        if event_log.is_logged():
            event_log.log_event("session_extended", watch_id=before.id, user=before.user, at=as_datetime(at))
        _send(session_extended, watch_id=before.id, user=before.user, at=at)


def _announce_opened(watched: Watched) -> None:
    if not is_probe(watched.id):
        metrics.OPENED.inc()
    at = as_datetime(watched.activity.logged_in_at)
    event_log.log_event("session_opened", watch_id=watched.id, user=watched.user, at=at)
    _send(session_opened, watch_id=watched.id, user=watched.user)


def _announce_ended(watched: Watched, reason: Reason, at: float, by: AbstractBaseUser | None) -> None:
    if not is_probe(watched.id):
        metrics.ENDED[reason].inc()
    actor = None if by is None else str(by.pk)
    fields: dict[str, Any] = {"watch_id": watched.id, "user": watched.user, "reason": reason}
    event_log.log_event("session_ended", **fields, by=actor, at=as_datetime(at))
    _send(session_ended, **fields, at=at, by=by)


def _announce_warned(watched: Watched, verdict: Verdict, at: float) -> None:
    fields: dict[str, Any] = {"watch_id": watched.id, "user": watched.user, "reason": verdict.reason}
    if event_log.is_logged():
        event_log.log_event("session_warned", **fields, ends_at=as_datetime(verdict.ends_at), at=as_datetime(at))
    _send(session_warned, **fields, ends_at=verdict.ends_at, remaining=verdict.remaining, at=at)


def _send(signal: SessionSignal, *, watch_id: str, **arguments: Any) -> None:
    if not is_probe(watch_id):
        dispatcher.send(signal, watch_id=watch_id, **arguments)
