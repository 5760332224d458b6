"""Facts, limits and events for the tests of the core, by hand and drawn by hypothesis.

Drawn moments are whole seconds: sums of them are exact, so that a boundary can be tested on its very second.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from idlewatch.core.activity import Activity, Reason
from idlewatch.core.events import (
    Acted,
    Event,
    Extended,
    Held,
    PageMissed,
    PageShown,
    Polled,
    Released,
    Requested,
    SignedIn,
    TabClosed,
    TabOpened,
    TabsCounted,
)
from idlewatch.core.policy import Policy
from idlewatch.core.reducer import applied
from idlewatch.exceptions import HoldRefused, TooManyTabs

START = 1_000_000.0
"""When a drawn session begins."""
POLICY = Policy(idle_timeout=900, warn_before=120, absolute_timeout=43200, close_grace=300, hold_limit=7200)

seconds = st.sampled_from([float(second) for second in range(201)])
moments = st.sampled_from([START + second for second in range(2001)])


def signed_in(at: float = 0.0, **facts: object) -> Activity:
    """Return the facts of a session that began at `at`."""
    return Activity(logged_in_at=at, active=at, **facts)  # type: ignore[arg-type]


def after(activity: Activity, policy: Policy, *events: tuple[float, Event]) -> Activity:
    """Return the facts after events at their moments; one that is refused changes nothing."""
    for now, event in events:
        try:
            activity = applied(event, activity, policy, now)
        except (HoldRefused, TooManyTabs):
            continue
    return activity


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    idle = draw(st.integers(2, 150))
    return Policy(
        idle_timeout=float(idle),
        warn_before=float(draw(st.integers(1, idle - 1))),
        absolute_timeout=draw(st.none() | st.integers(1, 900).map(float)),
        close_grace=draw(st.none() | st.integers(0, 100).map(float)),
        hold_limit=float(draw(st.integers(0, 250))),
        activity_extends_warning=draw(st.booleans()),
        checkpoint=float(draw(st.integers(1, 60))),
    )


def events() -> SearchStrategy[Event]:
    process = st.sampled_from(["p1", "p2"])
    hold = st.sampled_from(["upload", "video"])
    return st.one_of(
        st.builds(Acted, ago=seconds),
        st.builds(Requested, duration=seconds),
        st.just(Extended()),
        st.just(SignedIn()),
        st.builds(Held, id=hold, label=st.just("")),
        st.builds(Released, id=hold),
        st.builds(TabOpened, process=process, limit=st.just(3)),
        st.builds(TabClosed, process=process, closed=st.booleans()),
        st.builds(TabsCounted, process=process, count=st.integers(0, 2)),
        st.builds(PageShown, has_client=st.booleans()),
        st.just(PageMissed()),
        st.just(Polled()),
    )


def histories() -> SearchStrategy[list[tuple[float, Event]]]:
    """Draw what happens to a session, each with the seconds since the event before."""
    return st.lists(st.tuples(st.integers(0, 90).map(float), events()), max_size=25)


def timed(history: list[tuple[float, Event]]) -> list[tuple[float, Event]]:
    """Return a drawn history with the moments in place of the delays."""
    now, dated = START, []
    for delay, event in history:
        now += delay
        dated.append((now, event))
    return dated


def any_facts() -> SearchStrategy[Activity]:
    """Draw facts of every combination, also of those that no history leads to."""
    return st.builds(
        Activity,
        logged_in_at=moments,
        active=moments,
        held_from=st.none() | moments,
        held_until=moments,
        held_since=st.none() | moments,
        closed_at=st.none() | moments,
        ended=st.none() | moments,
        reason=st.none() | st.sampled_from(Reason),
    )
