from __future__ import annotations

from collections.abc import Sequence

import pytest
from django.db import OperationalError

from idlewatch.exceptions import Undecided
from idlewatch.monitor.isolation import isolated, made_of_each, work_through
from tests.support.sockets import errors


def test_what_raises_is_found_by_halves_and_worked_on_by_itself_from_then_on(caplog: pytest.LogCaptureFixture):
    items = {f"w{number}": number for number in range(500)}
    batches: list[int] = []
    done: set[int] = set()
    is_broken = True

    def do(batch: Sequence[int]) -> None:
        batches.append(len(batch))
        if is_broken and 77 in batch:
            raise ValueError("with a session key in its text")
        done.update(batch)

    assert work_through("check", items, do) == {"w77"}
    assert done == set(range(500)) - {77}
    assert len(batches) < 20
    batches.clear()
    for _ in range(3):
        assert work_through("check", items, do) == {"w77"}
    assert batches == [499, 1] * 3
    (line,) = errors(caplog)
    assert line.startswith("Session w77 is left out (check), and others go on: ValueError at ")
    is_broken = False
    assert work_through("check", items, do) == set()
    batches.clear()
    work_through("check", items, do)
    assert batches == [500]


def test_a_database_that_is_away_concerns_all_of_them(caplog: pytest.LogCaptureFixture):
    batches: list[int] = []

    def do(batch: Sequence[int]) -> None:
        batches.append(len(batch))
        raise OperationalError

    with pytest.raises(OperationalError):
        work_through("check", {f"w{number}": number for number in range(500)}, do)
    assert batches == [500]
    assert errors(caplog) == []


def test_what_is_undecided_is_left_for_later_and_no_error(caplog: pytest.LogCaptureFixture):
    with isolated("resumption", "w1"):
        raise Undecided
    assert errors(caplog) == []


def test_what_raises_when_something_is_made_of_it_is_left_out_and_logged_once(caplog: pytest.LogCaptureFixture):
    divisor = {"w0": 1, "w1": 0, "w2": 2}

    def made() -> Sequence[float]:
        return made_of_each("push", list(divisor), lambda watch_id: 2 / divisor[watch_id], lambda watch_id: watch_id)

    assert made() == [2.0, 1.0]
    assert made() == [2.0, 1.0]
    (line,) = errors(caplog)
    assert line.startswith("Session w1 is left out (push), and others go on: ZeroDivisionError at ")
    divisor["w1"] = 1
    assert made() == [2.0, 2.0, 1.0]
