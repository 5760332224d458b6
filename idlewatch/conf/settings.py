"""The setting `IDLEWATCH`: one typed property each, read when it is needed, its default beside it.

What can't be used at all raises `ImproperlyConfigured`, which names the key, what came and what was expected; `checks`
finds all of them at once, and what is merely unwise.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from django.conf import global_settings, settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, is_valid_path
from msgspec.structs import replace

from idlewatch.conf import validators
from idlewatch.core.baselines import BASELINES, clamped
from idlewatch.core.policy import Policy
from idlewatch.types import ClientIP, EndedResponse, PolicyCallable

logger = logging.getLogger("idlewatch")

POLICY_KEYS: Mapping[str, str] = {
    "IDLE_TIMEOUT": "idle_timeout",
    "WARN_BEFORE": "warn_before",
    "ABSOLUTE_TIMEOUT": "absolute_timeout",
    "CLOSE_GRACE": "close_grace",
    "HOLD_LIMIT": "hold_limit",
    "HEARTBEAT": "heartbeat",
    "ACTIVITY_EXTENDS_WARNING": "activity_extends_warning",
}
"""The keys that `POLICY` may answer with, and the limit that each sets."""

OPTIONAL_KEYS = frozenset({"ABSOLUTE_TIMEOUT", "CLOSE_GRACE"})
"""Those for which None means: no such limit."""

ZERO_KEYS = frozenset({"WARN_BEFORE", "CLOSE_GRACE", "HOLD_LIMIT"})
"""Those that may be nothing: no warning, no grace, no holds."""

LONGEST_DRAFT = 31_536_000.0
"""Seconds that what was typed may be kept: a year. Nobody comes back to it later, and dates have an end."""

LEAST_TOKEN = 16
"""Characters of a token that nobody guesses."""

METRICS_TOKEN = re.compile(rf"[A-Za-z0-9._~+/-]{{{LEAST_TOKEN},}}=*")
"""A bearer token as RFC 6750 has it."""

STORE_KEYS = frozenset({"BACKEND", "LOCATION", "OPTIONS"})
"""What the setting `STORE` is made of."""

KEYS = frozenset(
    {
        *POLICY_KEYS,
        "COUNT_BACKGROUND_REQUESTS",
        "POLICY",
        "PASSIVE_PATHS",
        "PASSIVE_URL_NAMES",
        "ENDED_RESPONSE",
        "MAX_SESSIONS_PER_USER",
        "MAX_TABS",
        "CHECKPOINT",
        "DRAFT_AGE",
        "BASELINE",
        "CLEAR_SITE_DATA",
        "KEEP_ADDRESS",
        "KEEP_USER_AGENT",
        "METRICS_TOKEN",
        "STORE",
        "CLIENT_IP",
    }
)


def place(key: str) -> str:
    """Return how messages name a key of the setting."""
    return f"IDLEWATCH[{key!r}]"


def limit(key: str, value: object, where: str) -> float | bool | None:
    """Return one limit of a policy, as `IDLEWATCH` or `POLICY` gives it."""
    if key == "ACTIVITY_EXTENDS_WARNING":
        return validators.truth(where, value)
    optional = key in OPTIONAL_KEYS
    if value is None and optional:
        return None
    return validators.seconds(where, value, zero=key in ZERO_KEYS, none=optional)


def limits(given: Mapping[str, object], where: Callable[[str], str]) -> dict[str, Any]:
    """Return the fields of a policy that a mapping gives."""
    return {field: limit(key, given[key], where(key)) for key, field in POLICY_KEYS.items() if key in given}


def fitted(policy: Policy) -> Policy:
    """Return a policy whose limits can work together, where they were written one without the other.

    A warning that came before the session does would never go away by itself, and a page that reported more seldom
    than the warning comes would be warned while its user works.
    """
    idle = policy.idle_timeout
    warn = policy.warn_before if policy.warn_before < idle else idle / 2
    heartbeat = policy.heartbeat if policy.heartbeat < idle - warn else (idle - warn) / 2
    return replace(policy, warn_before=warn, heartbeat=heartbeat, checkpoint=min(policy.checkpoint, idle / 10))


class Conf:
    """The settings of idlewatch, as they stand."""

    @property
    def given(self) -> Mapping[str, Any]:
        """What the project wrote."""
        given = getattr(settings, "IDLEWATCH", {})
        if not isinstance(given, Mapping):
            raise ImproperlyConfigured(f"IDLEWATCH is {given!r}; expected a dict.")
        return given

    @cached_property
    def policy(self) -> Policy:
        """The limits of a session for which `POLICY` says nothing else."""
        return self.policy_with({})

    @property
    def written(self) -> Policy:
        """The limits as the project wrote them, also where they don't work together or exceed `BASELINE`."""
        return Policy(**limits(self.given, place), checkpoint=self.checkpoint)

    def policy_with(self, answers: Mapping[str, object] | None) -> Policy:
        """Return the limits with what `POLICY` answered in place of the site's; None: it says nothing else.

        No session gets limits looser than `BASELINE`.

        Raises:
            ImproperlyConfigured: the answer, or the setting, can't be used.
        """
        if not isinstance(answers, Mapping | None):
            raise validators.refusal("What POLICY answered", answers, "a dict of limits")
        answers = answers or {}
        unknown = sorted(str(key) for key in answers if key not in POLICY_KEYS)
        if unknown:
            raise validators.refusal("What POLICY answered", unknown, f"keys of {', '.join(POLICY_KEYS)}")
        answered = limits(answers, "What POLICY answered for {!r}".format)
        return fitted(self._clamped(replace(self.written, **answered)))

    @cached_property
    def policy_callable(self) -> PolicyCallable | None:
        """`(user, request) -> dict` of limits, asked at sign-in."""
        return self._called("POLICY")

    @cached_property
    def count_background_requests(self) -> bool:
        """Whether requests that a script sends count as activity."""
        return validators.truth(*self._given("COUNT_BACKGROUND_REQUESTS", False))

    @cached_property
    def passive_paths(self) -> re.Pattern[str] | None:
        """One pattern for every path whose requests never count."""
        where, paths = self._given("PASSIVE_PATHS", ())
        return validators.pattern(where, validators.texts(where, paths, "regular expressions"))

    @cached_property
    def passive_url_names(self) -> frozenset[str]:
        """Names of URLs, with their namespaces, whose requests never count."""
        return frozenset(validators.texts(*self._given("PASSIVE_URL_NAMES", ()), "URL names"))

    @cached_property
    def ended_response(self) -> EndedResponse | None:
        """`(request, ended) -> response | None`, in place of the ended response."""
        return self._called("ENDED_RESPONSE")

    @cached_property
    def max_sessions_per_user(self) -> int | None:
        """How many live sessions a user may have; the oldest gives way."""
        where, number = self._given("MAX_SESSIONS_PER_USER", None)
        return None if number is None else validators.count(where, number, none=True)

    @cached_property
    def max_tabs(self) -> int:
        """How many sockets a session may have open."""
        return validators.count(*self._given("MAX_TABS", 50))

    @cached_property
    def checkpoint(self) -> float:
        """How stale, in seconds, the durable record of last activity may be."""
        return validators.seconds(*self._given("CHECKPOINT", 60))

    @cached_property
    def draft_age(self) -> float:
        """How long, in seconds, what was typed and not sent is kept; 0: not at all."""
        return validators.seconds(*self._given("DRAFT_AGE", 86400), zero=True, most=LONGEST_DRAFT)

    @cached_property
    def baseline(self) -> str | None:
        """The name of the standard that the limits have to meet."""
        where, name = self._given("BASELINE", None)
        if name is None or (isinstance(name, str) and name in BASELINES):
            return name
        raise validators.refusal(where, name, f"one of {', '.join(map(repr, BASELINES))}, or None")

    @cached_property
    def store(self) -> Mapping[str, Any]:
        """Which store to use, and how to reach it."""
        where, store = self._given("STORE", {"BACKEND": "idlewatch.store.memory.MemoryStore"})
        # What it holds is never shown: LOCATION may contain a password.
        if not isinstance(store, Mapping):
            raise ImproperlyConfigured(f"{where} is a {type(store).__name__}; expected a dict, as in CACHES.")
        if unknown := [key for key in store if key not in STORE_KEYS]:
            raise ImproperlyConfigured(f"{where} has the keys {unknown}; expected BACKEND, LOCATION and OPTIONS.")
        for key, kind, name in (
            ("BACKEND", str, "a dotted path"),
            ("LOCATION", str | None, "a text"),
            ("OPTIONS", Mapping | None, "a dict"),
        ):
            if not isinstance(store.get(key), kind):
                raise ImproperlyConfigured(f"{where}[{key!r}] is a {type(store.get(key)).__name__}; expected {name}.")
        return store

    @cached_property
    def clear_site_data(self) -> bool:
        """Whether browsers are told to clear what pages have stored, when a session ends."""
        return validators.truth(*self._given("CLEAR_SITE_DATA", False))

    @cached_property
    def keep_address(self) -> bool:
        """Whether records say from which address a session was begun."""
        return validators.truth(*self._given("KEEP_ADDRESS", True))

    @cached_property
    def keep_user_agent(self) -> bool:
        """Whether records say what the browser calls itself."""
        return validators.truth(*self._given("KEEP_USER_AGENT", True))

    @cached_property
    def metrics_token(self) -> str | None:
        """What who asks for the metrics has to bear; None: nobody may ask by a token."""
        where, token = self._given("METRICS_TOKEN", None)
        # What it holds is never shown.
        if token is not None and not (isinstance(token, str) and METRICS_TOKEN.fullmatch(token)):
            what = f"a text of {len(token)} characters" if isinstance(token, str) else f"a {type(token).__name__}"
            raise ImproperlyConfigured(
                f"{where} is {what}; expected one of {LEAST_TOKEN} or more letters, digits and any of -._~+/, or None."
            )
        return token

    @cached_property
    def client_ip(self) -> ClientIP | None:
        """`(scope or request) -> address | None`, where a proxy hides the peer's."""
        return self._called("CLIENT_IP")

    @property
    def session_cookie_name(self) -> str:
        """The cookie that carries the session key."""
        return settings.SESSION_COOKIE_NAME

    @property
    def session_cookie_age(self) -> float:
        """Seconds for which a browser may come back with the cookie of a session."""
        return float(settings.SESSION_COOKIE_AGE)

    @property
    def session_engine(self) -> str:
        """The module of the session engine."""
        return settings.SESSION_ENGINE

    @property
    def session_always_saved(self) -> bool:
        """Whether each answer saves the session, also one whose view left it alone."""
        return bool(settings.SESSION_SAVE_EVERY_REQUEST)

    @property
    def login_url(self) -> str:
        """Where to sign in, as a URL."""
        return resolve_url(settings.LOGIN_URL)

    @property
    def logout_redirect_url(self) -> str:
        """Where to go after signing out, as a URL."""
        return resolve_url(settings.LOGOUT_REDIRECT_URL) if settings.LOGOUT_REDIRECT_URL else self.login_url

    @property
    def home_url(self) -> str:
        """The start page, as a URL: where Django sends those who have signed in without `next`."""
        given = settings.LOGIN_REDIRECT_URL
        # A site whose logins all have a `next` may never have missed it, and have Django's default for a page.
        if not given or (given == global_settings.LOGIN_REDIRECT_URL and not is_valid_path(given)):
            return "/"
        try:
            return resolve_url(given)
        except NoReverseMatch:
            return "/"

    @property
    def cookie_options(self) -> dict[str, Any]:
        """How cookies of the session's kind are set."""
        return {
            "path": settings.SESSION_COOKIE_PATH,
            "domain": settings.SESSION_COOKIE_DOMAIN,
            "samesite": settings.SESSION_COOKIE_SAMESITE,
        }

    @property
    def cookies_secure(self) -> bool:
        """Whether the session's cookie goes over TLS alone."""
        return bool(settings.SESSION_COOKIE_SECURE)

    @property
    def secrets(self) -> Sequence[str | bytes]:
        """The secret key, then those it replaced."""
        return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)

    def _given(self, key: str, default: object) -> tuple[str, Any]:
        return place(key), self.given.get(key, default)

    def _called(self, key: str) -> Callable[..., Any] | None:
        where, path = self._given(key, None)
        return None if path is None else validators.called(where, path)

    def _clamped(self, policy: Policy) -> Policy:
        if self.baseline is None:
            return policy
        policy, found = clamped(policy, BASELINES[self.baseline])
        if found:
            keys = {field: key for key, field in POLICY_KEYS.items()}
            changes = ", ".join(f"{keys[it.limit]} from {it.value} to {it.most:g} s" for it in found)
            logger.warning("BASELINE %s: clamped %s.", self.baseline, changes)
        return policy

    def forget(self) -> None:
        """Read every setting anew."""
        vars(self).clear()


conf = Conf()


def _forget(*, setting: str, **_: object) -> None:
    if setting == "IDLEWATCH":
        conf.forget()


setting_changed.connect(_forget, dispatch_uid="idlewatch.conf")
