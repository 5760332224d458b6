"""A store and a tiny reference live through the same random story, and have to agree at every step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from idlewatch.core.activity import Activity, Reason
from idlewatch.core.events import Acted, Event, Requested, SignedIn, TabsCounted
from idlewatch.core.policy import UNWARNED, Phase, Policy, Shown, Verdict, assess
from idlewatch.core.reducer import applied
from idlewatch.exceptions import HoldRefused, TooManyTabs
from idlewatch.store.base import Store
from idlewatch.store.memory import MemoryStore
from idlewatch.store.transitions import CHECK_BATCHES, CHECK_FRACTION, RECHECK_INTERVAL
from idlewatch.store.values import Census, Due, Listing, Sample, Touch, Watched
from tests.support.facts import START, events, policies

LEASE = 20.0
LIMIT = 100
WATCHES = st.sampled_from(["w1", "w2", "w3"])


def checked_after(now: float, policy: Policy) -> float:
    """Return when a session is to be checked that was found in order: together with others."""
    interval = policy.checkpoint * CHECK_FRACTION
    return (now + interval) // (interval / CHECK_BATCHES) * (interval / CHECK_BATCHES)


def credits_only(event: Event) -> bool:
    """Return whether an event may be credited by a step of its own, and so before others that came with it."""
    return isinstance(event, Acted | Requested)


@dataclass
class Reference:
    """What a store should know of one watch: no heap, no versions to compare, everything looked at each time."""

    activity: Activity
    policy: Policy
    shown: Shown = UNWARNED
    untold: int | None = None
    """The version at which something was settled and not confirmed."""
    leases: dict[Due, tuple[float, int]] = field(default_factory=dict)
    """Until when each kind is claimed, and at which version."""
    recorded: bool = False
    doubted: bool = False
    check_at: float = inf
    counted: bool = False
    """Its end is part of a sample."""

    def verdict(self, now: float) -> Verdict:
        return assess(self.activity, self.policy, now)

    def due_at(self, due: Due, now: float) -> float:
        """Return when it can be claimed, if nothing happens; `now` where it can be at once."""
        until, version = self.leases.get(due, (0.0, 0))
        if due is Due.PUSH:
            return self._push_at(now, until, version)
        if due is Due.RECORD:
            return max(now, until) if self.activity.ended is not None and not self.recorded else inf
        return max(self.check_at, until) if self.activity.ended is None else inf

    def _push_at(self, now: float, until: float, version: int) -> float:
        if until > now and (self.untold is None or self.untold <= version):
            return until
        verdict = self.verdict(now)
        if verdict.shown != self.shown:
            return now
        untold_at = inf if self.untold is None else max(now, until)
        return min(untold_at, inf if verdict.next_at is None else verdict.next_at)


class StoreAgainstReference(RuleBasedStateMachine):
    make_store: Callable[[], Store]

    pushes = Bundle("pushes")
    """Batches that a timer claimed; none is empty, nor in the other bundles."""
    settled = Bundle("settled")
    claims = Bundle("claims")
    """Of records and checks, with their kind."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.store = type(self).make_store()
        self.known: dict[str, Reference] = {}
        self.versions: dict[str, int] = {}
        self.now = START
        self.processes: dict[str, float] = {}
        self.samples: list[Sample] = []
        self.told = dict.fromkeys(Due, -inf)
        self.calls = dict.fromkeys(Due, 0)
        for due in Due:
            self.store.queue.on_due_sooner(due, lambda due=due: self.wake(due))

    def teardown(self) -> None:
        self.store.close()
        self.loop.close()

    def wake(self, due: Due) -> None:
        self.calls[due] += 1

    def run(self, coroutine: Any) -> Any:
        return self.loop.run(coroutine)

    # What happens to sessions

    @rule(seconds=st.integers(0, 60))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @precondition(lambda self: self.known)
    @rule()
    def time_passes_until_something_is_due(self) -> None:
        moments = [known.due_at(due, self.now) for known in self.known.values() for due in Due]
        self.now = min((at for at in moments if self.now < at < inf), default=self.now)

    @rule(watch_id=WATCHES, policy=policies(), again=st.booleans())
    def a_user_signs_in(self, watch_id: str, policy: Policy, again: bool) -> None:
        fresh = Watched(id=watch_id, user="7", policy=policy, activity=Activity(logged_in_at=self.now, active=self.now))
        (self.store.sessions.restart if again else self.store.sessions.open)(fresh, self.now)
        known = self.known.get(watch_id)
        if known is None:
            self.known[watch_id] = Reference(fresh.activity, policy, check_at=checked_after(self.now, policy))
        elif again:
            known.activity = applied(SignedIn(), known.activity, known.policy, self.now)
            if known.activity.ended is None:
                known.policy = policy

    @rule(watch_id=WATCHES, event=events(), behind=st.sampled_from([0.0, 0.0, 0.0, 3.0]))
    def something_happens(self, watch_id: str, event: Event, behind: float) -> None:
        now = self.now - behind
        known = self.known.get(watch_id)
        if known is None:
            assert self.store.sessions.apply(watch_id, event, now) is None
            return
        try:
            activity = applied(event, known.activity, known.policy, now)
        except (HoldRefused, TooManyTabs) as refusal:
            with pytest.raises(type(refusal)):
                self.store.sessions.apply(watch_id, event, now)
            return
        self.store.sessions.apply(watch_id, event, now)
        known.activity = activity

    @rule(watch_id=WATCHES, happened=st.lists(events().filter(lambda event: not credits_only(event)), max_size=5))
    def several_things_happen_at_once(self, watch_id: str, happened: list[Event]) -> None:
        known, refused = self.known.get(watch_id), []
        for event in happened if known else []:
            try:
                known.activity = applied(event, known.activity, known.policy, self.now)
            except (HoldRefused, TooManyTabs) as refusal:
                refused.append(type(refusal))

        async def happen() -> list[Watched | BaseException | None]:
            calls = (self.store.sessions.aapply(watch_id, event, self.now) for event in happened)
            return await asyncio.gather(*calls, return_exceptions=True)

        results = self.run(happen())
        assert [type(result) for result in results if isinstance(result, Exception)] == refused

    @precondition(lambda self: self.known)
    @rule(data=st.data(), process=st.sampled_from(["p1", "p2"]), ago=st.sampled_from([0.0, 1.0]), alone=st.booleans())
    def a_tab_reports_activity(self, data: st.DataObject, process: str, ago: float, alone: bool) -> None:
        watch_id = data.draw(st.sampled_from(sorted(self.known)))
        sessions, touch = self.store.sessions, Touch(watch_id, self.now - ago, self.now)
        self.something_happens(watch_id, TabsCounted(process, 1), 0.0)
        is_left = not sessions.collect(touch, process) if alone else self.run(sessions.acredit([touch], process))
        if is_left:
            sessions.apply(watch_id, Acted(ago), self.now)
        known = self.known[watch_id]
        known.activity = applied(Acted(ago), known.activity, known.policy, self.now)

    @rule(watch_id=WATCHES, reason=st.sampled_from([Reason.LOGOUT, Reason.REVOKED]))
    def a_session_is_ended(self, watch_id: str, reason: Reason) -> None:
        self.store.sessions.end(watch_id, reason, self.now)
        if watch_id not in self.known:
            self.known[watch_id] = Reference(Activity(logged_in_at=self.now, active=self.now), Policy(), counted=True)
        known = self.known[watch_id]
        verdict = known.verdict(self.now)
        by_clock = verdict.phase is Phase.ENDED and verdict.reason is not None
        known.activity = (
            known.activity.finished(verdict.reason, verdict.ends_at)
            if by_clock
            else known.activity.finished(reason, self.now)
        )

    @rule(process=st.sampled_from(["p1", "p2"]))
    def a_process_lives(self, process: str) -> None:
        assert self.run(self.store.presence.renew(process, self.now, LEASE)).known is (process in self.processes)
        self.processes[process] = self.now + LEASE

    @rule()
    def dead_processes_are_reaped(self) -> None:
        dead = {process for process, until in self.processes.items() if until <= self.now}
        assert set(self.run(self.store.presence.reap(self.now))) == dead
        for process in dead:
            del self.processes[process]
            for known in self.known.values():
                if process in known.activity.tabs:
                    known.activity = applied(TabsCounted(process, 0), known.activity, known.policy, self.now)

    # What timers do, any number of them, dying at any step

    @rule(target=pushes)
    def a_timer_claims_pushes(self) -> MultipleResults[list[Watched]]:
        claimed = self.claim(Due.PUSH)
        return multiple(claimed) if claimed else multiple()

    @rule(target=claims, due=st.sampled_from([Due.RECORD, Due.CHECK]))
    def a_timer_claims(self, due: Due) -> MultipleResults[tuple[Due, list[Watched]]]:
        claimed = self.claim(due)
        return multiple((due, claimed)) if claimed else multiple()

    def claim(self, due: Due) -> list[Watched]:
        expected = {watch_id for watch_id, known in self.known.items() if known.due_at(due, self.now) <= self.now}
        claimed = self.claim_once(due, expected)
        assert sorted(each.id for each in claimed) == sorted(expected)
        for each in claimed:
            known = self.known[each.id]
            assert each.activity == known.activity
            if due is Due.PUSH:
                assert each.unfinished is (known.untold is not None)
            elif due is Due.CHECK:
                assert each.unfinished is known.doubted
            known.leases[due] = (self.now + LEASE, each.version)
        next_due = self.run(self.store.queue.next_due(due))
        assert next_due is None or next_due > self.now
        self.told[due], self.calls[due] = inf if next_due is None else next_due, 0
        return claimed

    def claim_once(self, due: Due, expected: set[str]) -> list[Watched]:
        """Claim what is due; confirm at once, as timers do, what was due by the clock of its writer alone."""
        claimed = self.run(self.store.queue.claim(due, self.now, LIMIT, LEASE))
        vain = [each for each in claimed if each.id not in expected and each.shown == each.verdict(self.now).shown]
        if due is Due.PUSH and vain:
            self.run(self.store.queue.confirm(due, vain, self.now))
            assert not self.run(self.store.queue.claim(due, self.now, LIMIT, LEASE))
            return [each for each in claimed if each not in vain]
        return list(claimed)

    @rule(target=settled, claimed=pushes)
    def a_timer_settles(self, claimed: list[Watched]) -> MultipleResults[list[Watched]]:
        told: list[Watched] = []
        # Each session had this version at the last step.
        versions = [self.versions[each.id] for each in claimed]
        settled = self.run(self.store.queue.settle(claimed, self.now))
        for each, version, done in zip(claimed, versions, settled, strict=True):
            known, verdict = self.known[each.id], assess(each.activity, each.policy, self.now)
            assert (done is not None) is (version == each.version)
            if done is None:
                self.give_back(known, each.version)
                continue
            if verdict.phase is Phase.ENDED and verdict.reason is not None:
                known.activity = known.activity.finished(verdict.reason, verdict.ends_at)
            elif verdict.phase is Phase.WARNED and known.shown.phase is Phase.ACTIVE:
                known.activity = replace(known.activity, warnings=known.activity.warnings + 1)
            known.shown, known.untold = verdict.shown, done.version
            told.append(done)
        return multiple(told) if told else multiple()

    @rule(told=settled)
    def a_timer_confirms_what_it_told(self, told: list[Watched]) -> None:
        self.run(self.store.queue.confirm(Due.PUSH, told, self.now))
        for each in told:
            known = self.known[each.id]
            self.give_back(known, each.version)
            if known.untold is not None and each.version >= known.untold:
                known.untold = None

    @rule(claim=claims, doubted=st.sets(WATCHES))
    def a_timer_confirms_the_rest(self, claim: tuple[Due, list[Watched]], doubted: set[str]) -> None:
        due, claimed = claim
        self.run(self.store.queue.confirm(due, claimed, self.now, doubted=doubted))
        for each in claimed:
            known, is_doubted = self.known[each.id], each.id in doubted
            interval = each.policy.checkpoint * CHECK_FRACTION
            doubted_until = self.now + min(RECHECK_INTERVAL, interval)
            check_at = doubted_until if is_doubted else checked_after(self.now, each.policy)
            if due is Due.CHECK and check_at < known.check_at:
                continue
            known.leases.pop(due, None)
            if due is Due.RECORD:
                known.recorded = True
            elif known.activity.ended is None:
                known.check_at, known.doubted = check_at, is_doubted

    @rule(every=st.sampled_from([1.0, 15.0]), keep=st.sampled_from([30.0, 300.0]))
    def a_timer_samples(self, every: float, keep: float) -> None:
        if not self.samples or self.now >= self.samples[-1].at + every:
            ended = [known for known in self.known.values() if known.activity.ended is not None and not known.counted]
            for known in ended:
                known.counted = True
            census = self.census()
            self.samples.append(Sample(self.now, census.active, census.warned, len(ended)))
            self.samples = [sample for sample in self.samples if sample.at >= self.now - keep]
        self.run(self.store.statistics.take_sample(self.now, every, keep))
        assert list(self.run(self.store.statistics.samples())) == self.samples

    # What has to be true at every step

    @invariant()
    def the_groups_and_the_facts_agree(self) -> None:
        census, listing, turned, facts = self.run(self.look())
        assert census == self.census()
        ranked = sorted(
            (known.shown.phase is not Phase.WARNED, known.verdict(self.now).ends_at, watch_id)
            for watch_id, known in self.live().items()
        )
        expected = [watch_id for _, _, watch_id in ranked]
        assert (listing.total, [each.id for each in listing.sessions]) == (len(expected), expected)
        assert [each.id for each in turned.sessions] == expected[::-1][1:2]

        for present, (watch_id, known) in zip(facts, self.known.items(), strict=True):
            assert present is not None
            assert (present.activity, present.policy, present.shown) == (known.activity, known.policy, known.shown)
            assert present.version >= self.versions.get(watch_id, 0)
            self.versions[watch_id] = present.version

    @precondition(lambda self: self.known)
    @invariant()
    def those_who_sleep_are_woken_when_something_is_due_sooner_and_only_then(self) -> None:
        for due in Due:
            soonest = min(known.due_at(due, self.now) for known in self.known.values())
            if soonest < self.told[due] and self.told[due] > self.now:
                assert self.calls[due] > 0, f"{due} is due at {soonest}; the timer sleeps until {self.told[due]}"
            if self.calls[due]:
                next_due = self.run(self.store.queue.next_due(due))
                assert next_due is not None
                assert next_due < self.told[due]
                self.told[due], self.calls[due] = next_due, 0

    async def look(self) -> tuple[Census, Listing, Listing, Sequence[Watched | None]]:
        """Read all that is compared, in one round trip."""
        statistics = self.store.statistics
        return await asyncio.gather(
            statistics.census(),
            statistics.list(None, None, 0, LIMIT),
            statistics.list(None, None, 1, 1, reverse=True),
            self.store.sessions.aget_many(list(self.known)),
        )

    def live(self) -> dict[str, Reference]:
        return {watch_id: known for watch_id, known in self.known.items() if known.activity.ended is None}

    def census(self) -> Census:
        live = self.live().values()
        warned = sum(known.shown.phase is Phase.WARNED for known in live)
        return Census(len(live) - warned, warned, sum(bool(known.activity.tabs) for known in live))

    @staticmethod
    def give_back(known: Reference, version: int) -> None:
        _, claimed_at = known.leases.get(Due.PUSH, (0.0, 0))
        if version >= claimed_at:
            known.leases.pop(Due.PUSH, None)


def test_a_store_agrees_with_the_reference(make_store: Callable[[], Store]) -> None:
    machine = type("Machine", (StoreAgainstReference,), {"make_store": staticmethod(make_store)})
    # As many steps in fewer stories, where each story has a store to connect.
    examples, steps = (200, 40) if make_store is MemoryStore else (32, 75)
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )
