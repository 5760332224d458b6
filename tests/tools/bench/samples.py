"""What a run measured: the repeats of each figure, their median and their spread."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple


class Key(NamedTuple):
    """What was measured, on what, and at which size."""

    figure: str
    variant: str
    size: int
    """Tabs, or sessions."""


class Summary(NamedTuple):
    """The median of some repeats, and their spread."""

    median: float
    low: float
    high: float
    repeats: int


def summary(values: Sequence[float]) -> Summary:
    """Summarize the repeats of one figure."""
    return Summary(statistics.median(values), min(values), max(values), len(values))


class Samples:
    """The repeats of each figure, in the order in which they were measured."""

    def __init__(self) -> None:
        self._values: dict[Key, list[float]] = {}

    def add(self, figure: str, variant: str, size: int, value: float) -> None:
        self._values.setdefault(Key(figure, variant, size), []).append(value)

    def __iter__(self) -> Iterator[tuple[Key, Sequence[float]]]:
        return iter(self._values.items())

    def sizes(self, figure: str, variant: str) -> list[int]:
        """Return the sizes at which a variant's figure was measured, the smallest first."""
        return sorted(key.size for key in self._values if key[:2] == (figure, variant))

    def summary(self, figure: str, variant: str, size: int, *, over: str | None = None) -> Summary | None:
        """Summarize a variant's figure, or its ratio to that of another variant; return None if it was not measured.

        A ratio is taken within each repeat, in which the variants took turns: what slows the machine slows both.
        """
        values = self._values.get(Key(figure, variant, size), [])
        if over is not None:
            bases = self._values.get(Key(figure, over, size), [])
            values = [value / base for value, base in zip(values, bases, strict=False) if base]
        return summary(values) if values else None

    def figures(self) -> Mapping[str, list[Key]]:
        """Return the keys of each figure."""
        grouped: dict[str, list[Key]] = {}
        for key in self._values:
            grouped.setdefault(key.figure, []).append(key)
        return grouped
