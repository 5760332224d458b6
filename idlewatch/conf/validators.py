"""What a setting may hold, one small class for each kind of value.

A validator turns what a project wrote into what idlewatch works with, or raises `ImproperlyConfigured` with a message
that names the place, the value that came (never a secret one) and what was expected.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

T_co = TypeVar("T_co", covariant=True)

MIN_TOKEN_LENGTH = 16
"""Characters below which a bearer token could be guessed."""

GENERATIONS = 3
"""How many generations of objects Python's garbage collector has."""
MAX_THRESHOLD = 2**31 - 1
"""The largest that it can hold."""

TOKEN = re.compile(rf"[A-Za-z0-9._~+/-]{{{MIN_TOKEN_LENGTH},}}=*")
"""The syntax of a bearer token (RFC 6750 §2.1)."""


class Unusable(ValueError):
    """A value can't be used; the argument continues the phrase “… is 'value'”, and may be empty."""


class Validator(ABC, Generic[T_co]):
    """One kind of value."""

    @property
    @abstractmethod
    def expected(self) -> str:
        """What the setting takes, for messages and the docs."""

    @abstractmethod
    def parse(self, value: object) -> T_co:
        """Return what idlewatch works with.

        Raises:
            Unusable: the value is of the wrong type, or out of range.
        """

    def describe(self, value: object) -> str:
        """Return what a message shows of a value that can't be used."""
        return repr(value)

    def __call__(self, where: str, value: object) -> T_co:
        """Parse a value that stands at `where`.

        Raises:
            ImproperlyConfigured: the value can't be used.
        """
        try:
            return self.parse(value)
        except Unusable as error:
            message = f"{where} is {self.describe(value)}{error}; expected {self.expected}."
            raise ImproperlyConfigured(message) from error


@dataclass(frozen=True)
class OrNone(Validator[T_co | None]):
    """Another kind of value, or None."""

    validator: Validator[T_co]

    @property
    def expected(self) -> str:
        return f"{self.validator.expected}, or None"

    def parse(self, value: object) -> T_co | None:
        return None if value is None else self.validator.parse(value)

    def describe(self, value: object) -> str:
        return self.validator.describe(value)


@dataclass(frozen=True)
class Duration(Validator[float]):
    """A number of seconds or a timedelta, as seconds."""

    zero: bool = False
    """0 is allowed."""
    maximum: float = math.inf

    @property
    def expected(self) -> str:
        least = "of 0 or more" if self.zero else "above 0"
        most = "" if math.isinf(self.maximum) else f" and at most {self.maximum:.0f}"
        return f"a duration {least}{most} (seconds or a timedelta)"

    def parse(self, value: object) -> float:
        seconds = _seconds(value)
        if math.isfinite(seconds) and (seconds > 0 or (self.zero and seconds == 0)) and seconds <= self.maximum:
            return seconds
        raise Unusable


@dataclass(frozen=True)
class Integer(Validator[int]):
    """An integer of at least `minimum`."""

    minimum: int = 1

    @property
    def expected(self) -> str:
        return f"an integer of {self.minimum} or more"

    def parse(self, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= self.minimum:
            return value
        raise Unusable


@dataclass(frozen=True)
class Thresholds(Validator[tuple[int, int, int]]):
    """The thresholds of the garbage collector, as `gc.set_threshold` takes them."""

    expected = f"a list or tuple of three integers from 0 to {MAX_THRESHOLD}"

    def parse(self, value: object) -> tuple[int, int, int]:
        if isinstance(value, list | tuple) and len(value) == GENERATIONS:
            first, second, third = (_threshold(each) for each in value)
            return first, second, third
        raise Unusable


@dataclass(frozen=True)
class Boolean(Validator[bool]):
    """True or False; a string such as "False", which Python takes for true, is neither."""

    expected = "True or False"

    def parse(self, value: object) -> bool:
        if isinstance(value, bool):
            return value
        raise Unusable


@dataclass(frozen=True)
class Choice(Validator[str]):
    """One of a few names."""

    names: tuple[str, ...]

    @property
    def expected(self) -> str:
        return f"one of {', '.join(map(repr, self.names))}"

    def parse(self, value: object) -> str:
        if isinstance(value, str) and value in self.names:
            return value
        raise Unusable


@dataclass(frozen=True)
class Strings(Validator[frozenset[str]]):
    """A collection of strings; a single string, which Python takes for its letters, is refused."""

    content: str
    """What each string is, in the plural."""

    @property
    def expected(self) -> str:
        return f"a list or tuple of {self.content}"

    def parse(self, value: object) -> frozenset[str]:
        return frozenset(_strings(value))


@dataclass(frozen=True)
class Patterns(Validator[re.Pattern[str] | None]):
    """A collection of regular expressions, as one that matches where any of them does; None for an empty one."""

    expected = "a list or tuple of regular expressions"

    def parse(self, value: object) -> re.Pattern[str] | None:
        joined: list[str] = []
        for pattern in _strings(value):
            joined.append(f"(?:{pattern})")
            try:
                # A pattern may be valid alone and break the joined one, and the other way round.
                re.compile(pattern)
                re.compile("|".join(joined))
            except re.error as error:
                raise Unusable(f", in which {pattern!r} can't be compiled ({error})") from error
        return re.compile("|".join(joined)) if joined else None


@dataclass(frozen=True)
class DottedPath(Validator[Callable[..., Any]]):
    """The dotted path of a callable, imported."""

    expected = "the dotted path of a callable"

    def parse(self, value: object) -> Callable[..., Any]:
        if not isinstance(value, str):
            raise Unusable
        try:
            imported = import_string(value)
        except ImportError as error:
            raise Unusable(f", which can't be imported ({error})") from error
        if not callable(imported):
            raise Unusable(f", which leads to a {type(imported).__name__}")
        return imported  # type: ignore[no-any-return]


@dataclass(frozen=True)
class DottedObject(Validator[Any]):
    """The dotted path of an object that has these methods, or of its class, which is called without arguments."""

    methods: tuple[str, ...]

    @property
    def expected(self) -> str:
        return f"the dotted path of an object with the methods {' and '.join(self.methods)}"

    def parse(self, value: object) -> Any:  # noqa: ANN401 - the caller declares the type
        if not isinstance(value, str):
            raise Unusable
        try:
            imported = import_string(value)
            found = imported() if isinstance(imported, type) else imported
        except (ImportError, TypeError) as error:
            raise Unusable(f", which can't be imported ({error})") from error
        if missing := [name for name in self.methods if not callable(getattr(found, name, None))]:
            raise Unusable(f", which lacks {' and '.join(missing)}")
        return found


@dataclass(frozen=True)
class Token(Validator[str]):
    """A bearer token; no message shows it."""

    expected = f"a string of {MIN_TOKEN_LENGTH} or more letters, digits and any of -._~+/"

    def parse(self, value: object) -> str:
        if isinstance(value, str) and TOKEN.fullmatch(value):
            return value
        raise Unusable

    def describe(self, value: object) -> str:
        return f"a string of {len(value)} characters" if isinstance(value, str) else f"a {type(value).__name__}"


@dataclass(frozen=True)
class Backend(Validator[Mapping[str, Any]]):
    """A dict that names a class and how it is made, as in `CACHES`; no message shows what it holds."""

    expected = "a dict with BACKEND, and LOCATION and OPTIONS where needed, as in CACHES"

    def parse(self, value: object) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise Unusable
        kinds = {"BACKEND": str, "LOCATION": str | None, "OPTIONS": Mapping | None}
        if unknown := [key for key in value if key not in kinds]:
            raise Unusable(f" with the unknown keys {unknown}")
        for key, kind in kinds.items():
            if not isinstance(value.get(key), kind):
                raise Unusable(f" whose {key} is a {type(value.get(key)).__name__}")
        return value

    def describe(self, value: object) -> str:
        return f"a {type(value).__name__}"


def _threshold(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_THRESHOLD:
        return value
    raise Unusable


def _seconds(value: object) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    return math.nan


def _strings(value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple | set | frozenset) and all(isinstance(string, str) for string in value):
        return tuple(value)
    raise Unusable
