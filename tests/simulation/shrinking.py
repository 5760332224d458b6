"""Make the story of a violation smaller: leave out what it does not take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from tests.simulation.stories import Fault, Story


def shrunk(story: Story, shows: Callable[[Story], bool], tries: int = 40) -> Story:
    """Return a smaller story that still shows the violation."""
    for number, smaller in enumerate(_without_parts(story)):
        if number == tries:
            break
        candidate = smaller(story)
        if candidate.size() < story.size() and shows(candidate):
            story = candidate
    return story


def _without_parts(story: Story) -> Iterator[Callable[[Story], Story]]:
    """Yield ways to leave something out: a person, a fault, then steps, ever fewer of them."""
    if len(story.people) > 1:
        for name in story.people:
            yield partial(_without_person, name=name)
    for fault in story.faults:
        yield partial(_without_fault, fault=fault)
    for size in (8, 4, 2, 1):
        for name, (_, steps) in story.people.items():
            for at in range(len(steps) - size, 0, -size):
                yield partial(_without_steps, name=name, at=at, size=size)


def _without_person(story: Story, name: str) -> Story:
    people = {each: who for each, who in story.people.items() if each != name}
    return replace(story, people=people) if people else story


def _without_fault(story: Story, fault: Fault) -> Story:
    return replace(story, faults=tuple(each for each in story.faults if each is not fault))


def _without_steps(story: Story, name: str, at: int, size: int) -> Story:
    """Leave steps out; those that follow come no sooner."""
    if name not in story.people:
        return story
    user, steps = story.people[name]
    waited = sum(step.wait + step.args.get("seconds", 0.0) for step in steps[at : at + size] if step.near is None)
    rest = list(steps[at + size :])
    if rest and rest[0].near is None:
        rest[0] = replace(rest[0], wait=rest[0].wait + waited)
    return replace(story, people={**story.people, name: (user, (*steps[:at], *rest))})
