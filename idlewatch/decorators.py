"""Decorators for views: whether requests count as activity, and whether the view needs a transaction or a session."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from django.db import connections, transaction

View = TypeVar("View", bound=Callable[..., object])


class Mark(Enum):
    """Whether requests to a view count as activity."""

    ACTIVE = "active"
    PASSIVE = "passive"


marked: set[Mark] = set()
"""The marks in use. While there are none, no URL needs to be resolved."""


def active(view: View) -> View:
    """Count all requests to a view as activity, background requests included.

    For functions, sync or async, and classes; on a class, it covers every method.
    """
    return _mark(view, Mark.ACTIVE)


def passive(view: View) -> View:
    """Count no requests to a view as activity: polls, for example. See `active` for what it decorates."""
    return _mark(view, Mark.PASSIVE)


def outside_transactions(view: View) -> View:
    """Run a view outside `ATOMIC_REQUESTS` of every database. It must be the outermost decorator."""
    for alias in connections:
        transaction.non_atomic_requests(using=alias)(view)
    return view


def without_session(view: View) -> View:
    """Serve a view as if to a visitor where the state of the session cannot be determined."""
    view.idlewatch_without_session = True  # type: ignore[attr-defined]
    return view


def needs_session(view: Callable[..., object]) -> bool:
    """Return whether a view is not marked by `without_session`."""
    return not getattr(view, "idlewatch_without_session", False)


def mark_of(view: Callable[..., object]) -> Mark | None:
    """Return the mark of a view function, also of one made by `as_view`."""
    return getattr(view, "idlewatch_mark", None) or getattr(getattr(view, "view_class", None), "idlewatch_mark", None)


def _mark(view: View, mark: Mark) -> View:
    marked.add(mark)
    view.idlewatch_mark = mark  # type: ignore[attr-defined]
    return view
