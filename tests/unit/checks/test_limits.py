from __future__ import annotations

from datetime import timedelta

import pytest


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"IDLE_TIMEOUT": 120, "WARN_BEFORE": 120}, ["E005"]),
        ({"WARN_BEFORE": timedelta(hours=1)}, ["E005"]),
        ({"IDLE_TIMEOUT": 120}, ["W001"]),
        ({"IDLE_TIMEOUT": 121, "HEARTBEAT": 0.5}, []),
        ({"IDLE_TIMEOUT": 60, "WARN_BEFORE": 40}, []),
        ({"IDLE_TIMEOUT": 55, "WARN_BEFORE": 40}, ["W003"]),
        ({"HEARTBEAT": 780}, ["W003"]),
        ({"ABSOLUTE_TIMEOUT": 899}, ["W004"]),
        ({"ABSOLUTE_TIMEOUT": 900}, []),
        ({"CLOSE_GRACE": 4.9}, ["W005"]),
        ({"CLOSE_GRACE": 0}, ["W005"]),
        ({"CLOSE_GRACE": 5}, []),
        ({"IDLE_TIMEOUT": 60, "WARN_BEFORE": 60, "ABSOLUTE_TIMEOUT": 30, "CLOSE_GRACE": 1}, ["E005", "W004", "W005"]),
    ],
)
def test_limits_that_contradict_or_harm_each_other_are_found(found, given, expected):
    messages = found(IDLEWATCH=given)
    assert sorted(messages) == expected
    assert all(message.hint and "; expected" in message.msg for message in messages.values())


@pytest.mark.rule("R30")
@pytest.mark.parametrize(("seconds", "expected"), [(0, ["W002"]), (19.9, ["W002"]), (20, [])])
def test_warning_shorter_than_wcag_allows_is_a_warning(found, seconds, expected):
    assert list(found(IDLEWATCH={"WARN_BEFORE": seconds})) == expected
