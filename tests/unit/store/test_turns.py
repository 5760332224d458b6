"""One thread at a time for each session, and nothing kept of those that none waits for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from idlewatch.store.turns import Turns


class TestTurns:
    def test_are_taken_by_one_thread_at_a_time_and_by_those_of_other_sessions_meanwhile(self) -> None:
        turns, order, goes_on = Turns(), [], Event()

        def work(name: str, watch_id: str) -> None:
            with turns.taking(watch_id):
                order.append(name)

        with ThreadPoolExecutor(2) as pool:
            with turns.taking("w1"):
                waiting = pool.submit(work, "waits", "w1")
                pool.submit(work, "other", "w2").result(5)
                assert not waiting.done()
                order.append("first")
                goes_on.set()
            waiting.result(5)
        assert order == ["other", "first", "waits"]
        assert len(turns) == 0

    def test_are_given_back_by_work_that_fails(self) -> None:
        turns = Turns()
        for _ in range(2):
            with pytest.raises(OSError, match="broken"), turns.taking("w1"):
                raise OSError("broken")
        assert len(turns) == 0
