"""The simulation: the same seed tells the same story, and each mutant finds what it is to break."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from idlewatch.core.policy import Policy
from tests.simulation import events, faults, stories
from tests.simulation.browsers import Browser
from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.options import OptionError, Options, options_of
from tests.simulation.runs import Result, rare_events
from tests.simulation.seen import Seen
from tests.simulation.stories import Fault, Setup, Step, Story

SERVER: Any = SimpleNamespace(is_dead=False, stops=[])


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_changes_the_text_that_it_names(mutant: Mutant):
    assert mutant.source


def test_mutants_break_scripts_records_and_what_several_processes_do():
    counts = Counter[str]()
    for mutant in MUTANTS:
        counts["scripts"] += mutant.file.endswith(".lua")
        counts["records"] += mutant.file.startswith("monitor/")
        counts["processes"] += mutant.servers in {"2", "3"}
    assert len(MUTANTS) >= 25
    assert min(counts.values()) >= 5, counts


@pytest.mark.redis
@pytest.mark.parametrize(("store", "seed"), [("redis", 7), ("redis", 24), ("memory", 31)])
def test_the_same_seed_tells_the_same_story(store: str, seed: int):
    environment = {**os.environ, "STORE": store, "SEED": str(seed)}
    told = [
        subprocess.run(
            [sys.executable, "-m", "tests.simulation"],
            check=False,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
        for _ in range(2)
    ]
    assert "trace " in told[0]
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SCHEDULES", "abc", "an integer of at least 1"),
        ("SCHEDULES", "0", "an integer of at least 1"),
        ("SEED", "x", "an integer of at least 0"),
        ("SERVERS", "9", "an integer from 1 to 3"),
        ("STORE", "foo", "one of redis, memory"),
        ("WITHIN", "-1", "a number of seconds, at least 0"),
        ("WITHIN", "nan", "a number of seconds, at least 0"),
        ("WORKERS", "0", "an integer of at least 1"),
        ("MUTANTS", "nonsense", "one of 1, compare-and-set gone, "),
        ("FOCUS", "nonsense", "names separated by spaces, of type, "),
        ("FOUND", "5", "one of 4, 20, "),
    ],
)
def test_a_variable_that_cannot_be_used_is_refused_by_name_with_what_was_expected(name: str, value: str, expected: str):
    with pytest.raises(OptionError) as refusal:
        options_of({name: value})
    assert str(refusal.value).startswith(f"{name}={value!r}: expected {expected}")


def test_an_empty_variable_is_not_set():
    assert (
        options_of(dict.fromkeys(("SEED", "SCHEDULES", "WITHIN", "SERVERS", "STORE", "FOCUS", "MUTANTS"), ""))
        == Options()
    )


def test_a_run_that_cannot_begin_exits_with_2():
    command = [sys.executable, "-m", "tests.simulation"]
    run = subprocess.run(command, check=False, env={**os.environ, "SERVERS": "9"}, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (2, "", "SERVERS='9': expected an integer from 1 to 3\n")


def test_a_run_notices_which_listed_event_was_too_rare():
    counts = dict.fromkeys(events.LISTED, 10)
    assert events.rare(counts, 1000) == []
    assert events.rare(counts | {"redis_clock": 9}, 1000) == ["redis_clock (0.90%)"]
    del counts["long absence"]
    assert events.rare(counts, 1000) == ["long absence (0.00%)"]


def test_a_run_compares_how_often_events_occurred_where_all_can_occur_often_enough():
    result = Result()
    result.schedules = events.MIN_SCHEDULES
    assert len(rare_events(Options(), result)) == len(events.LISTED)
    assert rare_events(Options(store="memory"), result) == []
    assert rare_events(Options(focus=("extend",)), result) == []
    assert rare_events(Options(servers=1), result) == []
    result.schedules -= 1
    assert rare_events(Options(), result) == []


class TestSeen:
    limits = Policy(idle_timeout=15.0, warn_before=4.0, close_grace=None)

    def ended_idle(self, seen: Seen, at: float) -> list[str]:
        """Return what is violated if the session ended idle at a moment."""
        record: Any = SimpleNamespace(reason="idle", ended=datetime.fromtimestamp(at, UTC))
        seen._check_early("w1", seen.sessions["w1"], record)
        return seen.violations

    def seen(self, lag: float = 0.0) -> Seen:
        """Return the notes of a world in which the session began at 0, and a machine stood still for `lag` seconds."""
        database = SimpleNamespace(strikes=[])
        world: Any = SimpleNamespace(limits=self.limits, is_skewed=lag > 0, lag=lag, database=database)
        return Seen(world)

    @pytest.mark.parametrize(("remaining", "is_early"), [(0.0, False), (0.1, True)])
    def test_a_countdown_that_has_run_out_promises_nothing(self, remaining: float, is_early: bool):
        seen = self.seen()
        frame = {"phase": "warned", "remaining": remaining, "idle_timeout": 15.0}
        seen.promised("w1", frame, 16.0, SERVER)
        assert bool(self.ended_idle(seen, 15.0)) is is_early

    @pytest.mark.parametrize(("lag", "is_early"), [(0.0, True), (9.0, False)])
    def test_activity_counts_where_the_session_was_not_warned_yet_by_any_clock(self, lag: float, is_early: bool):
        seen = self.seen(lag)
        # A clock that stood still has the request at 5.
        seen.served("w1", 14.0, SERVER, counts=True)
        seen.handled("w1", 18.0, 18.0, SERVER)
        assert bool(self.ended_idle(seen, 20.0 if lag else 29.0)) is is_early


def test_what_events_names_is_there():
    assert set(events.FAULTS) == set(faults.STRIKES)
    for action in (*events.ACTIONS, *events.FOCUSED_ACTIONS):
        assert callable(getattr(Browser, action))


@pytest.mark.parametrize("seed", [7, 24])
def test_a_story_is_printed_as_it_can_stand_among_those_that_were_found(seed: int):
    story = stories.story_of(seed)
    names = {each.__name__: each for each in (Fault, Policy, Setup, Step, Story)}
    assert eval(repr(story), names) == story
