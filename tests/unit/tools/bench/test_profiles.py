from __future__ import annotations

from tests.tools.bench import goals, profiles
from tests.tools.bench.goals import judge
from tests.tools.bench.profiles import Profile, Profiles
from tests.tools.bench.samples import Samples

PACED = "heartbeat, 1,000/s"
BARE = {"Twisted": 30, "autobahn": 10}
MEMORY = {"idlewatch.consumers": 20, "idlewatch.core": 10, "Twisted": 60, "autobahn": 9, "asgiref": 1}


def profile(variant: str, total: float, parts: dict[str, int], **more: float) -> Profile:
    return Profile([PACED], variant, 2_000, goals.BARE, total, "µs", parts, beside=more)


def taken(*found: Profile) -> Profiles:
    collected = Profiles()
    for each in found:
        collected.add(each)
    return collected


def measured(memory: float) -> Samples:
    samples = Samples()
    for variant, value in ((goals.BARE, 40.0), (goals.MEMORY, memory), (goals.REDIS, 40.0)):
        samples.add(PACED, variant, 2_000, value)
    return samples


def test_an_owner_has_its_share_of_what_was_measured_without_the_profiler():
    assert profile(goals.MEMORY, 200.0, MEMORY).amounts["idlewatch.consumers"] == 40.0


def test_a_table_shows_each_owner_beside_the_same_of_the_floor():
    table = profiles.table_of([profile(goals.MEMORY, 100.0, MEMORY, elapsed=120.0), profile(goals.BARE, 40.0, BARE)])

    *lines, sentence = table.splitlines()
    assert lines == [
        "| µs of | bare | memory | over bare |",
        "|---|--:|--:|--:|",
        "| Twisted | 30.0 (75%) | 60.0 (60%) | +30.0 |",
        "| autobahn | 10.0 (25%) | 9.00 (9%) | -1.00 |",
        "| idlewatch.consumers |  | 20.0 (20%) | +20.0 |",
        "| idlewatch.core |  | 10.0 (10%) | +10.0 |",
        "| asgiref |  | 1.00 (1%) | +1.00 |",
        "| **processor time** | 40.0 | 100 | +60.0 |",
        "| elapsed |  | 120 |  |",
        "",
    ]
    assert sentence == (
        "- *memory* takes 60.0 µs more than *bare*: idlewatch 50%, Twisted 50%, autobahn -2%, asgiref 2%. "
        "Of all that it takes, idlewatch has 30%."
    )


def test_owners_with_little_are_shown_together():
    table = profiles.table_of([profile(goals.BARE, 1_000.0, {"Twisted": 990, "asyncio": 6, "zlib": 4})])

    assert "| others | 10.0 (1%) |" in table
    assert "asyncio" not in table


def test_what_falls_short_is_shown_and_what_meets_its_goals_is_not():
    found = taken(profile(goals.BARE, 40.0, BARE), profile(goals.MEMORY, 60.0, MEMORY))

    short, met = (profiles.section(found, judge(measured(memory))) for memory in (60.0, 40.0))

    assert "### 3: Processor time per heartbeat: heartbeat, 1,000/s, at 2,000" in short
    assert "µs of" not in met
    assert "meets its goals" in met


def test_a_profile_of_nothing_is_left_out():
    assert list(taken(profile(goals.BARE, 0.0, BARE), profile(goals.MEMORY, 1.0, {}))) == []


def test_a_run_without_profiles_says_so():
    assert profiles.section(Profiles(), judge(Samples())) == "None was taken."


def test_the_json_has_the_amounts():
    content = profile(goals.MEMORY, 200.0, MEMORY).as_json()

    assert content["figures"] == [PACED]
    assert content["amounts"]["idlewatch.core"] == 20.0
    assert content["samples"] == 100
