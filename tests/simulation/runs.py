"""Runs of many schedules, in several workers, and what is printed of them."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from typing import Any

from tests.simulation import events
from tests.simulation.options import OptionError, Options, options

ENVIRONMENT = {"PYTHONHASHSEED": "0", "DJANGO_SETTINGS_MODULE": "tests.simulation.settings"}
"""The order of sets would differ from run to run."""
DEFAULT_SCHEDULES = 200
CHUNK = 10
"""Schedules that a worker runs before it answers."""
MAX_SHRUNK = 4
"""Stories that are made smaller, at most: it takes a while."""


class Result:
    """What came of some schedules."""

    def __init__(self) -> None:
        self.schedules = 0
        self.counts: Counter[str] = Counter()
        self.violated: list[tuple[int, list[str]]] = []
        self.errors: list[tuple[int, str]] = []

    def add(self, other: Result) -> None:
        """Take in the result of others."""
        self.schedules += other.schedules
        self.counts += other.counts
        self.violated += other.violated
        self.errors += other.errors


def main() -> int:
    """Do what the environment asks for; return the exit status."""
    try:
        asked = options()
    except OptionError as error:
        print(error, file=sys.stderr)
        return 2
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        os.execve(sys.executable, [sys.executable, "-m", "tests.simulation"], {**os.environ, **ENVIRONMENT})
    if asked.mutants is not None:
        from tests.simulation import mutants

        return mutants.main(asked)
    if asked.mutant is not None:
        from tests.simulation import mutants

        change = mutants.install(asked.mutant)
        return mutants.hunt(bench(change), story, asked)
    if asked.found is not None:
        return _tell_found(asked.found)
    if asked.seed is not None and asked.schedules is None:
        return _tell(story(asked.seed))
    return _run_many(asked)


def _run_many(asked: Options) -> int:
    """Run what was found once, then schedules, and print what came of them; return the exit status."""
    first, many = asked.seed or 0, asked.schedules or DEFAULT_SCHEDULES
    began = time.monotonic()
    until = began + asked.within
    result = Result()
    # What a schedule leaves behind is not all freed: a worker ends after some hundreds. An executor of
    # `concurrent.futures` would wait for ever for the next one (python/cpython#115634).
    with get_context("spawn").Pool(asked.workers, maxtasksperchild=40) as workers:
        found = workers.apply_async(_run_found)
        for part in workers.imap(_run, ((start, stop, until) for start, stop in _chunks(first, many))):
            result.add(part)
            for seed, violations in part.violated:
                print(f"seed {seed}:", *violations, sep="\n    ", flush=True)
        rare = rare_events(asked, result)
        result.add(found.get())
        took = time.monotonic() - began
        for text in workers.imap(_shrink, [seed for seed, _ in result.violated[:MAX_SHRUNK]]):
            print(text)
        # Each ends by itself, and its Redis with it.
        workers.close()
        workers.join()
    for seed, error in result.errors:
        print(f"seed {seed} failed: {error}")
    for event in rare:
        print(f"too rare, less than {events.MIN_SHARE:.0%} of the schedules: {event}")
    rate = result.schedules / took * 60
    bad = len(result.violated) + len(result.errors)
    print(f"{result.schedules} schedules, {bad} violations ({rate:.0f} a minute)")
    return 1 if bad or rare else 0


def rare_events(asked: Options, result: Result) -> list[str]:
    """Print how often each event occurred; return those that were too rare, where there is enough to compare."""
    for name, count in result.counts.most_common():
        print(f"{count / result.schedules:6.1%}  {name}")
    # In a focus, without Redis, or with one process, some hardly occur.
    is_narrow = asked.focus or asked.store == "memory" or asked.servers == 1
    is_comparable = result.schedules >= events.MIN_SCHEDULES and not is_narrow
    return events.rare(result.counts, result.schedules) if is_comparable else []


def _chunks(first: int, many: int) -> Iterator[tuple[int, int]]:
    for start in range(first, first + many, CHUNK):
        yield start, min(start + CHUNK, first + many)


_bench: Any = None


def bench(script_change: Any = None) -> Any:
    """Return this process's workbench, with Django set up. `script_change`: what a mutant makes of a script's text."""
    global _bench
    if _bench is None:
        import django

        django.setup()
        if os.environ.get("LOG"):
            import logging

            logging.basicConfig(level=logging.INFO, format="%(message)s")
        from tests.simulation import stories, world
        from tests.simulation.bench import Bench

        _bench = Bench()
        _bench.script_change = script_change
        for store in ("redis", "memory"):
            # What a library makes once, at its first use, draws from the same chance: the next would differ.
            world.run(stories.story_of(0, 1, store), _bench)
    return _bench


def story(seed: int) -> Any:
    """Return the story of a seed, as the environment limits it."""
    from tests.simulation import stories

    asked = options()
    return stories.story_of(seed, asked.servers, asked.store, asked.focus)


def _run(chunk: tuple[int, int, float]) -> Result:
    bench()
    from tests.simulation import world

    start, stop, until = chunk
    result = Result()
    for seed in range(start, stop):
        if time.monotonic() >= until:
            break
        result.schedules += 1
        try:
            outcome = world.run(story(seed), bench())
        except Exception as error:  # noqa: BLE001 - the others are to run
            result.errors.append((seed, repr(error)))
            continue
        result.counts.update(set(outcome.counts))
        if outcome.violations:
            result.violated.append((seed, outcome.violations))
    return result


def _run_found() -> Result:
    bench()
    from tests.simulation import found, world

    result = Result()
    for what, stories in found.FOUND.items():
        for each in stories:
            result.schedules += 1
            violations = world.run(each, bench()).violations
            if violations:
                result.errors.append((each.seed, f"found again, {what}: {violations}"))
    return result


def _shrink(seed: int) -> str:
    bench()
    from tests.simulation import shrinking, world

    first = world.run(story(seed), bench())
    rules = {each.partition(":")[0] for each in first.violations}

    def shows(candidate: Any) -> bool:
        return bool(rules & {each.partition(":")[0] for each in world.run(candidate, bench()).violations})

    small = shrinking.shrunk(story(seed), shows)
    outcome = world.run(small, bench())
    lines = [f"seed {seed}, shrunk:", *small.describe().splitlines(), *outcome.violations, f"for found.py: {small!r}"]
    return "\n    ".join(lines)


def _tell_found(seed: str) -> int:
    from tests.simulation.found import FOUND

    return max(_tell(each) for stories in FOUND.values() for each in stories if str(each.seed) == seed)


def _tell(told: Any) -> int:
    """Print a story and its trace; return the exit status."""
    bench()
    from tests.simulation import world

    print(told.describe())
    outcome = world.run(told, bench(), verbose=True)
    print(*outcome.lines, sep="\n")
    print("trace", outcome.trace)
    for violation in outcome.violations:
        print(violation)
    return 1 if outcome.violations else 0
