"""A list for what receivers of signals get: each is called in a thread of its own."""

from __future__ import annotations

from collections import UserList
from typing import Any

from idlewatch.signals import dispatcher

WITHIN = 10.0
"""Seconds in which every receiver has to return."""


class Heard(UserList[Any]):
    """The signals that were sent, complete whenever a test looks."""

    def append(self, item: object) -> None:
        # A receiver does not wait for itself.
        self._received.append(item)

    @property
    def data(self) -> list[Any]:  # type: ignore[override]
        assert dispatcher.wait(WITHIN), "a receiver has not been told everything"
        return self._received

    @data.setter
    def data(self, items: list[Any]) -> None:
        self._received = items
