from __future__ import annotations

import json

from tests.tools.bench import goals
from tests.tools.bench.machine import CoreUse
from tests.tools.bench.profiles import Profile, Profiles
from tests.tools.bench.report import Report, shortfalls
from tests.tools.bench.samples import Samples


def report() -> Report:
    samples = Samples()
    for variant, value in ((goals.BARE, 500.0), (goals.MEMORY, 1_250.0), (goals.REDIS, 1_000.0)):
        samples.add("opening a tab", variant, 1_000, value)
    machine = {"Processor": "Some processor", "Python": "3.11"}
    noise = {"1, 2": CoreUse(calibration=20.0, others=0.02, steal=0.0)}
    profiles = Profiles()
    profiles.add(
        Profile(["opening a tab"], goals.MEMORY, 1_000, goals.BARE, 1_250.0, "µs", {"Django": 3, "asyncio": 1})
    )
    return Report(True, 1_000, 4.2, machine, noise, samples, profiles)


def lines_with(text: str) -> list[str]:
    return [line for line in report().page({}).splitlines() if text in line]


def test_the_page_shows_each_goal_beside_what_was_measured():
    met, missed = (
        next(line for line in lines_with("opening a tab") if f"| {variant} |" in line)
        for variant in (goals.REDIS, goals.MEMORY)
    )

    assert met == (
        "| 2 | Processor time to open a signed-in tab: opening a tab | Redis | 1,000 | 2 × (2 to 2) "
        "| ≤ 2.3 × bare | ✓ |"
    )
    assert missed.endswith("| 2.5 × (2.5 to 2.5) | ≤ 2 × bare | ✗ |")


def test_the_page_names_what_is_not_measured():
    for work in goals.WORK.values():
        assert lines_with(work), work
    assert all(line.endswith("| not measured |") for line in lines_with("Bytes per session"))


def test_the_page_tells_the_size_the_machine_and_its_noise():
    assert lines_with("A quick run with 1,000 tabs, in 4 minutes, on Some processor.")
    assert lines_with("| 1, 2 | 2% | 0% | 20.0 ms |")


def test_the_json_has_every_sample():
    content = json.loads(report().as_json())

    assert content["samples"][1] == {"figure": "opening a tab", "variant": "memory", "size": 1_000, "values": [1_250.0]}
    assert len(content["goals"]) == len(goals.GOALS)


def test_the_page_and_the_json_have_the_profile_of_what_falls_short():
    assert lines_with("| Django | 938 (75%) |")
    assert json.loads(report().as_json())["profiles"][0]["amounts"] == {"Django": 937.5, "asyncio": 312.5}


def test_a_shortfall_names_the_figure_and_its_goal():
    assert shortfalls(report().verdicts, {"2"}) == [
        "Row 2, opening a tab, memory at 1,000: 2.5 × (2.5 to 2.5); the goal is ≤ 2 × bare.",
        "Row 2, opening a tab, after a restart: not measured; the goal is ≤ 2.3 × bare.",
    ]
