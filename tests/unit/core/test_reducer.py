from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from idlewatch.core.activity import HOLD_TTL, Activity, Reason
from idlewatch.core.events import (
    CREDITING,
    Acted,
    Event,
    Extended,
    Held,
    PageMissed,
    PageShown,
    Polled,
    Released,
    Reported,
    Requested,
    SignedIn,
    TabClosed,
    TabOpened,
    TabsCounted,
)
from idlewatch.core.policy import UNWARNED, Phase, Policy, assess
from idlewatch.core.reducer import MAX_HOLDS, POLL_TTL, applied
from idlewatch.exceptions import HoldRefused, TooManyTabs
from tests.support.facts import POLICY, START, after, histories, policies, signed_in, timed

OPEN = TabOpened("p1", 50)
CLOSE = TabClosed("p1", closed=True)
LOSE = TabClosed("p1", closed=False)
EVERY_EVENT: list[Event] = [
    Acted(),
    Requested(),
    Extended(),
    SignedIn(),
    Held("upload"),
    Released("upload"),
    OPEN,
    CLOSE,
    TabsCounted("p1", 1),
    PageShown(has_client=False),
    PageMissed(),
    Polled(),
]


class TestActivity:
    @pytest.mark.rule("R4")
    @pytest.mark.parametrize(("ago", "active"), [(30.0, 70.0), (-5.0, 100.0), (-86400.0, 100.0), (-1e300, 100.0)])
    def test_is_credited_to_when_the_user_acted_and_never_to_the_future(self, ago: float, active: float) -> None:
        assert after(signed_in(), POLICY, (100.0, Acted(ago))).active == active

    @pytest.mark.rule("R4")
    def test_that_is_reported_late_never_moves_the_clock_back(self) -> None:
        facts = after(signed_in(), POLICY, (100.0, Requested()))
        assert applied(Acted(ago=86400.0), facts, POLICY, 110.0) is facts

    @pytest.mark.rule("R3")
    def test_leaves_the_absolute_limit_to_signing_in_again_which_restarts_every_clock(self) -> None:
        facts = after(signed_in(), POLICY, (100.0, Acted()), (200.0, Extended()), (300.0, Requested()))
        assert facts.logged_in_at == 0.0
        again = after(facts, POLICY, (310.0, OPEN), (320.0, CLOSE), (400.0, SignedIn()))
        assert (again.logged_in_at, again.active, again.closed_at) == (400.0, 400.0, None)

    def test_during_the_warning_is_ignored_unless_the_policy_allows_it(self) -> None:
        facts = signed_in()
        assert applied(Acted(), facts, POLICY, 780.0) is facts
        assert applied(Acted(ago=20.0), facts, POLICY, 800.0) is facts
        assert after(facts, replace(POLICY, activity_extends_warning=True), (800.0, Acted())).active == 800.0

    def test_from_before_the_warning_counts_when_it_is_reported_during_it(self) -> None:
        facts = after(signed_in(), POLICY, (800.0, Acted(ago=21.0)))
        assert facts.active == 779.0
        assert assess(facts, POLICY, 800.0).shown == UNWARNED

    def test_counts_while_the_absolute_limit_alone_is_near(self) -> None:
        facts = Activity(logged_in_at=0.0, active=43000.0)
        assert assess(facts, POLICY, 43100.0).reason is Reason.ABSOLUTE
        assert after(facts, POLICY, (43100.0, Acted())).active == 43100.0

    @pytest.mark.parametrize("event", [Requested(), Extended(), Held("upload")])
    def test_an_answer_to_the_warning_takes_it_back(self, event: Event) -> None:
        assert assess(after(signed_in(), POLICY, (800.0, event)), POLICY, 800.0).shown == UNWARNED

    @pytest.mark.rule("R5")
    @pytest.mark.parametrize("event", [OPEN, LOSE, TabsCounted("p1", 1), PageShown(has_client=True), Polled()])
    def test_what_no_user_did_does_not_count(self, event: Event) -> None:
        facts = after(signed_in(tabs={"p1": 1}), POLICY, *((float(at), event) for at in range(0, 890, 10)))
        assert assess(facts, POLICY, 900.0).reason is Reason.IDLE


class TestHolds:
    def test_keep_the_idle_clock_still_until_they_lapse(self) -> None:
        facts = after(signed_in(), POLICY, (100.0, Held("upload", "3 files")))
        assert facts.holds["upload"].label == "3 files"
        assert assess(facts, POLICY, 159.0).held
        assert assess(facts, POLICY, 160.0).ends_at == 160.0 + 900.0

    def test_released_let_the_idle_clock_run_from_then_unless_they_had_lapsed(self) -> None:
        facts = after(signed_in(), POLICY, (100.0, Held("upload")), (130.0, Released("upload")))
        assert assess(facts, POLICY, 130.0).ends_at == 130.0 + 900.0
        assert facts.held_seconds(500.0, POLICY.hold_limit) == 30.0
        assert after(signed_in(), POLICY, (100.0, Held("a")), (300.0, Released("a"))).held_until == 160.0

    def test_releasing_one_leaves_the_others(self) -> None:
        facts = after(signed_in(), POLICY, (100.0, Held("a")), (110.0, Held("b")), (120.0, Released("b")))
        assert list(facts.holds) == ["a"]
        assert facts.held_until == 160.0
        assert applied(Released("unknown"), facts, POLICY, 130.0) is facts

    def test_are_bounded_all_ids_together_or_not_allowed_at_all(self) -> None:
        with pytest.raises(HoldRefused, match="HOLD_LIMIT is 0"):
            applied(Held("upload"), signed_in(), replace(POLICY, hold_limit=0.0), 10.0)
        policy = replace(POLICY, hold_limit=100.0)
        facts = after(signed_in(), policy, *((float(at), Held(f"video-{at}")) for at in range(0, 100, 20)))
        with pytest.raises(HoldRefused, match="100 s"):
            applied(Held("another"), facts, policy, 100.0)
        assert assess(facts, policy, 100.0).ends_at == 100.0 + 900.0

    @pytest.mark.parametrize("event", [Acted(), Requested(), Extended()])
    def test_are_bounded_again_from_activity_of_the_user(self, event: Event) -> None:
        policy = replace(POLICY, hold_limit=100.0)
        facts = after(signed_in(), policy, (0.0, Held("video")), (50.0, Held("video")), (70.0, event))
        facts = after(facts, policy, (105.0, Held("video")))
        assert facts.hold_end(policy.hold_limit) == 165.0
        assert facts.held_seconds(105.0, policy.hold_limit) == 105.0

    @pytest.mark.parametrize("event", [Released("video"), OPEN, Polled(), PageShown(has_client=False)])
    def test_are_bounded_from_the_same_time_after_anything_else(self, event: Event) -> None:
        policy = replace(POLICY, hold_limit=100.0)
        facts = after(signed_in(), policy, (0.0, Held("video")), (50.0, event))
        with pytest.raises(HoldRefused):
            applied(Held("video"), facts, policy, 100.0)

    def test_activity_reported_late_counts_no_second_as_held_that_was_not(self) -> None:
        facts = after(signed_in(), POLICY, (100.0, Held("a")), (300.0, Held("a")), (310.0, Acted(ago=60.0)))
        assert facts.active == 250.0
        assert facts.held_seconds(310.0, POLICY.hold_limit) == 60.0 + 10.0

    def test_activity_reported_late_keeps_a_hold_of_no_length(self) -> None:
        facts = after(signed_in(), POLICY, (300.0, Held("a")), (300.0, Released("a")), (300.0, Acted(ago=50.0)))
        assert facts.idle_from(300.0, POLICY.hold_limit) == 300.0

    def test_are_refused_above_the_maximum(self) -> None:
        facts = after(signed_in(), POLICY, *((1.0, Held(str(index))) for index in range(MAX_HOLDS)))
        assert len(facts.holds) == MAX_HOLDS
        with pytest.raises(HoldRefused, match=str(MAX_HOLDS)):
            applied(Held("one more"), facts, POLICY, 1.0)
        assert applied(Held("0"), facts, POLICY, 2.0).holds["0"].until == 2.0 + HOLD_TTL
        assert list(applied(Held("one more"), facts, POLICY, 100.0).holds) == ["one more"]

    def test_that_have_lapsed_are_dropped_on_their_very_second(self) -> None:
        held = after(signed_in(), POLICY, (0.0, Held("a")), (30.0, Held("b")))
        assert list(after(held, POLICY, (HOLD_TTL, Held("c"))).holds) == ["b", "c"]
        assert list(after(held, POLICY, (HOLD_TTL, Released("b"))).holds) == []

    @pytest.mark.parametrize("event", [Acted(), Requested(), Extended()])
    def test_that_are_over_do_not_limit_what_is_held_after_later_activity(self, event: Event) -> None:
        lapsed = after(signed_in(), POLICY, (0.0, Held("a")), (HOLD_TTL + 40.0, event))
        assert (lapsed.held_since, lapsed.held_from) == (None, None)
        assert after(lapsed, POLICY, (500.0, Held("a"))).held_since == 500.0


class TestPageWithTheClient:
    SHOWN = (10.0, PageShown(has_client=True))

    def test_is_awaited_from_the_first_of_those_that_do_not_connect(self) -> None:
        assert after(signed_in(), POLICY, self.SHOWN, (20.0, PageShown(has_client=True))).awaited_since == 10.0

    @pytest.mark.parametrize("event", [OPEN, TabsCounted("p1", 1), Polled(), PageMissed(), PageShown(has_client=False)])
    def test_is_awaited_no_longer_once_it_connects_is_missed_or_another_page_takes_its_place(
        self, event: Event
    ) -> None:
        assert after(signed_in(), POLICY, self.SHOWN, (11.0, event)).awaited_since is None

    @pytest.mark.parametrize("event", [Acted(), Requested(), LOSE, TabsCounted("p2", 0)])
    def test_is_awaited_whatever_else_happens(self, event: Event) -> None:
        assert after(signed_in(), POLICY, self.SHOWN, (11.0, event)).awaited_since == 10.0

    @pytest.mark.parametrize("event", [OPEN, Polled()])
    def test_is_not_awaited_beside_a_page_that_has_connected(self, event: Event) -> None:
        facts = after(signed_in(), POLICY, (1.0, event))
        assert applied(PageShown(has_client=True), facts, POLICY, 2.0) == facts


class TestClosingTheBrowser:
    @pytest.mark.rule("R39")
    def test_a_clean_close_of_the_last_tab_starts_the_grace(self) -> None:
        facts = after(signed_in(), POLICY, (1.0, OPEN), (100.0, CLOSE))
        assert assess(facts, POLICY, 399.0).phase is Phase.ACTIVE
        assert assess(facts, POLICY, 400.0).reason is Reason.CLOSED

    @pytest.mark.parametrize(
        "happened",
        [
            pytest.param([(1.0, OPEN), (2.0, OPEN), (3.0, CLOSE)], id="another tab is open"),
            pytest.param([(1.0, OPEN), (2.0, TabOpened("p2", 50)), (3.0, CLOSE)], id="another process has a tab"),
            pytest.param([(1.0, OPEN), (2.0, LOSE)], id="the network was lost, or the page went elsewhere"),
            pytest.param([(1.0, OPEN), (2.0, TabsCounted("p1", 0))], id="the process died"),
            pytest.param([(1.0, OPEN), (2.0, PageShown(has_client=False)), (3.0, CLOSE)], id="no client"),
            pytest.param([(1.0, CLOSE)], id="there was no tab"),
        ],
    )
    def test_nothing_else_starts_it(self, happened: list[tuple[float, Event]]) -> None:
        assert after(signed_in(), POLICY, *happened).closed_at is None

    def test_a_page_with_the_client_lets_it_start_again(self) -> None:
        shown = [(1.0, PageShown(has_client=False)), (2.0, PageShown(has_client=True))]
        assert after(signed_in(), POLICY, *shown, (3.0, OPEN), (4.0, CLOSE)).closed_at == 4.0

    @pytest.mark.rule("R40")
    @pytest.mark.parametrize(
        "event",
        [OPEN, TabsCounted("p2", 1), Requested(), Polled(), Acted(ago=298.0), Extended(), Held("upload"), SignedIn()],
        ids=repr,
    )
    def test_a_user_who_comes_back_stops_it(self, event: Event) -> None:
        facts = after(signed_in(), POLICY, (1.0, OPEN), (100.0, CLOSE), (399.0, event))
        assert assess(facts, POLICY, 400.0).phase is Phase.ACTIVE

    @pytest.mark.rule("R40")
    @pytest.mark.parametrize(
        ("now", "event"),
        [
            (101.0, Acted(ago=1.0)),
            (99.0, Acted()),
            (99.0, Requested()),
            pytest.param(399.0, Requested(duration=300.0), id="a download that the user did not wait for"),
            (99.0, Extended()),
            (99.0, Held("upload")),
            (99.0, SignedIn()),
            (399.0, Released("upload")),
            (399.0, TabsCounted("p2", 0)),
        ],
        ids=repr,
    )
    def test_what_was_received_before_and_is_written_later_does_not(self, now: float, event: Event) -> None:
        facts = after(signed_in(), POLICY, (1.0, OPEN), (100.0, CLOSE), (now, event))
        assert assess(facts, POLICY, 400.0).reason is Reason.CLOSED

    @pytest.mark.rule("R40")
    def test_activity_in_the_warning_stops_it_and_extends_nothing(self) -> None:
        facts = after(signed_in(), POLICY, (1.0, OPEN), (790.0, CLOSE), (800.0, Acted()))
        assert (facts.closed_at, assess(facts, POLICY, 900.0).reason) == (None, Reason.IDLE)

    @pytest.mark.parametrize("event", [Acted(), Requested(), Extended(), Held("upload"), Polled()], ids=repr)
    def test_a_close_that_is_written_after_what_the_user_did_next_starts_nothing(self, event: Event) -> None:
        facts = after(signed_in(), POLICY, (1.0, OPEN), (101.0, event), (100.0, CLOSE))
        assert (facts.tabs, facts.closed_at) == ({}, None)

    @pytest.mark.rule("R39")
    @pytest.mark.parametrize("event", [OPEN, Requested(), Polled(), Extended()])
    def test_a_user_who_comes_back_too_late_finds_it_ended(self, event: Event) -> None:
        facts = after(signed_in(), POLICY, (1.0, OPEN), (100.0, CLOSE), (400.0, event))
        assert assess(facts, POLICY, 400.0).reason is Reason.CLOSED


class TestTabs:
    @pytest.mark.parametrize(
        ("event", "tabs"),
        [
            (CLOSE, {"p1": 1, "p2": 1}),
            (TabOpened("p2", 50), {"p1": 2, "p2": 2}),
            pytest.param(TabsCounted("p1", 0), {"p2": 1}, id="of a dead process are taken back"),
            pytest.param(TabsCounted("p1", 3), {"p1": 3, "p2": 1}, id="of one that came back are what it reports"),
        ],
    )
    def test_are_counted_by_process(self, event: Event, tabs: dict[str, int]) -> None:
        facts = after(signed_in(), POLICY, (1.0, OPEN), (2.0, OPEN), (3.0, TabOpened("p2", 50)))
        assert after(facts, POLICY, (4.0, event)).tabs == tabs

    def test_are_refused_over_the_limit_on_all_processes_together(self) -> None:
        facts = after(signed_in(), POLICY, (1.0, TabOpened("p1", 2)), (1.0, TabOpened("p2", 2)))
        with pytest.raises(TooManyTabs, match="2 tabs"):
            applied(TabOpened("p3", 2), facts, POLICY, 1.0)


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(TypeError, match="expected one of"):
        applied("acted", signed_in(), POLICY, 1.0)  # type: ignore[arg-type]


@pytest.mark.rule("R4")
@pytest.mark.parametrize("event", EVERY_EVENT, ids=repr)
def test_nothing_revives_a_session_that_ended(event: Event) -> None:
    ended = signed_in(ended=10.0, reason=Reason.REVOKED, tabs={"p1": 1})
    assert applied(event, ended, POLICY, 11.0) is ended


@pytest.mark.rule("R6")
@pytest.mark.parametrize("event", EVERY_EVENT, ids=repr)
def test_the_first_event_after_the_deadline_makes_the_end_final(event: Event) -> None:
    ended = applied(event, signed_in(tabs={"p1": 1}), POLICY, 900.0)
    assert (ended.ended, ended.reason) == (900.0, Reason.IDLE)
    # A process whose clock is behind.
    assert applied(Extended(), ended, POLICY, 899.0) is ended


@given(policies(), histories(), st.randoms(use_true_random=False))
def test_no_browser_is_taken_for_closed_in_which_the_user_does_something_in_whatever_order_it_is_written(
    policy: Policy, history: list[tuple[float, Event]], random: Random
) -> None:
    facts = signed_in(START)
    for now, event in timed(history):
        facts = after(facts, policy, (now - random.choice([0.0, 0.0, 3.0]), event))
        if facts.closed_at is not None:
            assert not facts.tabs
            assert max(facts.active, facts.held_until - HOLD_TTL) <= facts.closed_at
            assert facts.polled_at is None or facts.polled_at + POLL_TTL <= facts.closed_at


@given(policies(), histories())
def test_no_event_moves_the_idle_clock_back(policy: Policy, history: list[tuple[float, Event]]) -> None:
    facts = signed_in(START)
    for now, event in timed(history):
        changed = after(facts, policy, (now, event))
        assert changed.active >= facts.active
        assert changed.active <= now
        assert changed.idle_from(now, policy.hold_limit) >= facts.idle_from(now, policy.hold_limit)
        assert changed.held_seconds(now, policy.hold_limit) >= facts.held_seconds(now, policy.hold_limit)
        facts = changed


@given(policies(), histories())
def test_activity_never_brings_a_change_of_what_is_shown_forward(
    policy: Policy, history: list[tuple[float, Event]]
) -> None:
    facts = signed_in(START)
    for now, event in timed(history):
        changed = after(facts, policy, (now, event))
        before, verdict = assess(facts, policy, now), assess(changed, policy, now)
        if isinstance(event, CREDITING) and before.phase is Phase.ACTIVE:
            assert before.next_at is not None
            assert verdict.next_at is not None
            assert verdict.next_at >= before.next_at
        facts = changed


class BySecond:
    """The rules of a session played out second by second, without a single deadline computed ahead."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.now = START
        self.logged_in_at = self.idle_since = self.acted_at = START
        self.holds: dict[str, float] = {}
        self.held_since: float | None = None
        self.held_in_a_row = 0
        self.tabs: dict[str, int] = {}
        self.has_client = True
        self.closed_since: float | None = None
        self.end: tuple[float, Reason] | None = None
        self.look()

    @property
    def held(self) -> bool:
        lives = any(until > self.now for until in self.holds.values())
        return lives and self.held_since is not None and self.now < self.held_since + self.policy.hold_limit

    def look(self) -> None:
        if self.end is not None:
            return
        absolute, grace = self.policy.absolute_timeout, self.policy.close_grace
        if absolute is not None and self.now - self.logged_in_at >= absolute:
            self.end = (self.now, Reason.ABSOLUTE)
        elif self.closed_since is not None and grace is not None and self.now - self.closed_since >= grace:
            self.end = (self.now, Reason.CLOSED)
        elif self.now - self.idle_since >= self.policy.idle_timeout:
            self.end = (self.now, Reason.IDLE)

    def pass_until(self, moment: float) -> None:
        while self.now < moment and self.end is None:
            held = self.held
            self.now += 1
            if held:
                self.idle_since = self.now
                self.held_in_a_row += 1
            self.look()
        self.now = moment

    def credit(self, moment: float) -> None:
        self.idle_since = max(self.idle_since, moment)
        self.acted_at = max(self.acted_at, moment)
        if self.held_since is not None and moment > self.held_since:
            lapse = max((until for until in self.holds.values()), default=0.0)
            self.held_since = moment if lapse > moment else None
            if self.held_since is not None:
                # What held when the user acted has kept the clock still since, also past the bound as it stood.
                self.idle_since = max(self.idle_since, min(self.now, lapse, moment + self.policy.hold_limit))
            # Seconds before the activity belong to the earlier holds.
            self.held_in_a_row = 0

    def come_back(self, moment: float) -> None:
        if self.closed_since is not None and moment > self.closed_since:
            self.closed_since = None

    def take(self, event: Event) -> None:  # noqa: C901 - the whole of the rules, one line each
        if self.end is not None:
            return
        match event:
            case Acted(ago=ago):
                moment = self.now - ago
                self.come_back(moment)
                warned = moment >= self.idle_since + self.policy.idle_timeout - self.policy.warn_before
                ignored = warned and not self.held and not self.policy.activity_extends_warning
                if not ignored and moment > self.acted_at:
                    self.credit(moment)
            case Requested() | Extended() | SignedIn():
                self.credit(self.now)
                self.come_back(self.now - (event.duration if isinstance(event, Requested) else 0.0))
                self.logged_in_at = self.now if isinstance(event, SignedIn) else self.logged_in_at
            case Held(id=hold):
                start = self.now if self.held_since is None else self.held_since
                if self.now < start + self.policy.hold_limit:
                    self.held_since = start
                    self.holds[hold] = self.now + HOLD_TTL
                    self.idle_since = self.now
                    self.come_back(self.now)
            case Released(id=hold):
                if hold in self.holds:
                    self.holds[hold] = min(self.holds[hold], self.now)
            case TabOpened(process=process, limit=limit):
                if sum(self.tabs.values()) < limit:
                    self.tabs[process] = self.tabs.get(process, 0) + 1
                    self.closed_since = None
            case TabClosed(process=process, closed=closed):
                if self.tabs.get(process):
                    self.tabs[process] -= 1
                    if closed and self.has_client and not any(self.tabs.values()):
                        self.closed_since = self.now
            case TabsCounted(process=process, count=count):
                self.tabs[process] = count
                self.closed_since = None if count else self.closed_since
            case PageShown(has_client=has_client):
                self.has_client = has_client
            case Polled():
                self.closed_since = None
        self.look()


@pytest.mark.rule("R1")
@pytest.mark.rule("R2")
@given(policies(), histories())
def test_a_session_ends_never_early_and_never_late(policy: Policy, history: list[tuple[float, Event]]) -> None:
    facts, played = signed_in(START), BySecond(policy)
    for now, event in timed(history):
        played.pass_until(now)
        played.take(event)
        facts = after(facts, policy, (now, event))
        verdict = assess(facts, policy, now)
        assert (verdict.phase is Phase.ENDED) is (played.end is not None)
        assert verdict.held is (played.held and played.end is None)
        assert played.held_in_a_row <= policy.hold_limit
    played.pass_until(played.now + 1500)
    verdict = assess(facts, policy, played.now)
    assert played.end == (verdict.ends_at, verdict.reason)


class TestReported:
    """What was admitted elsewhere is not judged again; POLICY has an idle limit of 900 and a hold limit of 7200."""

    @pytest.mark.parametrize(
        ("now", "reported", "expected"),
        [
            pytest.param(1000.0, Reported(890.0), (0.0, 890.0), id="though the limit has passed without it"),
            pytest.param(1000.0, Reported(50.0), (0.0, 50.0), id="though it is too old"),
            pytest.param(100.0, Reported(500.0), (0.0, 100.0), id="never in the future"),
            pytest.param(43500.0, Reported(43000.0, 43000.0), (43000.0, 43000.0), id="with the clocks restarted"),
            pytest.param(43200.0, Reported(43100.0), (0.0, 43100.0), id="past the absolute limit"),
        ],
    )
    def test_counts_and_makes_no_end_final(self, now: float, reported: Reported, expected: tuple[float, float]) -> None:
        facts = after(signed_in(), POLICY, (now, reported))
        assert (facts.logged_in_at, facts.active, facts.ended) == (*expected, None)

    def test_is_judged_with_what_comes_after_it(self) -> None:
        facts = after(signed_in(), POLICY, (1000.0, Reported(50.0)))
        # Another process reports later activity.
        assert after(facts, POLICY, (1001.0, Reported(900.0)), (1001.0, Requested())).ended is None
        judged = after(facts, POLICY, (1001.0, Requested()))
        assert (judged.ended, judged.reason) == (950.0, Reason.IDLE)

    @pytest.mark.rule("R9")
    @pytest.mark.parametrize(
        ("facts", "reported"),
        [
            pytest.param(signed_in(ended=10.0), Reported(20.0, 15.0, 30.0, 12.0), id="of a session that ended"),
            pytest.param(signed_in(100.0), Reported(99.0), id="of activity before the last"),
            pytest.param(signed_in(), Reported(0.0, held_until=120.0), id="of a hold without a beginning"),
            pytest.param(
                after(signed_in(), POLICY, (100.0, Held("upload"))),
                Reported(0.0, held_until=120.0, held_since=90.0),
                id="of a hold that goes on",
            ),
        ],
    )
    def test_changes_nothing(self, facts: Activity, reported: Reported) -> None:
        assert applied(reported, facts, POLICY, 130.0) is facts

    def test_a_user_who_acted_after_the_last_tab_was_closed_has_come_back(self) -> None:
        closed = after(signed_in(), POLICY, (10.0, OPEN), (20.0, CLOSE))
        assert after(closed, POLICY, (400.0, Reported(30.0))).closed_at is None
        assert assess(after(closed, POLICY, (400.0, Reported(15.0))), POLICY, 400.0).reason is Reason.CLOSED

    def test_a_page_that_was_open_while_the_store_was_away_shows_that_the_browser_is(self) -> None:
        closed = after(signed_in(), POLICY, (10.0, OPEN), (20.0, CLOSE))
        assert after(closed, POLICY, (400.0, Reported(0.0, is_open=True))) == replace(closed, closed_at=None)

    @pytest.mark.parametrize(
        ("now", "held_until", "hold_limit", "held"),
        [
            pytest.param(1500.0, 1400.0, 7200.0, 1300.0, id="as far as they came"),
            pytest.param(500.0, 9000.0, 7200.0, 400.0, id="never past now"),
            pytest.param(1500.0, 1450.0, 600.0, 600.0, id="within their limit"),
        ],
    )
    def test_holds_have_kept_the_clock_still(
        self, now: float, held_until: float, hold_limit: float, held: float
    ) -> None:
        policy = replace(POLICY, hold_limit=hold_limit)
        facts = after(signed_in(), policy, (now, Reported(0.0, held_until=held_until, held_since=100.0)))
        assert facts.held_seconds(now, hold_limit) == held
        assert assess(facts, policy, now).ends_at == 100.0 + held + 900.0
