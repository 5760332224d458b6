"""What keeps one test from another."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import cast

import pytest
from asgiref.sync import sync_to_async

from tests.conftest import finish_database_work, pytest_generate_tests


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


@pytest.mark.parametrize("values", [{1, 2}, frozenset((1, 2))])
def test_parameters_in_no_order_are_refused(request: pytest.FixtureRequest, values: object):
    request.node.add_marker(pytest.mark.parametrize("number", values))
    metafunc = SimpleNamespace(definition=request.node)
    with pytest.raises(pytest.UsageError, match="takes its parameters from a set; sort them"):
        pytest_generate_tests(cast("pytest.Metafunc", metafunc))
