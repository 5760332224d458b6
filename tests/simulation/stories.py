"""Stories: the site, what people do and what goes wrong, drawn from a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any

from msgspec import structs

from idlewatch.core.policy import Policy, fitted
from tests.simulation.events import ACTIONS, AFTER, DATABASE_FAULTS, END, FOCUSED_ACTIONS, REDIS_FAULTS, SERVER_FAULTS

ACT_UNTIL = 40.0
"""Seconds in which people act and faults happen."""


@dataclass(frozen=True)
class Step:
    """Something that a person does, `wait` seconds after the step before, or after a moment of the session."""

    action: str
    wait: float
    near: str | None = None
    """`warning` or `end`: then `wait` counts from there, as far as the person knows."""
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong."""

    kind: str
    at: float
    seconds: float
    target: int = 0
    """The number of the server that it strikes, where it strikes one."""
    near: str | None = None
    """`end`, or an action: it strikes near the next end of a session, or after someone does that, from `at` on."""
    offset: float = 0.0
    """Seconds after that moment."""


@dataclass(frozen=True)
class Setup:
    """The site."""

    servers: int
    store: str
    """`redis` or `memory`."""
    engine: str
    atomic: bool
    limits: Policy
    max_sessions: int | None
    skewed: bool
    """Whether the clocks of the machines differ."""
    has_replica: bool = False
    """Whether routers send reads to a replica, which lags for ever."""
    is_long: bool = False
    """Whether no one comes for longer than anything but a record is kept."""


@dataclass(frozen=True)
class Story:
    """One schedule."""

    seed: int
    setup: Setup
    people: Mapping[str, tuple[str, tuple[Step, ...]]]
    """By the name of the browser: its user, and what it does."""
    faults: tuple[Fault, ...]

    def size(self) -> int:
        """Return how many steps and faults it has."""
        return len(self.faults) + sum(len(steps) for _, steps in self.people.values())

    def describe(self) -> str:
        """Return it as text, one line a step."""
        setup = self.setup
        site = {name: value for name, value in asdict(setup).items() if name != "limits"}
        lines = [" ".join(f"{name}={value}" for name, value in {**site, **structs.asdict(setup.limits)}.items())]
        for each in self.faults:
            moment = f", {each.offset:+.2f} s from the next {each.near}," if each.near else ""
            lines.append(f"fault {each.kind} of {each.target} at {each.at:.2f}{moment} for {each.seconds:.2f} s")
        for name, (user, steps) in self.people.items():
            for step in steps:
                after = f"{step.wait:+.2f} s from the {step.near}" if step.near else f"after {step.wait:.2f} s"
                lines.append(f"{name} ({user}) {after}: {step.action} {dict(step.args) or ''}")
        return "\n".join(lines)


def story_of(seed: int, servers: int | None = None, store: str | None = None, focus: Sequence[str] = ()) -> Story:
    """Draw a story from a seed. `focus`: the actions and faults that it is mostly about."""
    rng = Random(f"story {seed}")
    chosen = store or ("redis" if rng.random() < 0.8 else "memory")
    count = servers or (rng.choice([1, 2, 2, 3, 3]) if chosen == "redis" else rng.choice([1, 1, 2]))
    setup = Setup(
        servers=count,
        store=chosen,
        engine=rng.choice(["db", "db", "cache"]),
        atomic=rng.random() < 0.25,
        limits=_limits(rng),
        max_sessions=rng.choice([None, None, None, 1, 2]),
        skewed=rng.random() < 0.15,
        has_replica=rng.random() < 0.1,
        is_long=chosen == "redis" and rng.random() < 0.03,
    )
    actions = _focused({**_leaning(rng, ACTIONS), **FOCUSED_ACTIONS}, focus)
    people = {}
    for number in range(rng.choice([1, 2, 2, 3])):
        user = rng.choice(["ada", "bob"])
        people[f"b{number}"] = (user, _steps(rng, actions, at_end=END in focus))
    faults = _faults(rng, setup, focus)
    return Story(seed, setup, people, tuple(_focused_fault(rng, each, focus, faults[0].at) for each in faults))


def _leaning(rng: Random, weights: Mapping[str, float]) -> Mapping[str, float]:
    """Return weights of which some are left out, and some prevail: so what rarely meets does meet."""
    leaning = {name: weight * rng.choice([0, 1, 1, 4]) for name, weight in weights.items()}
    return leaning if any(leaning.values()) else weights


def _focused(weights: Mapping[str, float], focus: Sequence[str]) -> Mapping[str, float]:
    """Return weights of which those in the focus are three quarters, where there are any."""
    chosen = [name for name in focus if name in weights]
    return {**weights, **{name: 3 * sum(weights.values()) / len(chosen) for name in chosen}}


def _limits(rng: Random) -> Policy:
    idle = rng.choice([10.0, 12.0, 15.0])
    return fitted(
        Policy(
            idle_timeout=idle,
            warn_before=rng.choice([2.0, 4.0]),
            absolute_timeout=rng.choice([None, 300.0, 300.0, 25.0]),
            close_grace=rng.choice([None, 3.0, 3.0, 6.0]),
            hold_limit=rng.choice([0.0, 8.0, 20.0]),
            heartbeat=rng.choice([1.0, 2.0]),
            activity_extends_warning=rng.random() < 0.2,
            checkpoint=rng.choice([1.0, 5.0, 60.0]),
        )
    )


def _steps(rng: Random, actions: Mapping[str, float], *, at_end: bool) -> tuple[Step, ...]:
    steps, at = [Step("sign_in", rng.uniform(0.0, 2.0), args=_args(rng, "sign_in"))], 2.0
    while at < ACT_UNTIL:
        action = rng.choices(list(actions), list(actions.values()))[0]
        if at_end and rng.random() < 0.6:
            steps.append(Step(action, rng.uniform(-1.5, 0.2), "end", _args(rng, action)))
            at += 8.0
        elif rng.random() < 0.25:
            # Around the moment at which the session is warned, or ended.
            near = rng.choice(["warning", "end", "end"])
            steps.append(
                Step(action, rng.choice([rng.gauss(0, 0.02), rng.uniform(-1.5, 0.5)]), near, _args(rng, action))
            )
            at += 8.0
        else:
            wait = rng.choice([rng.expovariate(0.4), rng.uniform(0.0, 0.05), rng.uniform(2.0, 7.0)])
            steps.append(Step(action, wait, None, _args(rng, action)))
            at += wait
        at += steps[-1].args.get("seconds", 0.0)
    return tuple(steps)


def _args(rng: Random, action: str) -> dict[str, Any]:
    if action == "type":
        return {"seconds": rng.choice([0.0, 0.0, rng.uniform(1.0, 8.0)])}
    if action == "sleep":
        return {"seconds": rng.choice([rng.uniform(0.2, 3.0), rng.uniform(3.0, 20.0)])}
    if action in {"work", "sign_out", "sign_in", "change_password"} and rng.random() < 0.3:
        return {"pause": rng.uniform(0.5, 6.0)}
    return {}


def _faults(rng: Random, setup: Setup, focus: Sequence[str]) -> tuple[Fault, ...]:
    kinds: Mapping[str, float] = {**SERVER_FAULTS, **DATABASE_FAULTS}
    if setup.store == "redis":
        kinds = {**kinds, **REDIS_FAULTS}
    else:
        # There is no clock but its own.
        kinds = {name: weight for name, weight in kinds.items() if name != "suspended"}
    kinds = _focused(_leaning(rng, kinds), focus)
    faults = []
    chosen = [name for name in focus if name in kinds]
    for number in range(max(rng.choice([0, 1, 1, 2, 2, 3]), len(chosen))):
        kind = chosen[number] if number < len(chosen) else rng.choices(list(kinds), list(kinds.values()))[0]
        at = rng.uniform(3.0, ACT_UNTIL - 8.0)
        seconds = rng.choice([rng.uniform(0.2, 2.0), rng.uniform(2.0, 8.0), rng.uniform(8.0, 15.0)])
        faults.append(Fault(kind, at, min(seconds, ACT_UNTIL - at), rng.randrange(setup.servers)))
    return tuple(sorted(faults, key=lambda fault: fault.at))


def _focused_fault(rng: Random, fault: Fault, focus: Sequence[str], first_at: float) -> Fault:
    """Return a fault at the moment that the focus asks for: near an end, all faults come together."""
    actions = [name for name in focus if name in ACTIONS]
    if AFTER in focus and actions:
        return replace(fault, near=rng.choice(actions), offset=rng.uniform(0.0, 0.4))
    if END in focus:
        return replace(fault, at=first_at, near="end", offset=rng.uniform(-2.5, 0.5))
    return fault
