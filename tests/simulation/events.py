"""What may happen in a schedule, by name: what people do, what goes wrong, and what a fault did to a message.

A weight is how often a name is drawn beside the others of its table. A run counts the schedules in which each event
occurred, and fails where one of them was too rare.
"""

from __future__ import annotations

from collections.abc import Mapping

ACTIONS: dict[str, float] = {
    "type": 10,
    "request": 5,
    "extend": 5,
    "extend_at_once": 1,
    "hold": 2,
    "release": 1,
    "sync": 2,
    "poll": 2,
    "message": 2,
    "open": 3,
    "close": 3,
    "close_all": 1.5,
    "reload": 2,
    "navigate": 1.5,
    "sleep": 2,
    "work": 1,
    "sign_out": 1,
    "sign_in": 2.5,
    "change_password": 1,
    "disable": 0.4,
    "revoke": 0.8,
    "replay": 1.2,
    "fail": 0.5,
    "fail_to_sign_in": 0.7,
}
"""Methods of `Browser`."""
FOCUSED_ACTIONS: dict[str, float] = {"change_password_while_polling": 0.0}
"""Those that are drawn only where they are in the focus."""

REDIS_FAULTS: dict[str, float] = {
    "redis_lossy": 3,
    "redis_away": 3,
    "redis_hangs": 1.5,
    "redis_flushed": 3,
    "redis_snapshot": 2,
    "redis_failover": 2,
    "redis_slow": 1.3,
    "redis_clock": 1.5,
    "redis_evicts": 1.5,
    "layer_lossy": 7,
    "layer_away": 1.3,
    "wakeups_lost": 2,
}
SERVER_FAULTS: dict[str, float] = {
    "killed": 3,
    "stopped": 3,
    "gc_pause": 1.5,
    "suspended": 1.3,
    "restarted": 1.5,
    "wall_step": 1,
}
DATABASE_FAULTS: dict[str, float] = {
    "database_slow": 1.5,
    "database_away": 2,
    "database_lossy": 2,
    "database_conflicts": 3,
}
FAULTS = REDIS_FAULTS | SERVER_FAULTS | DATABASE_FAULTS
"""Functions of `faults`. It counts where there was something to strike."""

LONG_ABSENCE = "long absence"
INCIDENTS = (
    "redis lost request",
    "redis lost answer",
    "wakeup lost",
    "message dropped",
    "message delayed",
    "message repeated",
    "database away",
    "database lost request",
    "database lost answer",
    "serialization failure",
    LONG_ABSENCE,
)
"""What links and the world note beside those."""

LISTED = (*ACTIONS, *FAULTS, *INCIDENTS)
MIN_SHARE = 0.01
"""The share of schedules in which each listed one occurs at least."""
MIN_SCHEDULES = 1000
"""Schedules from which on shares are compared: in fewer, an event is missing by chance."""


def rare(counts: Mapping[str, int], schedules: int) -> list[str]:
    """Return which listed events occurred in too few of so many schedules, with their shares."""
    shares = {name: counts.get(name, 0) / schedules for name in LISTED}
    return [f"{name} ({share:.2%})" for name, share in shares.items() if share < MIN_SHARE]


END, AFTER = "end", "after"
"""In the focus of a story: people act mostly near the end of a session; faults strike soon after them."""
FOCUS = (*ACTIONS, *FOCUSED_ACTIONS, *FAULTS, END, AFTER)
