"""What an operator has to say, brought to every open tab of some sessions, on all processes, and counted.

A notice is not kept: it reaches the tabs that are open now, and the text is not logged.
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
from idlewatch.monitor import service as monitor
from idlewatch.process import Process, current_process
from idlewatch.runtime.bus import GROUP, NOTICE, SENT_WITHIN, Ack, Bus
from idlewatch.runtime.runtime import Runtime, running_runtime
from idlewatch.signals import event_log
from idlewatch.store.values import Watched

logger = logging.getLogger("idlewatch")

LONGEST = 500
"""Characters of a notice, at most."""
BATCH = 1000
"""Watches in one message: a channel layer takes no message of any size."""
ANSWERED_WITHIN = 2.0
"""Seconds in which other processes answer, or their tabs were not reached."""
DONE_WITHIN = 10.0
"""Seconds that a caller waits, at most, for all of it."""


class Reached(NamedTuple):
    """How far a notice came."""

    reached: int
    """Tabs that were told."""
    open: int
    """Tabs that were open; those without a socket can't be told."""


def send(watches: Sequence[str], text: str) -> Reached:
    """Show a notice, as plain text, in every open tab of these watches; for views, in their threads.

    Args:
        watches: ids of watches; one that has ended, or never was, has no tabs.
        text: 1 to 500 characters, line breaks among them.

    Raises:
        ValueError: the text is empty, too long, or has control characters.
        NotRunning: nothing runs beside this process's requests that could tell anybody.
        StoreUnavailable: nobody knows just now where the tabs are, or how many were told.
    """
    text = cleaned(text)
    process = current_process()
    runtime, loop = _running(process)
    if loop is _present_loop():
        raise SynchronousOnlyOperation("notify.send() waits for the event loop it is called on; use notify.asend().")
    sent = _begin(process, _send(process, runtime, watches, text), loop)
    try:
        return sent.result(DONE_WITHIN)
    except (TimeoutError, CancelledError) as error:
        # Cancelled: the event loop that was to tell them is going away.
        sent.cancel()
        raise StoreUnavailable from error


async def asend(watches: Sequence[str], text: str) -> Reached:
    """Twin of `send`, for whatever event loop."""
    text = cleaned(text)
    process = current_process()
    runtime, loop = _running(process)
    sent = _begin(process, _send(process, runtime, watches, text), loop)
    try:
        async with process.clock.timeout(DONE_WITHIN):
            return await asyncio.wrap_future(sent)
    except TimeoutError as error:
        raise StoreUnavailable from error
    except asyncio.CancelledError as error:
        if (task := asyncio.current_task()) is None or task.cancelling():
            # Whoever asked was cancelled, not the sending.
            raise
        raise StoreUnavailable from error


def cleaned(text: str) -> str:
    """Return a notice's text as it is sent.

    Raises:
        ValueError: as `send` does.
    """
    # What was pasted may have tabs, which a notice has no use for.
    text = text.strip().replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    if not 1 <= len(text) <= LONGEST:
        raise ValueError(f"The text of a notice has {len(text)} characters; expected 1 to {LONGEST}.")
    for character in text:
        # Half a surrogate pair is no character, and can't be sent.
        if character != "\n" and category(character) in {"Cc", "Cs"}:
            raise ValueError(f"The text of a notice contains {character!r}; expected no control characters.")
    return text


def _running(process: Process) -> tuple[Runtime, asyncio.AbstractEventLoop]:
    runtime = running_runtime(process)
    if runtime is None or runtime.loop is None:
        raise NotRunning
    return runtime, runtime.loop


def _present_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _begin(process: Process, sending: Coroutine[Any, Any, Reached], loop: asyncio.AbstractEventLoop) -> Future[Reached]:
    # A context of its own: in that of the request, whatever needs a thread would wait for the one that waits here.
    return process.context().run(asyncio.run_coroutine_threadsafe, sending, loop)


async def _send(process: Process, runtime: Runtime, watches: Sequence[str], text: str) -> Reached:
    store = monitor.store_of(process)
    asked = list(dict.fromkeys(watches))
    found = await store.sessions.aget_many(asked)
    at = process.clock.now()
    lives = [watch_id for watch_id, watched in zip(asked, found, strict=True) if not _is_over(watched, at)]
    counted = _counted(found, at)
    frame = encode(NoticeFrame(secrets.token_urlsafe(12), text))
    others = {name: tabs for name, tabs in counted.items() if name != process.name}
    here, elsewhere = await asyncio.gather(
        runtime.hub.show(lives, frame),
        _ask_others(process, runtime.bus, lives, frame, others) if store.shared else _nobody(),
    )
    reached = here + elsewhere
    # A tab that nobody has counted yet may have been told.
    result = Reached(reached, max(reached, counted.total()))
    event_log.log_event("notice_sent", sessions=len(lives), reached=result.reached, open=result.open)
    metrics.NOTICE_REACHED.inc(result.reached)
    metrics.NOTICE_MISSED.inc(result.open - result.reached)
    return result


async def _nobody() -> int:
    return 0


def _is_over(watched: Watched | None, at: float) -> bool:
    return watched is not None and watched.verdict(at).phase is Phase.ENDED


def _counted(found: Sequence[Watched | None], at: float) -> Counter[str]:
    """Return how many tabs the store counts, by the process that serves them."""
    counted: Counter[str] = Counter()
    for watched in found:
        if watched is not None and not _is_over(watched, at):
            counted.update(watched.activity.tabs)
    return counted


async def _ask_others(
    process: Process, bus: Bus, watches: Sequence[str], frame: str, counted: Mapping[str, int]
) -> int:
    """Have the other processes show a notice; return how many tabs those told that answered in time.

    Who is waited for is who serves tabs, as far as the store knows: nobody else has to answer.
    """
    layer, reply = get_channel_layer(), bus.channel
    if layer is None or reply is None or not watches:
        return 0
    notice = secrets.token_urlsafe(12)
    batches = [watches[start : start + BATCH] for start in range(0, len(watches), BATCH)]
    told: dict[tuple[str, int], int] = {}
    with bus.hearing(notice) as answers:
        try:
            async with process.clock.timeout(SENT_WITHIN):
                for part, batch in enumerate(batches):
                    message = {"type": NOTICE, "process": process.name, "reply": reply, "notice": notice, "part": part}
                    await layer.group_send(GROUP, {**message, "frame": frame, "watches": list(batch)})
        except Exception as error:  # noqa: BLE001 - what a layer raises is its own affair
            logger.warning("The channel layer takes no message (%s): a notice stays here.", type(error).__name__)
            return 0
        awaited = {(name, part) for name in counted for part in range(len(batches))}
        with suppress(TimeoutError):
            async with process.clock.timeout(ANSWERED_WITHIN):
                while not awaited <= told.keys():
                    answer: Ack = await answers.get()
                    # A process with several event loops answers from each, for all of them.
                    told.setdefault((answer.process, answer.part), answer.told)
    return sum(told.values())
