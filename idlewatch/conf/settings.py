"""The setting `IDLEWATCH`: every key is declared once, in `Conf`.

A value is parsed when it is first read. One that can't be used raises `ImproperlyConfigured`; `idlewatch.checks` finds
all of them at once, and what is merely unwise.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from msgspec.structs import replace

from idlewatch.conf.declaration import Limit, Setting
from idlewatch.conf.django_settings import KEPT, DjangoSettings
from idlewatch.conf.validators import (
    Backend,
    Boolean,
    Choice,
    DottedObject,
    DottedPath,
    Duration,
    Integer,
    OrNone,
    Patterns,
    Strings,
    Thresholds,
    Token,
)
from idlewatch.core.baselines import BASELINES, clamped
from idlewatch.core.policy import Policy, fitted
from idlewatch.types import ClientIP, EndedResponse, PolicyCallable, Reauthentication

logger = logging.getLogger("idlewatch")

MAX_DRAFT_AGE = 31_536_000.0
"""Seconds in a year: users do not return to older drafts, and dates have an end."""
MAX_RECORD_RETENTION = 946_080_000.0
"""Seconds in thirty years."""


class Conf(DjangoSettings):
    """The settings in force.

    A `Limit` is read as the project wrote it; `policy` has the limits that apply.
    """

    idle_timeout = Limit(
        "IDLE_TIMEOUT", Duration(), 900, "Ends a session after this long without activity", check="E003"
    )
    warn_before = Limit(
        "WARN_BEFORE", Duration(zero=True), 120, "Warns in every open tab this long before the end", check="E004"
    )
    absolute_timeout = Limit(
        "ABSOLUTE_TIMEOUT",
        OrNone(Duration()),
        43200,
        "Ends a session this long after login, whatever the activity; None sets no such limit",
        check="E006",
    )
    close_grace = Limit(
        "CLOSE_GRACE",
        OrNone(Duration(zero=True)),
        300,
        "Ends a session this long after its last tab was closed; None leaves it to the idle timeout",
        check="E007",
    )
    hold_limit = Limit(
        "HOLD_LIMIT",
        Duration(zero=True),
        7200,
        "Bounds how long uploads, videos and other holds stop the idle clock; 0 refuses holds",
        check="E008",
    )
    heartbeat = Limit("HEARTBEAT", Duration(), 15, "Sets how often, at most, a page reports activity", check="E009")
    activity_extends_warning = Limit(
        "ACTIVITY_EXTENDS_WARNING",
        Boolean(),
        False,
        "Lets activity during the warning extend the session, without a click on the dialog",
        check="E010",
    )
    count_background_requests = Setting(
        "COUNT_BACKGROUND_REQUESTS",
        Boolean(),
        False,
        "Counts requests that scripts send as activity, for projects whose pages lack the client",
        check="E012",
    )
    passive_paths = Setting(
        "PASSIVE_PATHS",
        Patterns(),
        (),
        "Excludes requests with these paths from activity",
        check="E014",
        hint='Write (r"^/poll/",), with the comma. Flags and groups belong inside: (?i:…), (?:…).',
    )
    passive_url_names = Setting(
        "PASSIVE_URL_NAMES",
        Strings("URL names"),
        (),
        "Excludes requests to these URLs from activity",
        check="E015",
        hint='Write ("shop:poll",), with the comma and the namespaces.',
    )
    policy_callable: Setting[PolicyCallable | None] = Setting(
        "POLICY",
        OrNone(DottedPath()),
        None,
        "Chooses the limits for each login",
        check="E013",
        hint="Write a function (user, request) that returns a dict of limits, and its dotted path here.",
    )
    max_sessions_per_user = Setting(
        "MAX_SESSIONS_PER_USER",
        OrNone(Integer()),
        None,
        "Ends a user's oldest session when a login exceeds this number; None sets no limit",
        check="E017",
    )
    max_tabs = Setting("MAX_TABS", Integer(), 50, "Limits the sockets that one session may have open", check="E018")
    baseline = Setting(
        "BASELINE",
        OrNone(Choice(tuple(BASELINES))),
        None,
        "Names the standard that no session may be looser than",
        check="E019",
    )
    draft_age = Setting(
        "DRAFT_AGE",
        Duration(zero=True, maximum=MAX_DRAFT_AGE),
        86400,
        "Keeps unsent input this long; 0 keeps none",
        check="E037",
    )
    ended_response: Setting[EndedResponse | None] = Setting(
        "ENDED_RESPONSE",
        OrNone(DottedPath()),
        None,
        "Replaces the response to a request of an ended session",
        check="E016",
        hint="Write a function (request, ended) that returns a response or None, and its dotted path here.",
    )
    clear_site_data = Setting(
        "CLEAR_SITE_DATA",
        Boolean(),
        False,
        "Clears what pages have stored in the browser when a session ends",
        check="E036",
    )
    metrics_token = Setting(
        "METRICS_TOKEN",
        OrNone(Token()),
        None,
        "Bearer token for `/metrics`",
        check="E040",
        hint="Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
    )
    client_ip: Setting[ClientIP | None] = Setting(
        "CLIENT_IP",
        OrNone(DottedPath()),
        None,
        "Finds the user's address behind a proxy",
        check="E021",
        hint="Choose one of idlewatch.http.client_ip, or write a function (scope_or_request) that returns an address.",
    )
    reauthenticate: Setting[Reauthentication] = Setting(
        "REAUTHENTICATE",
        DottedObject(("proved_at", "url")),
        "idlewatch.http.reauthentication.Password",
        "Reauthenticates users: for “Sign in again”, and before they end other sessions",
        check="E048",
    )
    keep_address = Setting(
        "KEEP_ADDRESS", Boolean(), True, "Records the address that a session was started from", check="E038"
    )
    keep_user_agent = Setting("KEEP_USER_AGENT", Boolean(), True, "Records the browser's `User-Agent`", check="E039")
    store = Setting(
        "STORE",
        Backend(),
        {"BACKEND": "idlewatch.store.memory.MemoryStore"},
        "Keeps the facts of the sessions",
        check="E020",
    )
    checkpoint = Setting(
        "CHECKPOINT", Duration(), 60, "Bounds how stale the recorded time of the last activity may be", check="E011"
    )
    record_retention = Setting(
        "RECORD_RETENTION",
        OrNone(Duration(maximum=MAX_RECORD_RETENTION)),
        None,
        "Deletes records of sessions this long after their end; None keeps them",
        check="E063",
    )
    gc_thresholds = Setting(
        "GC_THRESHOLDS",
        OrNone(Thresholds()),
        None,
        "Makes the garbage collector stop a server process less often; None leaves it alone",
        check="E062",
        hint="Write three integers, as gc.set_threshold takes them: (10000, 100, 2).",
    )

    @property
    def given(self) -> Mapping[str, Any]:
        """The dict that the project wrote; empty where it wrote none."""
        given = getattr(settings, "IDLEWATCH", {})
        if not isinstance(given, Mapping):
            raise ImproperlyConfigured(f"IDLEWATCH is {given!r}; expected a dict.")
        return given

    @cached_property
    def policy(self) -> Policy:
        """The limits of a session where `POLICY` answers nothing else."""
        return self.policy_with(None)

    @property
    def written(self) -> Policy:
        """The limits as the project wrote them, even if they contradict each other or exceed `BASELINE`."""
        return Policy(
            **{limit.name: getattr(self, limit.name) for limit in LIMITS.values()}, checkpoint=self.checkpoint
        )

    def policy_with(self, answer: Mapping[str, object] | None) -> Policy:
        """Return the limits of a session, which `POLICY` may set in place of the settings.

        Limits that contradict each other are fitted, and those looser than `BASELINE` clamped, with a line in the log.

        Raises:
            ImproperlyConfigured: the answer, or a setting, can't be used.
        """
        if not isinstance(answer, Mapping | None):
            raise ImproperlyConfigured(f"The answer of POLICY is {answer!r}; expected a dict of limits, or None.")
        answer = answer or {}
        if unknown := sorted(str(key) for key in answer if key not in LIMITS):
            raise ImproperlyConfigured(f"The answer of POLICY has the keys {unknown}; expected {', '.join(LIMITS)}.")
        answered = {
            limit.name: limit.validator(f"The answer of POLICY for {key!r}", answer[key])
            for key, limit in LIMITS.items()
            if key in answer
        }
        return fitted(self._clamped(replace(self.written, **answered)))

    def forget(self) -> None:
        """Drop what was parsed, to read every setting again."""
        vars(self).clear()

    def _clamped(self, policy: Policy) -> Policy:
        if self.baseline is None:
            return policy
        policy, violations = clamped(policy, BASELINES[self.baseline])
        if violations:
            keys = {limit.name: key for key, limit in LIMITS.items()}
            changes = ", ".join(f"{keys[it.limit]} from {it.value} to {it.most:g} s" for it in violations)
            logger.warning("BASELINE %s: clamped %s.", self.baseline, changes)
        return policy


SETTINGS: Mapping[str, Setting[Any]] = {it.key: it for it in vars(Conf).values() if isinstance(it, Setting)}
"""Every setting by its key, in the order of the docs."""

LIMITS: Mapping[str, Limit[Any]] = {key: it for key, it in SETTINGS.items() if isinstance(it, Limit)}
"""Those that `POLICY` may answer with."""

conf = Conf()


def _forget(*, setting: str, **_: object) -> None:
    if setting == "IDLEWATCH" or setting in KEPT:
        conf.forget()


setting_changed.connect(_forget, dispatch_uid="idlewatch.conf")
