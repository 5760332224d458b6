"""Things that are done at once."""

from __future__ import annotations

import asyncio

import pytest

from idlewatch.process import together


async def test_each_is_done_to_its_end_before_the_first_error_is_raised():
    done = []

    async def do(name: str, turns: int, error: Exception | None = None) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        done.append(name)
        if error is not None:
            raise error

    with pytest.raises(ValueError, match="first"):
        await together([do("a", 1, ValueError("first")), do("b", 5), do("c", 2, KeyError("second"))])
    assert done == ["a", "c", "b"]
