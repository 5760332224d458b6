"""Values as a project writes them, made into what idlewatch works with.

Each function takes where the value stands, for the message, and raises `ImproperlyConfigured` for one that can't be
used: the message names the place, what came and what was expected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string


def refusal(where: str, got: object, expected: str) -> ImproperlyConfigured:
    """Return the error for a value that can't be used."""
    return ImproperlyConfigured(f"{where} is {got!r}; expected {expected}.")


def seconds(where: str, value: object, *, zero: bool = False, none: bool = False, most: float = math.inf) -> float:
    """Return a span, given as a number or a timedelta, in seconds, `most` at most.

    `zero` allows a span of nothing; `none` only tells the message that None would do.
    """
    number = math.nan
    if isinstance(value, timedelta):
        number = value.total_seconds()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    if math.isfinite(number) and (number > 0 or (zero and number == 0)) and number <= most:
        return number
    least = "0 or more" if zero else "more than 0"
    bound = "" if math.isinf(most) else f", {most:.0f} at most"
    raise refusal(where, value, f"{least} seconds{bound}, as a number or a timedelta{', or None' if none else ''}")


def truth(where: str, value: object) -> bool:
    """Return a yes or a no; a text such as "False", which Python takes for true, is neither."""
    if isinstance(value, bool):
        return value
    raise refusal(where, value, "True or False")


def count(where: str, value: object, *, none: bool = False) -> int:
    """Return a whole number from 1; `none` only tells the message that None would do."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise refusal(where, value, f"a whole number, 1 or more{', or None' if none else ''}")


def texts(where: str, value: object, what: str) -> tuple[str, ...]:
    """Return a list of texts; one text alone, which Python takes for its letters, is refused."""
    if isinstance(value, list | tuple | set | frozenset) and all(isinstance(text, str) for text in value):
        return tuple(value)
    raise refusal(where, value, f"a list or tuple of {what}")


def pattern(where: str, paths: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return one pattern that matches where any of the regular expressions does; None for none of them."""
    joined: list[str] = []
    for path in paths:
        joined.append(f"(?:{path})")
        try:
            # Alone, it may be a whole that breaks the one they make together, and the other way round.
            re.compile(path)
            re.compile("|".join(joined))
        except re.error as error:
            raise refusal(where, path, f"a regular expression ({error})") from error
    return re.compile("|".join(joined)) if joined else None


def called(where: str, path: object) -> Callable[..., Any]:
    """Return what a dotted path leads to, which can be called."""
    if not isinstance(path, str):
        raise refusal(where, path, "the dotted path of a callable, or None")
    try:
        found = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"{where} is {path!r}, which can't be imported ({error}).") from error
    if not callable(found):
        raise refusal(where, path, f"the dotted path of a callable, and this leads to a {type(found).__name__}")
    return found  # type: ignore[no-any-return]
