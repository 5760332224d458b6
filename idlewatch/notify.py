"""Send a message to every open tab of some sessions, on all processes, and count the tabs.

Messages are not stored: they reach the tabs that are open now. The text is not logged.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, NamedTuple
from unicodedata import category

from channels.layers import get_channel_layer
from django.core.exceptions import SynchronousOnlyOperation

from idlewatch import metrics
from idlewatch.core.policy import Phase
from idlewatch.core.protocol import NoticeFrame, encode
from idlewatch.exceptions import NotRunning, StoreUnavailable
from idlewatch.monitor import stores
from idlewatch.process import Process, current_process
from idlewatch.runtime.bus import GROUP, LAYER_TIMEOUT, NOTICE, Ack, Bus
from idlewatch.runtime.runtime import Runtime, running_runtime
from idlewatch.signals import event_log
from idlewatch.store.values import Watched

logger = logging.getLogger("idlewatch")

MAX_NOTICE_LENGTH = 500
"""Characters of a message."""
BATCH_SIZE = 1000
"""Sessions in one message on the channel layer, which limits the size of messages."""
ACK_TIMEOUT = 2.0
"""Seconds in which other processes have to acknowledge; later ones count as not reached."""
SEND_TIMEOUT = 10.0
"""Seconds that a caller waits for the result."""


class Reach(NamedTuple):
    """How many tabs a message reached."""

    reached: int
    """Tabs that received it."""
    open: int
    """Tabs that were open; those without a socket can't receive it."""


def send(watch_ids: Sequence[str], text: str) -> Reach:
    """Show a message, as plain text, in every open tab of these sessions; for synchronous code.

    Args:
        watch_ids: watch ids; sessions that have ended or are unknown have no tabs.
        text: 1 to 500 characters; line breaks are kept.

    Raises:
        ValueError: the text is empty, too long, or has control characters.
        NotRunning: the process has no runtime to send it: the ASGI application is not wrapped by `watched`.
        StoreElsewhere: another process owns the memory store, and serves the tabs.
        StoreUnavailable: the tabs, or how many of them were reached, cannot be determined right now.
    """
    text = clean_text(text)
    process = current_process()
    runtime, loop = _running(process)
    if loop is _current_loop():
        raise SynchronousOnlyOperation("notify.send() waits for the event loop it is called on; use notify.asend().")
    sent = _start(process, _send(process, runtime, watch_ids, text), loop)
    try:
        return sent.result(SEND_TIMEOUT)
    except (TimeoutError, CancelledError) as error:
        # Cancelled: the event loop of the runtime is shutting down.
        sent.cancel()
        raise StoreUnavailable from error


async def asend(watch_ids: Sequence[str], text: str) -> Reach:
    """Async version of `send`, for any event loop."""
    text = clean_text(text)
    process = current_process()
    runtime, loop = _running(process)
    sent = _start(process, _send(process, runtime, watch_ids, text), loop)
    try:
        async with process.clock.timeout(SEND_TIMEOUT):
            return await asyncio.wrap_future(sent)
    except TimeoutError as error:
        raise StoreUnavailable from error
    except asyncio.CancelledError as error:
        if (task := asyncio.current_task()) is None or task.cancelling():
            # The caller was cancelled, not the sending.
            raise
        raise StoreUnavailable from error


def clean_text(text: str) -> str:
    """Return the text of a message as it is sent.

    Raises:
        ValueError: as `send` does.
    """
    # Pasted text may have tabs.
    text = text.strip().replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    if not 1 <= len(text) <= MAX_NOTICE_LENGTH:
        raise ValueError(f"The text of a message has {len(text)} characters; expected 1 to {MAX_NOTICE_LENGTH}.")
    for character in text:
        # A lone surrogate can't be encoded.
        if character != "\n" and category(character) in {"Cc", "Cs"}:
            raise ValueError(f"The text of a message contains {character!r}; expected no control characters.")
    return text


def _running(process: Process) -> tuple[Runtime, asyncio.AbstractEventLoop]:
    runtime = running_runtime(process)
    if runtime is None or runtime.loop is None:
        raise NotRunning
    return runtime, runtime.loop


def _current_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _start(process: Process, sending: Coroutine[Any, Any, Reach], loop: asyncio.AbstractEventLoop) -> Future[Reach]:
    # A context of its own: in that of the request, work for Django's thread would wait for the thread that waits here.
    return process.context().run(asyncio.run_coroutine_threadsafe, sending, loop)


async def _send(process: Process, runtime: Runtime, watch_ids: Sequence[str], text: str) -> Reach:
    store = stores.current()
    watch_ids = list(dict.fromkeys(watch_ids))
    sessions = await store.sessions.aget_many(watch_ids)
    now = process.clock.now()
    live = [watch_id for watch_id, watched in zip(watch_ids, sessions, strict=True) if not _is_ended(watched, now)]
    tabs = _count_tabs(sessions, now)
    frame = encode(NoticeFrame(secrets.token_urlsafe(12), text))
    others = {name: count for name, count in tabs.items() if name != process.name}
    here, elsewhere = await asyncio.gather(
        runtime.hub.show(live, frame),
        _send_to_others(process, runtime.bus, live, frame, others) if store.shared else _zero(),
    )
    reached = here + elsewhere
    # A tab that the store has not counted yet may have received it.
    result = Reach(reached, max(reached, tabs.total()))
    event_log.log_event("notice_sent", sessions=len(live), reached=result.reached, open=result.open)
    metrics.NOTICE_REACHED.inc(result.reached)
    metrics.NOTICE_MISSED.inc(result.open - result.reached)
    return result


async def _zero() -> int:
    return 0


def _is_ended(watched: Watched | None, now: float) -> bool:
    return watched is not None and watched.verdict(now).phase is Phase.ENDED


def _count_tabs(sessions: Sequence[Watched | None], now: float) -> Counter[str]:
    """Return the number of tabs that the store counts, by the process that serves them."""
    tabs: Counter[str] = Counter()
    for watched in sessions:
        if watched is not None and not _is_ended(watched, now):
            tabs.update(watched.activity.tabs)
    return tabs


async def _send_to_others(
    process: Process, bus: Bus, watch_ids: Sequence[str], frame: str, others: Mapping[str, int]
) -> int:
    """Send a message to the other processes; return how many tabs it reached by those that acknowledge in time.

    Only processes that serve tabs, as far as the store knows, are waited for.
    """
    layer, reply = get_channel_layer(), bus.channel
    if layer is None or reply is None or not watch_ids:
        return 0
    notice = secrets.token_urlsafe(12)
    batches = [watch_ids[start : start + BATCH_SIZE] for start in range(0, len(watch_ids), BATCH_SIZE)]
    reached: dict[tuple[str, int], int] = {}
    with bus.collecting(notice) as acks:
        try:
            async with process.clock.timeout(LAYER_TIMEOUT):
                for part, batch in enumerate(batches):
                    message = {"type": NOTICE, "process": process.name, "reply": reply, "notice": notice, "part": part}
                    await layer.group_send(GROUP, {**message, "frame": frame, "watch_ids": list(batch)})
        except Exception as error:  # noqa: BLE001 - layers raise whatever they like
            logger.warning(
                "The channel layer is unavailable (%s): a message stays in this process.", type(error).__name__
            )
            return 0
        awaited = {(name, part) for name in others for part in range(len(batches))}
        with suppress(TimeoutError):
            async with process.clock.timeout(ACK_TIMEOUT):
                while not awaited <= reached.keys():
                    ack: Ack = await acks.get()
                    # A process with several event loops answers from each, for all of them.
                    reached.setdefault((ack.process, ack.part), ack.reached)
    return sum(reached.values())
