"""What a run found, in words and figures: the page of the docs, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.tools.bench import profiles, sizing
from tests.tools.bench.goals import UNITS, WORK, Goal, Outcome, Verdict, judge
from tests.tools.bench.machine import CoreUse
from tests.tools.bench.profiles import Profiles
from tests.tools.bench.samples import Samples, Summary, summary

INTRODUCTION = """# Benchmarks

What idlewatch costs, beside the floor of its own stack and beside what a project would otherwise have, all in one run.
`make bench{quick}` wrote this page, and [the figures as JSON](benchmarks.json).

| | what it is |
|---|---|
| *memory*, *Redis* | idlewatch with each of its stores, deployed as this project is |
| *after a restart* | idlewatch with a store that does not know the keys of the sessions yet |
| *client* | its time on a page's main thread, in Chromium: in scripts, for a pointer movement; in all tasks, less \
those of the same page without it, for a second without input |
| *bare* | a floor: an ASGI application on the same Daphne that accepts a socket and decodes JSON |
| *direct* | a floor: frames as long as those of idlewatch, sent by a loop over the same sockets |
| *direct, two processes* | the same, in two processes that have half of the sockets each |
| *one EVALSHA*, *pipeline of 100 EVALSHA* | a floor: a script of two writes in Redis, alone or a hundred at once |
| *few keys* | the same in row 10, for a hundred sessions; the others are \
for as many as the store has, since a key takes longer to find among many |
| *usual way* | a peer: `AuthMiddlewareStack`, a group for each session on the channel layer in Redis, an event each |
| *session-security* | a peer: django-session-security as its README sets it up. Its script pings every 540 s, or \
every 15 s if it is to know of activity as soon as idlewatch does |

The server has one core; the load and Redis share another, in row 13 with the second process. Variants take turns; a
figure is the median of the repeats, with their spread, and a ratio is taken within each repeat. Processor time is that
of the server's process. Row 5 is about sessions whose deadlines are spread evenly; rows 6 and 9 are observed for the
20 s in which Daphne pings each tab once; row 8 counts rows, and leaves out what a process writes whatever users do: it
is about one user's requests and twenty users' heartbeats within seconds, and what it counts are the checkpoints of
active sessions, one each in 45 s however much their users do; row 12 has ten users active in each second, so that what
pages show changes, and takes what the same process uses without pages from what it uses with them; the checks of all
sessions, and the searches for lost ones, are put off: they cost the same with pages or without, and more than these."""

MARKS = {
    Outcome.MET: "✓",
    Outcome.MISSED: "✗",
    Outcome.TOO_SMALL: "(too small to judge)",
    Outcome.MISSING: "not measured",
}


@dataclass(frozen=True)
class Report:
    """What a run found."""

    quick: bool
    tabs: int
    minutes: float
    machine: Mapping[str, str]
    noise: Mapping[str, CoreUse]
    """What happened on the server's core, by the rows that were measured."""
    samples: Samples
    profiles: Profiles

    @property
    def verdicts(self) -> list[Verdict]:
        return judge(self.samples)

    def page(self, charts: Mapping[str, str]) -> str:
        """Return the page in Markdown; `charts` has the address of each picture by its title."""
        parts = [
            INTRODUCTION.format(quick=" QUICK=1" if self.quick else ""),
            "\n".join(self._head()),
            "## The goals",
            goal_table(self.verdicts),
            *(f"![{title}]({address})" for title, address in charts.items()),
            "## Profiles",
            profiles.section(self.profiles, self.verdicts),
            "## Every figure",
            figure_table(self.samples),
            "## Sizing",
            sizing.section(self.samples),
            "## The machine",
            machine_table(self.machine),
            "\n".join(self._noise_table()),
        ]
        return "\n\n".join(parts) + "\n"

    def as_json(self) -> str:
        """Return everything that was measured."""
        content: dict[str, Any] = {
            "quick": self.quick,
            "tabs": self.tabs,
            "minutes": round(self.minutes, 1),
            "machine": dict(self.machine),
            "noise": {rows: vars(use) for rows, use in self.noise.items()},
            "goals": [_goal_as_json(verdict) for verdict in self.verdicts],
            "profiles": [profile.as_json() for profile in self.profiles],
            "samples": [{**key._asdict(), "values": list(values)} for key, values in self.samples],
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    def _head(self) -> Iterator[str]:
        kind = "A quick run" if self.quick else "A full run"
        yield f"{kind} with {self.tabs:,} tabs, in {self.minutes:.0f} minutes, on {self.machine['Processor']}."

    def _noise_table(self) -> Iterator[str]:
        yield "What else ran on the server's core, and how fast it was: the time of a fixed loop before each row."
        yield ""
        yield from ("| rows | others | steal | loop |", "|---|--:|--:|--:|")
        for rows, use in self.noise.items():
            yield f"| {rows} | {use.others:.0%} | {use.steal:.0%} | {use.calibration:.1f} ms |"


def goal_table(verdicts: Iterable[Verdict], work: Mapping[str, str] = WORK) -> str:
    """Return the table of all goals, in Markdown: what is not measured is named, too."""
    lines = ["| | work | of | tabs or sessions | measured | goal | |", "|---|---|---|--:|--:|--:|---|"]
    for goal, outcome, size, measured in verdicts:
        value = with_spread(measured, goal.unit) if measured else ""
        cells = (
            goal.row,
            f"{work[goal.row]}: {goal.figure}",
            goal.variant,
            f"{size:,}" if size else "",
            value,
            bound(goal),
            MARKS[outcome],
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def figure_table(samples: Samples, units: Mapping[str, str] = UNITS) -> str:
    """Return the table of everything that was measured, in Markdown."""
    lines = ["| figure | variant | tabs or sessions | median | spread | repeats |", "|---|---|--:|--:|--:|--:|"]
    for key, values in samples:
        found = summary(values)
        spread = f"{short(found.low)} to {short(found.high)}"
        size = f"{key.size:,}" if key.size else ""
        unit = units.get(key.figure, "")
        lines.append(
            f"| {key.figure} | {key.variant} | {size} | {short(found.median)} {unit} | {spread} | {found.repeats} |"
        )
    return "\n".join(lines)


def machine_table(machine: Mapping[str, str]) -> str:
    """Return the table of the machine and the versions, in Markdown."""
    return "\n".join(["| what | version |", "|---|---|", *(f"| {name} | {value} |" for name, value in machine.items())])


def short(value: float) -> str:
    """Return a number with three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def with_spread(measured: Summary, unit: str) -> str:
    """Return a median with its spread."""
    return f"{short(measured.median)} {unit} ({short(measured.low)} to {short(measured.high)})"


def bound(goal: Goal) -> str:
    """Return what a goal asks for."""
    return f"{'≥' if goal.at_least else '≤'} {short(goal.bound)} {goal.unit} {goal.over or ''}".rstrip()


def _goal_as_json(verdict: Verdict) -> dict[str, Any]:
    goal, outcome, size, measured = verdict
    found = measured._asdict() if measured else None
    return {**goal._asdict(), "outcome": outcome.value, "size": size, "measured": found}


def shortfalls(verdicts: Sequence[Verdict], rows: Collection[str]) -> list[str]:
    """Return a line for each goal of these rows that was missed, or that nothing measured."""
    return [
        f"Row {goal.row}, {goal.figure}, {goal.variant}{f' at {size:,}' if size else ''}: "
        f"{with_spread(measured, goal.unit) if measured else outcome}; the goal is {bound(goal)}."
        for goal, outcome, size, measured in verdicts
        if goal.row in rows and outcome in {Outcome.MISSED, Outcome.MISSING}
    ]
