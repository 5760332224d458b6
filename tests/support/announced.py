"""What receivers of signals hear, for tests: each is called in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, SupportsIndex

from idlewatch.signals import dispatcher

WITHIN = 10.0


class Heard(list[Any]):
    """What was announced, complete whenever a test looks."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self._complete() and super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __iter__(self) -> Iterator[Any]:
        self._complete()
        return super().__iter__()

    def __len__(self) -> int:
        self._complete()
        return super().__len__()

    def __getitem__(self, index: Any) -> Any:
        self._complete()
        return super().__getitem__(index)

    def count(self, value: Any) -> int:
        self._complete()
        return super().count(value)

    def index(self, value: Any, start: SupportsIndex = 0, stop: SupportsIndex = 2**62) -> int:
        self._complete()
        return super().index(value, start, stop)

    def clear(self) -> None:
        self._complete()
        super().clear()

    @staticmethod
    def _complete() -> bool:
        assert dispatcher.wait(WITHIN), "a receiver has not been told everything"
        return True
