"""The project as it is deployed, and beside it what a run asks of its processes."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.tools.bench import applications
from tests.tools.scale import statements

statements.record()

from idlewatch.core.events import Acted  # noqa: E402 - Django has to be ready
from idlewatch.monitor import stores  # noqa: E402 - as above
from idlewatch.process import now  # noqa: E402 - as above

BATCH_SIZE = 500
LISTING = json.loads(Path(os.environ["BENCH_SESSIONS"]).read_text())

application = applications.application


async def act(count: str) -> None:
    """Let the users of so many sessions be active now."""
    watch_ids = LISTING["watch_ids"][: int(count)]
    sessions, at = stores.current().sessions, now()
    for start in range(0, len(watch_ids), BATCH_SIZE):
        await asyncio.gather(*(sessions.aapply(each, Acted(), at) for each in watch_ids[start : start + BATCH_SIZE]))


async def sent() -> Sequence[tuple[str, str, int]]:
    """Return where each statement was sent from, what it says, and how often it was sent."""
    return [(each.place, sql, each.count) for sql, each in list(statements.sent.items())]


async def explained() -> Sequence[dict[str, Any]]:
    """Return how the database executes each statement."""
    return await asyncio.to_thread(statements.explained)


applications.COMMANDS.update({command.__name__: command for command in (act, sent, explained)})
