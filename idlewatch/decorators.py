"""Marks on views: what a request to them says about the user, and that no transaction is to enclose them."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from django.db import connections, transaction

View = TypeVar("View", bound=Callable[..., object])


class Mark(Enum):
    """What a view's requests mean for the idle clock."""

    ACTIVE = "active"
    PASSIVE = "passive"


marked: set[Mark] = set()
"""The marks in use: while there are none, no request needs its URL resolved."""


def active(view: View) -> View:
    """Mark a view whose requests count as activity, also those that a script sends."""
    return _mark(view, Mark.ACTIVE)


def passive(view: View) -> View:
    """Mark a view whose requests never count as activity."""
    return _mark(view, Mark.PASSIVE)


def outside_transactions(view: View) -> View:
    """Keep `ATOMIC_REQUESTS`, of whatever database, from a view: it goes outermost."""
    for alias in connections:
        transaction.non_atomic_requests(using=alias)(view)
    return view


def mark_of(view: Callable[..., object]) -> Mark | None:
    """Return the mark of a view: a function, or what a marked class's `as_view` made."""
    return getattr(view, "idlewatch_mark", None) or getattr(getattr(view, "view_class", None), "idlewatch_mark", None)


def _mark(view: View, mark: Mark) -> View:
    marked.add(mark)
    view.idlewatch_mark = mark  # type: ignore[attr-defined]
    return view
