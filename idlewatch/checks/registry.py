"""How a check is registered, and how it finds what it judges.

A check is a generator of messages. Whatever a project wrote, a check never raises: what can't be read at all is
reported by the check of that key, and those of others that depend on it keep quiet until it is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.core.checks import CheckMessage, register
from django.core.exceptions import ImproperlyConfigured

from idlewatch.conf.settings import conf, place
from idlewatch.core.policy import Policy

TAG = "idlewatch"

CHECKED: dict[str, list[str]] = {}
"""The keys of the setting that have a check, and the names of those."""

Found = Iterator[CheckMessage]
Run = Callable[..., list[CheckMessage]]


def of_site(*, deploy: bool = False) -> Callable[[Callable[[], Found]], Run]:
    """Register a check of more than one key, or of the site's other settings."""

    def decorate(check: Callable[[], Found]) -> Run:
        def run(app_configs: object = None, **_: object) -> list[CheckMessage]:
            return list(check())

        return _registered(run, check, deploy=deploy)

    return decorate


def of_key(key: str) -> Callable[[Callable[[Any], Found]], Run]:
    """Register a check of one key, which gets what the project wrote; where it wrote nothing, the default is right."""

    def decorate(check: Callable[[Any], Found]) -> Run:
        def run(app_configs: object = None, **_: object) -> list[CheckMessage]:
            given = written()
            return list(check(given[key])) if key in given else []

        CHECKED.setdefault(key, []).append(check.__name__)
        return _registered(run, check)

    return decorate


def written() -> Mapping[str, object]:
    """Return what the project wrote; nothing where that is no dict."""
    try:
        return conf.given
    except ImproperlyConfigured:
        return {}


def policy() -> Policy | None:
    """Return the limits as the project wrote them; None where one of them can't be used."""
    try:
        return conf.written
    except ImproperlyConfigured:
        return None


def refused(read: Callable[[], object], key: str) -> str | None:
    """Return why a value can't be used; None where it can."""
    try:
        read()
    except ImproperlyConfigured as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever an imported module raises is a finding, not a crash
        return f"{place(key)} can't be used: it raises {type(error).__name__} ({error})."
    return None


def _registered(run: Run, check: Callable[..., Found], *, deploy: bool = False) -> Run:
    # `functools.wraps` would hide from Django that `run` takes keyword arguments.
    run.__name__, run.__doc__, run.__module__ = check.__name__, check.__doc__, check.__module__
    return register(run, TAG, deploy=deploy)
