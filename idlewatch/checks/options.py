"""The settings that are no limits, and the dict that holds them all."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from inspect import isabstract

from django.core.checks import Error, Warning  # noqa: A004 - Django's own names
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLResolver, get_resolver
from django.utils.module_loading import import_string

from idlewatch.checks.registry import Found, of_key, of_site, refused, written
from idlewatch.checks.stores import lacks_redis
from idlewatch.conf.settings import KEYS, conf, place
from idlewatch.core.baselines import BASELINES
from idlewatch.store.base import Store


@of_site()
def is_a_dict() -> Found:
    """Say that the setting is something else."""
    if message := refused(lambda: conf.given, ""):
        hint = 'Write IDLEWATCH = {"IDLE_TIMEOUT": 900}, or leave the setting out: every key has a default.'
        yield Error(message, hint=hint, id="idlewatch.E001")


@of_site()
def keys_are_known() -> Found:
    """Say which keys mean nothing, and which are likely meant."""
    for key in written():
        if key not in KEYS:
            near = get_close_matches(str(key).upper(), KEYS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"The keys are {', '.join(sorted(KEYS))}."
            message = f"IDLEWATCH has the key {key!r}; expected one of those that idlewatch knows."
            yield Error(message, hint=hint, id="idlewatch.E002")


@of_key("COUNT_BACKGROUND_REQUESTS")
def count_background_requests(_: object) -> Found:
    """Say that this is neither yes nor no."""
    if message := refused(lambda: conf.count_background_requests, "COUNT_BACKGROUND_REQUESTS"):
        hint = "True is for sites whose pages lack the client: every request that is not passive counts as activity."
        yield Error(message, hint=hint, id="idlewatch.E012")


@of_key("CLEAR_SITE_DATA")
def clear_site_data(_: object) -> Found:
    """Say that this is neither yes nor no."""
    if message := refused(lambda: conf.clear_site_data, "CLEAR_SITE_DATA"):
        hint = "True clears at each end what the site's pages have stored in the browser: localStorage, databases."
        yield Error(message, hint=hint, id="idlewatch.E036")


@of_key("KEEP_ADDRESS")
def keep_address(_: object) -> Found:
    """Say that this is neither yes nor no."""
    if message := refused(lambda: conf.keep_address, "KEEP_ADDRESS"):
        hint = "False keeps no address of a user in the records."
        yield Error(message, hint=hint, id="idlewatch.E038")


@of_key("KEEP_USER_AGENT")
def keep_user_agent(_: object) -> Found:
    """Say that this is neither yes nor no."""
    if message := refused(lambda: conf.keep_user_agent, "KEEP_USER_AGENT"):
        hint = "False keeps nothing in the records of what browsers call themselves."
        yield Error(message, hint=hint, id="idlewatch.E039")


@of_key("POLICY")
def policy_callable(_: object) -> Found:
    """Say that nothing callable is there."""
    if message := refused(lambda: conf.policy_callable, "POLICY"):
        hint = "Write a function (user, request) that returns a dict of limits, and its dotted path here."
        yield Error(message, hint=hint, id="idlewatch.E013")


@of_key("PASSIVE_PATHS")
def passive_paths(_: object) -> Found:
    """Say which is no regular expression."""
    if message := refused(lambda: conf.passive_paths, "PASSIVE_PATHS"):
        hint = 'Write (r"^/poll/",), with the comma. Flags and groups belong inside: (?i:…), (?:…).'
        yield Error(message, hint=hint, id="idlewatch.E014")


@of_key("PASSIVE_URL_NAMES")
def passive_url_names(_: object) -> Found:
    """Say that these are no names."""
    if message := refused(lambda: conf.passive_url_names, "PASSIVE_URL_NAMES"):
        hint = 'Write ("shop:poll",), with the comma and the namespaces.'
        yield Error(message, hint=hint, id="idlewatch.E015")


@of_key("PASSIVE_URL_NAMES")
def passive_url_names_exist(_: object) -> Found:
    """Say which names no URL has: such a poll would keep sessions alive."""
    if refused(lambda: conf.passive_url_names, "PASSIVE_URL_NAMES"):
        return
    try:
        known = set(_url_names(get_resolver()))
    except Exception:  # noqa: BLE001 - Django's own checks report a URLconf that can't be loaded
        return
    for name in sorted(conf.passive_url_names - known):
        near = get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "Names go with their namespaces, as in reverse()."
        message = f"{place('PASSIVE_URL_NAMES')} names {name!r}; expected the name of a URL of this site."
        yield Warning(message, hint=hint, id="idlewatch.W006")


@of_key("ENDED_RESPONSE")
def ended_response(_: object) -> Found:
    """Say that nothing callable is there."""
    if message := refused(lambda: conf.ended_response, "ENDED_RESPONSE"):
        hint = "Write a function (request, ended) that returns a response or None, and its dotted path here."
        yield Error(message, hint=hint, id="idlewatch.E016")


@of_key("MAX_SESSIONS_PER_USER")
def max_sessions_per_user(_: object) -> Found:
    """Say that this is no number of sessions."""
    if message := refused(lambda: conf.max_sessions_per_user, "MAX_SESSIONS_PER_USER"):
        yield Error(message, hint="None lets users have as many as they like.", id="idlewatch.E017")


@of_key("MAX_TABS")
def max_tabs(_: object) -> Found:
    """Say that this is no number of tabs."""
    if message := refused(lambda: conf.max_tabs, "MAX_TABS"):
        yield Error(message, hint="50 is the default.", id="idlewatch.E018")


@of_key("BASELINE")
def baseline(value: object) -> Found:
    """Say that no baseline is named so."""
    if message := refused(lambda: conf.baseline, "BASELINE"):
        near = get_close_matches(str(value).lower(), BASELINES, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "None measures the limits against no standard."
        yield Error(message, hint=hint, id="idlewatch.E019")


@of_key("STORE")
def store(_: object) -> Found:
    """Say what keeps the store from being made."""
    if lacks_redis():
        return  # Another check says so, and what to install.
    if message := refused(_store, "STORE"):
        hint = 'Write {"BACKEND": "idlewatch.store.memory.MemoryStore"}, or leave the setting out.'
        yield Error(message, hint=hint, id="idlewatch.E020")


@of_key("CLIENT_IP")
def client_ip(_: object) -> Found:
    """Say that nothing callable is there."""
    if message := refused(lambda: conf.client_ip, "CLIENT_IP"):
        hint = "Write a function (scope_or_request) that returns an address or None, and its dotted path here."
        yield Error(message, hint=hint, id="idlewatch.E021")


@of_key("METRICS_TOKEN")
def metrics_token(_: object) -> Found:
    """Say that this is no token, or one that can be guessed."""
    if message := refused(lambda: conf.metrics_token, "METRICS_TOKEN"):
        hint = "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        yield Error(message, hint=hint, id="idlewatch.E040")


def _store() -> None:
    path = conf.store["BACKEND"]
    where = f"{place('STORE')}['BACKEND']"
    try:
        found = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"{where} is {path!r}, which can't be imported ({error}).") from error
    if not (isinstance(found, type) and issubclass(found, Store)) or isabstract(found):
        raise ImproperlyConfigured(f"{where} is {path!r}; expected a whole subclass of idlewatch.store.base.Store.")


def _url_names(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _url_names(pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix)
        elif pattern.name:
            yield f"{prefix}{pattern.name}"
