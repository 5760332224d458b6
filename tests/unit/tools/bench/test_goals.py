from __future__ import annotations

import pytest

from tests.tools.bench import goals
from tests.tools.bench.goals import GOALS, WORK, Goal, Outcome, judge
from tests.tools.bench.samples import Samples


def opened(size: int, memory: float) -> Samples:
    samples = Samples()
    samples.add("memory per tab", goals.BARE, size, 100.0)
    samples.add("memory per tab", goals.MEMORY, size, memory)
    return samples


def outcome_of(samples: Samples) -> Outcome:
    return next(each.outcome for each in judge(samples) if each.goal.row == "1" and each.goal.over == goals.BARE)


@pytest.mark.parametrize(
    ("size", "memory", "outcome"),
    [
        (5_000, 110.0, Outcome.MET),
        (5_000, 111.0, Outcome.MISSED),
        (1_000, 111.0, Outcome.TOO_SMALL),
    ],
)
def test_a_goal_is_judged_where_it_holds(size, memory, outcome):
    assert outcome_of(opened(size, memory)) is outcome


def test_a_goal_is_judged_at_each_size_at_which_it_holds():
    samples = opened(5_000, 110.0)
    samples.add("memory per tab", goals.BARE, 10_000, 100.0)
    samples.add("memory per tab", goals.MEMORY, 10_000, 120.0)

    judged = [each for each in judge(samples) if each.goal.over == goals.BARE and each.goal.row == "1"]

    assert [(each.size, each.outcome) for each in judged] == [(5_000, Outcome.MET), (10_000, Outcome.MISSED)]


def test_a_goal_that_nothing_measures_is_named():
    assert {each.outcome for each in judge(Samples())} == {Outcome.MISSING}
    assert [each.goal for each in judge(Samples())] == list(GOALS)


def test_a_goal_may_be_a_lower_bound():
    goal = Goal("13", "figure", goals.REDIS, None, 0.95, "×", at_least=True)

    assert goal.is_met(0.95)
    assert not goal.is_met(0.94)


def test_each_row_of_the_table_has_a_goal():
    assert {goal.row for goal in GOALS} == WORK.keys()
