"""How findings write numbers, durations and names."""

from __future__ import annotations

import pytest

from idlewatch.doctor.phrases import counted, duration, named


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "under 1 ms"),
        (0.00099, "under 1 ms"),
        (0.001, "1 ms"),
        (0.4204, "420 ms"),
        (7.25, "7.2 s"),
        (60.0, "1 min"),
        (400.0, "6 min 40 s"),
        (7199.9999, "2 h"),
        (8000.0, "2 h 13 min"),
        (400_000.0, "4 d 15 h"),
        (86_400_000.0, "1000 d"),
        (-8000.0, "-2 h 13 min"),
    ],
)
def test_a_duration_has_a_unit_that_fits(seconds: float, text: str):
    assert duration(seconds) == text


def test_of_many_names_the_rest_is_counted():
    assert named(["b", "a"]) == "a, b"
    assert named("gfedcba") == "a, b, c, d, e and 2 more"


def test_a_number_has_its_noun():
    assert [counted(1, "process"), counted(2, "process"), counted(3000, "record")] == [
        "1 process",
        "2 processes",
        "3,000 records",
    ]
