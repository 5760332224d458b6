"""Settings from the environment, each read by its kind; a wrong one names itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

Value = TypeVar("Value")
Environment = Mapping[str, str]

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})
LONGEST_SHOWN = 40


def refuse(name: str, got: str, expected: str) -> NoReturn:
    """Raise `ImproperlyConfigured` that names the variable, what came and what was expected."""
    shown = got if len(got) <= LONGEST_SHOWN else f"{got[:LONGEST_SHOWN]}…"
    msg = f"The environment variable {name} is {shown!r}; expected {expected}."
    raise ImproperlyConfigured(msg)


def boolean(name: str, got: str) -> bool:
    """Parse a yes or a no."""
    word = got.strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    refuse(name, got, "1 or 0 (or true/false, yes/no, on/off)")


def whole(name: str, got: str) -> int:
    """Parse a whole number that is not negative."""
    if not (got.strip().isascii() and got.strip().isdigit()):
        refuse(name, got, "a whole number, like 50")
    return int(got)


def seconds(name: str, got: str) -> int | float:
    """Parse a number of seconds that is not negative; whole ones stay whole."""
    if got.strip().isascii() and got.strip().isdigit():
        return int(got)
    try:
        number = float(got)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        refuse(name, got, "a number of seconds, like 900 or 0.5")
    return number


def secret(name: str, got: str) -> str:
    """Take a text that no message shows; whether it will do, `manage.py check` says."""
    return got.strip()


def or_none(parse: Callable[[str, str], Value]) -> Callable[[str, str], Value | None]:
    """Return a parser that takes the word `none` too."""

    def parse_or_none(name: str, got: str) -> Value | None:
        return None if got.strip().lower() == "none" else parse(name, got)

    return parse_or_none


def read(environ: Environment, name: str, parse: Callable[[str, str], Value], default: Value) -> Value:
    """Return the variable's parsed value; one that is unset or empty gives the default."""
    got = environ.get(name, "")
    return parse(name, got) if got.strip() else default


def words(environ: Environment, name: str, default: list[str]) -> list[str]:
    """Return a comma-separated list."""
    got = environ.get(name, "")
    return [word.strip() for word in got.split(",") if word.strip()] or default


IDLEWATCH_KEYS: dict[str, Callable[[str, str], object]] = {
    "IDLE_TIMEOUT": seconds,
    "WARN_BEFORE": seconds,
    "ABSOLUTE_TIMEOUT": or_none(seconds),
    "CLOSE_GRACE": or_none(seconds),
    "HOLD_LIMIT": seconds,
    "HEARTBEAT": seconds,
    "ACTIVITY_EXTENDS_WARNING": boolean,
    "COUNT_BACKGROUND_REQUESTS": boolean,
    "CLEAR_SITE_DATA": boolean,
    "KEEP_ADDRESS": boolean,
    "KEEP_USER_AGENT": boolean,
    "MAX_SESSIONS_PER_USER": or_none(whole),
    "MAX_TABS": whole,
    "CHECKPOINT": seconds,
    "DRAFT_AGE": seconds,
    "METRICS_TOKEN": secret,
}


def idlewatch(environ: Environment = os.environ) -> dict[str, object]:
    """Return the `IDLEWATCH` settings that the environment gives.

    A misspelt limit would leave the default in force without a word, so unknown names are refused.
    """
    settings: dict[str, object] = {}
    for name, got in environ.items():
        if not name.startswith("IDLEWATCH_") or not got.strip():
            continue
        parse = IDLEWATCH_KEYS.get(name.removeprefix("IDLEWATCH_"))
        if parse is None:
            known = ", ".join(f"IDLEWATCH_{key}" for key in IDLEWATCH_KEYS)
            msg = f"The environment variable {name} is unknown; expected one of {known}."
            raise ImproperlyConfigured(msg)
        settings[name.removeprefix("IDLEWATCH_")] = parse(name, got)
    return settings


def redis_url(environ: Environment) -> str | None:
    """Return the address of Redis, if the deployment has one."""
    url = environ.get("REDIS_URL", "").strip()
    if not url:
        return None
    scheme = urlsplit(url).scheme
    if scheme not in {"redis", "rediss", "unix"}:
        # It may hold a password: show its scheme alone.
        refuse("REDIS_URL", f"{scheme}:…", "the address of a Redis, like redis://:password@host:6379/0")
    return url
