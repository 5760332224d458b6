"""What keeps one test from another."""

from __future__ import annotations

import asyncio
import time

import pytest
from asgiref.sync import sync_to_async

from tests.conftest import finish_database_work


def test_work_that_outlives_its_loop_is_finished_first():
    done = []

    def work() -> None:
        time.sleep(0.3)
        done.append("work")

    async def begin() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sync_to_async(work)(), 0.1)

    asyncio.run(begin())
    assert done == []
    finish_database_work()
    assert done == ["work"]
