"""Checks of the keys and values of the setting `IDLEWATCH`, each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import partial

from django.core.checks import Error, Warning  # noqa: A004 - Django's own names
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLResolver, get_resolver

from idlewatch.checks.registry import Messages, check, problem_with, written
from idlewatch.conf.declaration import place
from idlewatch.conf.settings import SETTINGS, conf


@check()
def setting_is_a_dict() -> Messages:
    """Check that the setting is a dict."""
    try:
        _ = conf.given
    except ImproperlyConfigured as error:
        hint = 'Write IDLEWATCH = {"IDLE_TIMEOUT": 900}, or leave the setting out: every key has a default.'
        yield Error(str(error), hint=hint, id="idlewatch.E001")


@check()
def keys_are_known() -> Messages:
    """Check that every key is one of ours, and suggest the likely one where it is not."""
    for key in written():
        if key not in SETTINGS:
            near = get_close_matches(str(key).upper(), SETTINGS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"The keys are {', '.join(sorted(SETTINGS))}."
            message = f"IDLEWATCH has the key {key!r}; expected one of those that idlewatch knows."
            yield Error(message, hint=hint, id="idlewatch.E002")


@check()
def values_can_be_used() -> Messages:
    """Check the type and the range of each value."""
    for key, setting in SETTINGS.items():
        if key in written() and (problem := problem_with(key, partial(getattr, conf, setting.name))):
            yield Error(problem, hint=setting.hint, id=setting.check)


@check()
def passive_url_names_exist() -> Messages:
    """Check that the passive names are those of URLs: a poll that is misspelt here keeps sessions alive."""
    try:
        names = conf.passive_url_names
        known = set(_url_names(get_resolver()))
    except Exception:  # noqa: BLE001 - another check reports the names, and Django's own a URLconf that can't be loaded
        return
    for name in sorted(names - known):
        near = get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "Names include their namespaces, as in reverse()."
        message = f"{place('PASSIVE_URL_NAMES')} has {name!r}; expected the name of a URL of your project."
        yield Warning(message, hint=hint, id="idlewatch.W006")


def _url_names(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _url_names(pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix)
        elif pattern.name:
            yield f"{prefix}{pattern.name}"
