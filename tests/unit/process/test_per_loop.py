"""One part of a process for each of its event loops."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any
from weakref import WeakKeyDictionary

import pytest

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


def test_one_may_come_while_another_thread_goes_through_them(monkeypatch: pytest.MonkeyPatch):
    parts: PerLoop[object] = PerLoop(object)
    threads = ThreadPoolExecutor(1)

    async def ask() -> object:
        return parts.current()

    class Parts(WeakKeyDictionary[Any, Any]):
        coming: Future[object] | None = None

        def values(self) -> Iterator[Any]:  # type: ignore[override]
            for part in super().values():
                Parts.coming = Parts.coming or threads.submit(asyncio.run, ask())
                wait([Parts.coming], 0.1)
                yield part

    monkeypatch.setattr(parts, "_parts", Parts())
    with threads, asyncio.Runner() as one, asyncio.Runner() as other:
        found = [one.run(ask()), other.run(ask())]
        assert list(parts) == found
        assert Parts.coming is not None
        assert Parts.coming.result(10) not in found
