"""What the environment asks of a run: each value is checked before anything runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from tests.simulation import events

MAX_SERVERS = 3
STORES = ("redis", "memory")

T = TypeVar("T")


class OptionError(ValueError):
    """A variable has a value that cannot be used."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name}={value!r}: expected {expected}")


@dataclass(frozen=True)
class Options:
    """What to run; `__main__` describes each variable. None: it is not set, or empty."""

    seed: int | None = None
    schedules: int | None = None
    within: float = float("inf")
    """Seconds."""
    workers: int = 2
    servers: int | None = None
    store: str | None = None
    focus: tuple[str, ...] = ()
    found: str | None = None
    """The seed of a story of `found`, which is to be told."""
    mutants: str | None = None
    """The mutants to look for: the name of one, or `1` for all."""
    mutant: str | None = None
    """The mutant that this process runs with; set by `mutants` for those that it starts."""


@cache
def options() -> Options:
    """Return what the environment of this process asks for."""
    return options_of(os.environ)


def options_of(environment: Mapping[str, str]) -> Options:
    """Read the options.

    Raises:
        OptionError: the first value that cannot be used.
    """
    variables = _Variables(environment)
    return Options(
        seed=variables.integer("SEED", 0),
        schedules=variables.integer("SCHEDULES", 1),
        within=variables.seconds("WITHIN", Options.within),
        workers=variables.integer("WORKERS", 1) or Options.workers,
        servers=variables.integer("SERVERS", 1, MAX_SERVERS),
        store=variables.word("STORE", STORES),
        focus=variables.words("FOCUS", events.FOCUS),
        found=variables.word("FOUND", _found_seeds() if environment.get("FOUND") else ()),
        mutants=variables.word("MUTANTS", ("1", *_mutant_names()) if environment.get("MUTANTS") else ()),
        mutant=variables.word("MUTANT", _mutant_names() if environment.get("MUTANT") else ()),
    )


class _Variables:
    """The variables of an environment, of which an empty one counts as not set."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def integer(self, name: str, least: int, most: int | None = None) -> int | None:
        expected = f"an integer of at least {least}" if most is None else f"an integer from {least} to {most}"
        return self._read(name, int, lambda number: least <= number and (most is None or number <= most), expected)

    def seconds(self, name: str, default: float) -> float:
        seconds = self._read(name, float, lambda number: number >= 0, "a number of seconds, at least 0")
        return default if seconds is None else seconds

    def word(self, name: str, allowed: Collection[str]) -> str | None:
        return self._read(name, str, lambda word: word in allowed, "one of " + ", ".join(allowed))

    def words(self, name: str, allowed: Collection[str]) -> tuple[str, ...]:
        words = tuple(self._environment.get(name, "").split())
        for word in words:
            if word not in allowed:
                raise OptionError(name, word, "names separated by spaces, of " + ", ".join(allowed))
        return words

    def _read(self, name: str, convert: Callable[[str], T], is_allowed: Callable[[T], bool], expected: str) -> T | None:
        text = self._environment.get(name)
        if not text:
            return None
        try:
            value = convert(text)
        except ValueError:
            raise OptionError(name, text, expected) from None
        if not is_allowed(value):
            raise OptionError(name, text, expected)
        return value


def _mutant_names() -> list[str]:
    from tests.simulation.mutants import MUTANTS

    return [mutant.name for mutant in MUTANTS]


def _found_seeds() -> list[str]:
    from tests.simulation.found import FOUND

    return sorted({str(story.seed) for stories in FOUND.values() for story in stories}, key=int)
