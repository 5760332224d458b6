"""The groups of live sessions: by the phase that their tabs were told, and whether they have a tab open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from idlewatch.core.policy import Phase, ends_at
from idlewatch.store.values import Census, Watched


class Group(NamedTuple):
    """Sessions that are counted together; each live one belongs to exactly one group."""

    phase: Phase
    connected: bool


GROUPS = tuple(Group(phase, connected) for phase in (Phase.WARNED, Phase.ACTIVE) for connected in (True, False))
"""In the order of a list. A row in Redis has the index of its group, counted from 1."""

_WARNED = Phase.WARNED


def group_of(watched: Watched) -> Group | None:
    """Return the group of a session; None if it has ended."""
    activity = watched.activity
    if activity.ended is not None:
        return None
    return GROUPS[2 * (watched.shown.phase is not _WARNED) + (not activity.tabs)]


def is_among(watched: Watched, phase: Phase | None, connected: bool | None) -> bool:
    """Return whether a session is in a list of one phase, and of those with or without a tab; None means any."""
    group = group_of(watched)
    return group is not None and phase in (None, group.phase) and connected in (None, group.connected)


def deadline_of(watched: Watched) -> float:
    """Return when a live session ends if nothing happens (epoch seconds): the order within its group."""
    return ends_at(watched.activity, watched.policy)


def chosen(phase: Phase | None, connected: bool | None) -> list[list[Group]]:
    """Return the groups of a list: those of each phase that was asked for, in the order of the phases."""
    phases = [each for each in (Phase.WARNED, Phase.ACTIVE) if phase in (None, each)]
    return [[Group(each, tabs) for tabs in (True, False) if connected in (None, tabs)] for each in phases]


def census_of(sizes: Mapping[Group, int]) -> Census:
    """Count the sessions of all groups."""
    active, warned = (
        sum(sizes[group] for group in GROUPS if group.phase is each) for each in (Phase.ACTIVE, Phase.WARNED)
    )
    return Census(active, warned, sum(sizes[group] for group in GROUPS if group.connected))
