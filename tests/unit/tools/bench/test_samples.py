from __future__ import annotations

from tests.tools.bench.samples import Samples, Summary


def test_a_ratio_is_taken_within_each_repeat():
    samples = Samples()
    for bare, memory in ((1.0, 2.0), (10.0, 30.0), (100.0, 100.0)):
        samples.add("opening a tab", "bare", 1_000, bare)
        samples.add("opening a tab", "memory", 1_000, memory)

    assert samples.summary("opening a tab", "memory", 1_000, over="bare") == Summary(2.0, 1.0, 3.0, 3)
    assert samples.summary("opening a tab", "memory", 1_000) == Summary(30.0, 2.0, 100.0, 3)


def test_what_was_not_measured_has_no_summary():
    samples = Samples()
    samples.add("opening a tab", "memory", 1_000, 2.0)

    assert samples.summary("opening a tab", "bare", 1_000) is None
    assert samples.summary("opening a tab", "memory", 5_000) is None
    assert samples.summary("opening a tab", "memory", 1_000, over="bare") is None
