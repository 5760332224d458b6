"""Where the time of a figure goes: the share of each owner, beside the same of the floor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.tools.bench.goals import WORK, Outcome, Verdict
from tests.tools.bench.stacks import by_function, by_owner, idlewatch_share

EXPLANATION = """Whose processor time it is, for each figure that falls short, as py-spy sampled it in a repeat of its
own after those that are measured: each sample counts to the package whose code ran, or called the interpreter or the
C library. *Event wait* is what the system takes to let the process sleep and to wake it; on a machine that does
something else, also what the process waits for its core. Amounts are the shares of the samples, of the median that was
measured without the profiler; what stands below the processor time is no part of it. The stacks are in
`build/bench/stacks/` afterwards, as input for a flame graph. `PROFILE=1` has a quick run take profiles, too."""
SMALL = 0.01
"""Of the total; owners that have less with each variant are shown together."""
OTHERS = "others"
FUNCTIONS = 25
"""Of each profile, in the JSON."""


@dataclass(frozen=True)
class Profile:
    """What one variant's figures consist of."""

    figures: Sequence[str]
    """That it explains, as the goals name them."""
    variant: str
    size: int
    floor: str
    """The variant beside whose profile it stands; a floor stands beside itself."""
    total: float
    """What it is a profile of."""
    unit: str
    parts: Mapping[str, float]
    """The parts of the total, in any unit, by their owners: samples, or bytes."""
    functions: Mapping[str, int] = field(default_factory=dict)
    beside: Mapping[str, float] = field(default_factory=dict)
    """Amounts that are no part of the total."""
    what: str = "processor time"

    @property
    def amounts(self) -> dict[str, float]:
        """How much of the total each owner has."""
        everything = sum(self.parts.values())
        return {name: self.total * part / everything for name, part in self.parts.items()}

    def as_json(self) -> dict[str, Any]:
        return {
            "figures": list(self.figures),
            "variant": self.variant,
            "size": self.size,
            "floor": self.floor,
            "what": self.what,
            "unit": self.unit,
            "total": round(self.total, 3),
            "samples": sum(self.parts.values()),
            "amounts": {name: round(amount, 3) for name, amount in self.amounts.items()},
            "beside": {name: round(amount, 3) for name, amount in self.beside.items()},
            "functions": dict(self.functions),
        }


class Profiles:
    """The profiles of a run, in the order in which they were taken."""

    def __init__(self) -> None:
        self._profiles: list[Profile] = []

    def add(self, profile: Profile) -> None:
        """Add a profile, unless it is one of nothing, as where a process was idle."""
        if profile.total > 0 and profile.parts:
            self._profiles.append(profile)

    def __iter__(self) -> Iterator[Profile]:
        return iter(self._profiles)

    def tables(self) -> Iterator[Sequence[Profile]]:
        """Yield the profiles that stand in a table together: those of the same figures at one size."""
        grouped: dict[tuple[Sequence[str], int], list[Profile]] = {}
        for profile in self._profiles:
            grouped.setdefault((tuple(profile.figures), profile.size), []).append(profile)
        return iter(grouped.values())


def of_stacks(lines: Sequence[str], **rest: Any) -> Profile:
    """Return the profile that sampled stacks make."""
    return Profile(parts=by_owner(lines), functions=by_function(lines, FUNCTIONS), **rest)


def section(profiles: Profiles, verdicts: Sequence[Verdict]) -> str:
    """Return the tables of what falls short or was not judged, in Markdown."""
    shown = [text for table in profiles.tables() if (text := _section_of(table, verdicts))]
    taken = any(True for _ in profiles)
    if not shown:
        return "No profile is shown: each figure that has one meets its goals." if taken else "None was taken."
    return "\n\n".join([EXPLANATION, *shown])


def _section_of(table: Sequence[Profile], verdicts: Sequence[Verdict]) -> str:
    first = table[0]
    judged = [each for each in verdicts if each.goal.figure in first.figures and each.size in {0, first.size}]
    # A figure has goals at more sizes than it has profiles.
    judged = judged or [each for each in verdicts if each.goal.figure in first.figures]
    if all(each.outcome is Outcome.MET for each in judged):
        return ""
    rows = list(dict.fromkeys(each.goal.row for each in judged))
    size = f", at {first.size:,}" if first.size else ""
    work = "; ".join(f"{row}: {WORK[row]}" for row in rows)
    return f"### {work}: {' and '.join(first.figures)}{size}\n\n{table_of(table)}"


def table_of(profiles: Sequence[Profile]) -> str:
    """Return the table of some profiles: a column for each, and one for what it has over its floor."""
    variants = {profile.variant: profile for profile in profiles}
    # Floors stand before what is measured by them.
    profiles = sorted(profiles, key=lambda profile: profile.floor != profile.variant)
    columns: list[Column] = []
    for profile in profiles:
        floor = variants.get(profile.floor)
        columns.append(Column(profile))
        if floor is not None and floor is not profile:
            columns.append(Column(profile, floor))
    owners, first = _owners(profiles), profiles[0]
    rows = [
        *((name, [column.of_owner(name, owners) for column in columns]) for name in owners),
        (f"**{first.what}**", [column.of_all() for column in columns]),
        *((name, [column.beside(name) for column in columns]) for name in _beside(profiles)),
    ]
    lines = [
        f"| {' | '.join([f'{first.unit} of', *(column.head for column in columns)])} |",
        f"|---|{'--:|' * len(columns)}",
        *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows),
    ]
    sentences = [_sentence(column.profile, column.floor) for column in columns if column.floor is not None]
    return "\n".join([*lines, "", *sentences]).rstrip()


class Column(NamedTuple):
    """A column of a table: a profile, or what it has over that of its floor."""

    profile: Profile
    floor: Profile | None = None

    @property
    def head(self) -> str:
        return f"over {self.floor.variant}" if self.floor else self.profile.variant

    def of_owner(self, name: str, owners: Sequence[str]) -> str:
        """Return the cell of an owner; those that are not among `owners` are shown together."""
        amount = _amount_of(self.profile, name, owners)
        if self.floor:
            over = amount - _amount_of(self.floor, name, owners)
            return _signed(over) if over else ""
        return f"{_short(amount)} ({amount / self.profile.total:.0%})" if amount else ""

    def of_all(self) -> str:
        return _signed(self.profile.total - self.floor.total) if self.floor else _short(self.profile.total)

    def beside(self, name: str) -> str:
        found = None if self.floor else self.profile.beside.get(name)
        return "" if found is None else _short(found)


def _beside(profiles: Sequence[Profile]) -> list[str]:
    return list(dict.fromkeys(name for profile in profiles for name in profile.beside))


def _owners(profiles: Sequence[Profile]) -> list[str]:
    """Return the owners that are shown, the largest first."""
    largest: dict[str, float] = {}
    for profile in profiles:
        for name, amount in profile.amounts.items():
            largest[name] = max(largest.get(name, 0.0), amount / profile.total)
    shown = sorted((name for name, share in largest.items() if share >= SMALL), key=largest.__getitem__, reverse=True)
    return [*shown, OTHERS] if len(shown) < len(largest) else shown


def _amount_of(profile: Profile, name: str, owners: Sequence[str]) -> float:
    if name == OTHERS:
        return sum(amount for owner, amount in profile.amounts.items() if owner not in owners)
    return profile.amounts.get(name, 0.0)


def _short(amount: float) -> str:
    return f"{amount:,.{_digits(amount)}f}"


def _signed(amount: float) -> str:
    return f"{amount:+,.{_digits(amount)}f}"


def _digits(amount: float) -> int:
    return 0 if abs(amount) >= 100 else 1 if abs(amount) >= 10 else 2


def _sentence(profile: Profile, floor: Profile) -> str:
    """Return who has what a variant takes over its floor, in words."""
    over = profile.total - floor.total
    if over <= 0:
        return f"- *{profile.variant}* takes no more than *{floor.variant}*."
    more = {
        name: profile.amounts.get(name, 0.0) - floor.amounts.get(name, 0.0) for name in profile.amounts | floor.amounts
    }
    own = idlewatch_share(more)
    others = sorted(
        ((name, amount) for name, amount in more.items() if not name.startswith("idlewatch.")),
        key=lambda each: abs(each[1]),
        reverse=True,
    )
    parts = [f"idlewatch {own / over:.0%}"] + [f"{name} {amount / over:.0%}" for name, amount in others[:5]]
    return (
        f"- *{profile.variant}* takes {_short(over)} {profile.unit} more than *{floor.variant}*: {', '.join(parts)}. "
        f"Of all that it takes, idlewatch has {idlewatch_share(profile.amounts) / profile.total:.0%}."
    )
