"""How a check is registered, and what checks share.

A check is a generator of messages. It never raises, even on invalid settings: a value that can't be read is reported
by the check of its key, and the checks that depend on it report nothing until it is fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from django.core.checks import CheckMessage, register
from django.core.exceptions import ImproperlyConfigured

from idlewatch.conf.declaration import place
from idlewatch.conf.settings import conf
from idlewatch.core.policy import Policy

TAG = "idlewatch"

Messages = Iterator[CheckMessage]
Run = Callable[..., list[CheckMessage]]


def check(*, deploy: bool = False) -> Callable[[Callable[[], Messages]], Run]:
    """Register a check, with `deploy` for `check --deploy` alone."""

    def decorate(check: Callable[[], Messages]) -> Run:
        def run(app_configs: object = None, **_: object) -> list[CheckMessage]:
            return list(check())

        # `functools.wraps` would hide from Django that `run` takes keyword arguments.
        run.__name__, run.__doc__, run.__module__ = check.__name__, check.__doc__, check.__module__
        return register(run, TAG, deploy=deploy)

    return decorate


def written() -> Mapping[str, object]:
    """Return the dict that the project wrote; an empty one where it is no dict."""
    try:
        return conf.given
    except ImproperlyConfigured:
        return {}


def policy() -> Policy | None:
    """Return the limits as the project wrote them; None if one of them can't be used."""
    try:
        return conf.written
    except ImproperlyConfigured:
        return None


def problem_with(key: str, read: Callable[[], object]) -> str | None:
    """Return why `read` can't get the value of a key; None if it can."""
    try:
        read()
    except ImproperlyConfigured as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - an exception in an imported module is a finding, not a crash
        return f"{place(key)} can't be used: it raises {type(error).__name__} ({error})."
    return None
