"""One task at a time for each key, and nothing kept of those that nothing waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from idlewatch.store.batches import MAX_BATCH, Batches


class Recorder:
    """Work that waits until it may go on, and records its batches."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[int]]] = []
        self.may_go_on = asyncio.Event()
        self.result: Exception | None = None

    async def work(self, watch_id: str, items: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append((watch_id, list(items)))
        await self.may_go_on.wait()
        if isinstance(self.result, OSError):
            raise self.result
        return [self.result or item * 10 for item in items]


class TestBatches:
    async def test_have_what_comes_while_one_is_under_way_and_each_caller_gets_its_own_result(self) -> None:
        recorder = Recorder()
        batches = Batches(recorder.work)
        first = [asyncio.create_task(batches.add("w1", item)) for item in (1, 2)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        later = [asyncio.create_task(batches.add("w1", item)) for item in range(3, 3 + MAX_BATCH + 1)]
        other = asyncio.create_task(batches.add("w2", 4))
        await asyncio.sleep(0)
        recorder.may_go_on.set()
        assert await asyncio.gather(*first, other) == [10, 20, 40]
        assert await asyncio.gather(*later) == [item * 10 for item in range(3, 3 + MAX_BATCH + 1)]
        of_one = [len(items) for watch_id, items in recorder.batches if watch_id == "w1"]
        assert of_one == [2, MAX_BATCH, 1]
        await asyncio.sleep(0)
        assert len(batches) == 0

    @pytest.mark.parametrize("error", [OSError("all of it"), LookupError("each of it")])
    async def test_that_fail_raise_the_error_for_each_and_leave_the_next_alone(self, error: Exception) -> None:
        recorder = Recorder()
        batches = Batches(recorder.work)
        recorder.may_go_on.set()
        recorder.result = error
        results = await asyncio.gather(*(batches.add("w1", item) for item in (1, 2)), return_exceptions=True)
        assert results == [error, error]
        recorder.result = None
        assert await batches.add("w1", 3) == 30

    async def test_serve_the_others_where_one_caller_goes_away(self) -> None:
        recorder = Recorder()
        batches = Batches(recorder.work)
        leaving, staying = (asyncio.create_task(batches.add("w1", item)) for item in (1, 2))
        await asyncio.sleep(0)
        leaving.cancel()
        recorder.may_go_on.set()
        assert await staying == 20

    async def test_that_are_cancelled_cancel_all_who_wait(self) -> None:
        recorder = Recorder()
        batches = Batches(recorder.work)
        tasks = [asyncio.create_task(batches.add("w1", 1))]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(batches.add("w1", 2)))
        await asyncio.sleep(0)
        # As a loop does with all that is left when it ends.
        (task,) = batches._tasks
        task.cancel()
        await asyncio.wait(tasks)
        assert all(each.cancelled() for each in tasks)
        assert len(batches) == 0
