"""One part of a process for each of its event loops."""

from __future__ import annotations

import asyncio

from idlewatch.process import PerLoop


def test_each_event_loop_has_one_part_as_long_as_it_lives():
    parts = PerLoop(object)

    async def ask() -> tuple[object, object]:
        return parts.current(), parts.current()

    with asyncio.Runner() as one, asyncio.Runner() as other:
        first, again = one.run(ask())
        assert first is again
        assert other.run(ask())[0] is not first
        assert len(list(parts)) == 2
