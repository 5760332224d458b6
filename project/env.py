"""Settings from environment variables, each parsed by its kind; an error names the variable and what was expected."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from idlewatch.conf.settings import SETTINGS
from idlewatch.conf.validators import Boolean, Duration, Integer, OrNone, Token, Validator

Value = TypeVar("Value")
Parse = Callable[[str, str], Value]
"""Makes a setting of the name of a variable, for the error, and its value."""

PREFIX = "IDLEWATCH_"
TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})
MAX_SHOWN_LENGTH = 40


def refuse(name: str, value: str, expected: str) -> NoReturn:
    """Raise `ImproperlyConfigured` that names the variable, its value and what was expected."""
    shown = value if len(value) <= MAX_SHOWN_LENGTH else f"{value[:MAX_SHOWN_LENGTH]}…"
    raise ImproperlyConfigured(f"The environment variable {name} is {shown!r}; expected {expected}.")


def boolean(name: str, value: str) -> bool:
    """Parse a boolean."""
    word = value.lower()
    if word not in TRUE | FALSE:
        refuse(name, value, "1 or 0 (or true/false, yes/no, on/off)")
    return word in TRUE


def integer(name: str, value: str) -> int:
    """Parse an integer of 0 or more."""
    if not (value.isascii() and value.isdigit()):
        refuse(name, value, "an integer, like 50")
    return int(value)


def seconds(name: str, value: str) -> int | float:
    """Parse a number of seconds of 0 or more; an integer stays one."""
    if value.isascii() and value.isdigit():
        return int(value)
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        refuse(name, value, "a number of seconds, like 900 or 0.5")
    return number


def secret(name: str, value: str) -> str:
    """Return a string that no error shows; `manage.py check` validates it."""
    return value


def or_none(parse: Parse[Value]) -> Parse[Value | None]:
    """Return a parser that accepts the word `none` too."""
    return lambda name, value: None if value.lower() == "none" else parse(name, value)


def text(name: str, default: str = "") -> str:
    """Return the text of a variable, or the default if it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def read(name: str, parse: Parse[Value], default: Value) -> Value:
    """Return the parsed value of a variable, or the default if it is unset or empty."""
    return parse(name, given) if (given := text(name)) else default


def words(name: str, default: list[str]) -> list[str]:
    """Return a comma-separated list, or the default if the variable is unset or empty."""
    return [word.strip() for word in text(name).split(",") if word.strip()] or default


PARSERS: Mapping[type[Validator[Any]], Parse[object]] = {
    Duration: seconds,
    Integer: integer,
    Boolean: boolean,
    Token: secret,
}
"""How each kind of setting is written in the environment; the other kinds are not read from there."""


def parser(validator: Validator[Any]) -> Parse[object] | None:
    """Return how a setting is parsed; None if the environment can't hold it."""
    if isinstance(validator, OrNone):
        inner = parser(validator.validator)
        return inner and or_none(inner)
    return PARSERS.get(type(validator))


IDLEWATCH_VARIABLES: Mapping[str, Parse[object]] = {
    f"{PREFIX}{key}": parse for key, setting in SETTINGS.items() if (parse := parser(setting.validator))
}


def idlewatch() -> dict[str, object]:
    """Return the `IDLEWATCH` settings that the environment gives.

    Raises:
        ImproperlyConfigured: a value can't be parsed, or a name is unknown: a misspelt limit would leave the default in
            force silently.
    """
    given = {name: text(name) for name in os.environ if name.startswith(PREFIX) and text(name)}
    if unknown := sorted(given.keys() - IDLEWATCH_VARIABLES.keys()):
        known = ", ".join(IDLEWATCH_VARIABLES)
        raise ImproperlyConfigured(f"The environment variable {unknown[0]} is unknown; expected one of {known}.")
    return {name.removeprefix(PREFIX): IDLEWATCH_VARIABLES[name](name, value) for name, value in given.items()}


def redis_url() -> str:
    """Return the URL of Redis; empty if the deployment has none."""
    url = text("REDIS_URL")
    scheme = urlsplit(url).scheme
    if url and scheme not in {"redis", "rediss", "unix"}:
        # It may hold a password: show only its scheme.
        refuse("REDIS_URL", f"{scheme}:…", "the URL of a Redis, like redis://:password@host:6379/0")
    return url
