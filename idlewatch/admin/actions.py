"""The actions of the live page: end sessions, or send a message. JSON in, JSON out, POST only."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial, wraps
from typing import Any, TypeVar

import msgspec
from django.contrib.admin import ModelAdmin
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from idlewatch import notify
from idlewatch.admin.messages import Action, ActMessage, CountMessage
from idlewatch.admin.selection import Selection
from idlewatch.admin.user_selection import UserSelection
from idlewatch.core.activity import Reason
from idlewatch.core.protocol import decode
from idlewatch.decorators import outside_transactions
from idlewatch.exceptions import BadMessage, NotRunning, StoreUnavailable, Undecided
from idlewatch.http.bodies import body_of
from idlewatch.http.request_state import state_of
from idlewatch.models import WatchedSession
from idlewatch.monitor import records
from idlewatch.monitor import service as monitor
from idlewatch.permissions import END, VIEW
from idlewatch.process import now
from idlewatch.signals import event_log

logger = logging.getLogger("idlewatch")

MAX_BODY = 262_144
"""Bytes of the body of a request."""

TEMPORARY = (Undecided, StoreUnavailable, NotRunning, OperationalError, InterfaceError)
"""Errors after which the same action may succeed later."""

M = TypeVar("M", bound=CountMessage)
_counting = msgspec.json.Decoder(CountMessage)
_acting = msgspec.json.Decoder(ActMessage)


def urls(model_admin: ModelAdmin[Any]) -> list[URLPattern]:
    """Return the URLs of the actions, below that of the live page."""
    return [
        path("count/", _guarded(model_admin, count), name="idlewatch_live_count"),
        path("act/", _guarded(model_admin, act), name="idlewatch_live_act"),
    ]


def count(request: HttpRequest) -> JsonResponse:
    """Answer what an action would affect, for the operator to confirm."""
    selection = _selection(request, _read(request, _counting))
    return JsonResponse(selection.count()._asdict() | {"before": selection.before})


def act(request: HttpRequest) -> JsonResponse:
    """Act on one batch; the page calls again with the cursor until there is none."""
    message = _read(request, _acting)
    try:
        text = notify.clean_text(message.text) if message.action is Action.NOTICE else ""
        selection = _selection(request, message)
        # Only the first batch reports the operator's own.
        own = 0 if message.cursor else selection.count_own()
        batch = selection.batch(message.cursor)
    except ValueError as error:
        return _refusal(400, str(error))
    if message.action is Action.NOTICE:
        answer = _send(request, batch.rows, text)
    else:
        done, failure = _end(request, batch.rows)
        if failure is not None:
            if not done:
                raise failure
            # What was done counts; the page calls again for this batch, and receives the error then.
            return JsonResponse({"done": done, "own": 0, "cursor": message.cursor})
        answer = {"done": done}
    return JsonResponse(answer | {"own": own, "cursor": batch.cursor})


def _end(request: HttpRequest, rows: Sequence[WatchedSession]) -> tuple[int, Exception | None]:
    """End sessions; return how many this request ended, and the error that stopped it, if any."""
    user, ends = request.user, {}
    failure: Exception | None = None
    try:
        for row in rows:
            ends[row.pk] = now()
            monitor.end(row.pk, Reason.REVOKED, ends[row.pk], by=user)  # type: ignore[arg-type]
    except TEMPORARY as error:
        # The sessions before it have ended.
        failure = error
    try:
        ended = records.revoked_by(user.pk, ends)
    except TEMPORARY as error:
        _log_unlogged(request, ends, error)
        raise
    done = [row for row in rows if row.pk in ended]
    _log(request, done, _("Ended from the live page."))
    return len(done), failure


def _send(request: HttpRequest, rows: Sequence[WatchedSession], text: str) -> dict[str, Any]:
    if not rows:
        return {"done": 0, "tabs": {"reached": 0, "open": 0}}
    sent = notify.send([row.pk for row in rows], text)
    values = {"count": len(rows), "text": text, "reached": sent.reached, "open": sent.open}
    message = ngettext(
        # Translators: what an operator did, in the log of each of the sessions.
        "Sent a message, which reached %(reached)d of %(open)d open tabs: “%(text)s”",
        "Sent a message to %(count)d sessions, which reached %(reached)d of %(open)d open tabs: “%(text)s”",
        len(rows),
    )
    _log(request, rows, message % values)
    return {"done": len(rows), "tabs": sent._asdict()}


def _log(request: HttpRequest, rows: Sequence[WatchedSession], message: str) -> None:
    """Write to the admin log; if that fails, to the server's log: the action is done and must not be repeated."""
    if not rows:
        return
    try:
        LogEntry.objects.log_actions(request.user.pk, rows, CHANGE, message)  # type: ignore[arg-type]
    except TEMPORARY as error:
        _log_unlogged(request, [row.pk for row in rows], error)


def _log_unlogged(request: HttpRequest, watch_ids: Iterable[str], error: Exception) -> None:
    fields = {"user": str(request.user.pk), "watch_ids": " ".join(watch_ids), "error": type(error).__name__}
    event_log.log_event("action_not_logged", level=logging.ERROR, **fields)


def _selection(request: HttpRequest, message: CountMessage) -> Selection:
    kind = UserSelection if message.action is Action.END_USERS else Selection
    return kind(message, request.user, state_of(request).watch_id, now())  # type: ignore[arg-type]


def _read(request: HttpRequest, decoder: msgspec.json.Decoder[M]) -> M:
    return decode(body_of(request, MAX_BODY), decoder, MAX_BODY)


def _guarded(model_admin: ModelAdmin[Any], view: Callable[[HttpRequest], JsonResponse]) -> Callable[..., Any]:
    """Return a view of the admin that answers in JSON, whatever goes wrong."""
    site = model_admin.admin_site
    inner = site.admin_view(partial(_answer, view))

    # Each end is a transaction of its own: the store can't be rolled back, and records and log must agree with it.
    @outside_transactions
    @wraps(view)
    def guarded(request: HttpRequest) -> Any:  # noqa: ANN401 - as the admin's own
        if not (site.has_permission(request) and request.user.has_perms((VIEW, END))):
            return _refusal(403, _("You are not permitted to do this."))
        return inner(request)

    return guarded


def _answer(view: Callable[[HttpRequest], JsonResponse], request: HttpRequest) -> JsonResponse:
    if request.method != "POST":
        response = _refusal(405, f"Expected POST, got {request.method}.")
        response.headers["Allow"] = "POST"
        return response
    try:
        return view(request)
    except BadMessage as error:
        return _refusal(400, error.detail)
    except TEMPORARY as error:
        logger.warning("An operator's action is not possible right now (%s).", type(error).__name__)
        return _refusal(503, _("The server can’t do this right now. Please try again in a moment."))


def _refusal(status: int, detail: str) -> JsonResponse:
    return JsonResponse({"detail": detail}, status=status)
