"""What a process reports about itself, and about a request as it arrived, to `manage.py idlewatch doctor`."""

from __future__ import annotations

import json
import os
import platform
import socket
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.crypto import salted_hmac
from msgspec import Struct

from idlewatch.conf import conf
from idlewatch.core.protocol import TAB_PATH
from idlewatch.http.challenge import HEADER, nonce_of
from idlewatch.http.site_urls import below_script_name, path_of
from idlewatch.monitor import session_cache, stores
from idlewatch.monitor.peer import address_of
from idlewatch.monitor.store_lease import StoreLease
from idlewatch.ops.health import ROUND_TIMEOUT
from idlewatch.process import Process, current_process
from idlewatch.runtime.runtime import running_runtime

PACKAGES = ("idlewatch", "django", "channels", "daphne", "channels-redis", "redis", "asgiref")
"""The packages whose versions are reported."""
FORWARDING_HEADERS = (
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Real-IP",
    "Forwarded",
    "Via",
)
"""The headers that proxies set."""
SCRIPT, STYLESHEET = "idlewatch/idlewatch.min.js", "idlewatch/idlewatch.min.css"
"""The client's files."""
COMPARED_SETTINGS = (
    "ALLOWED_HOSTS",
    "AUTHENTICATION_BACKENDS",
    "AUTH_USER_MODEL",
    "CACHES",
    "CHANNEL_LAYERS",
    "CSRF_COOKIE_DOMAIN",
    "CSRF_COOKIE_NAME",
    "CSRF_COOKIE_PATH",
    "CSRF_COOKIE_SECURE",
    "CSRF_TRUSTED_ORIGINS",
    "CSRF_USE_SESSIONS",
    "DATABASES",
    "DATABASE_ROUTERS",
    "DEBUG",
    "FORCE_SCRIPT_NAME",
    "IDLEWATCH",
    "INSTALLED_APPS",
    "LOGIN_URL",
    "MIDDLEWARE",
    "ROOT_URLCONF",
    "SECURE_PROXY_SSL_HEADER",
    "SESSION_COOKIE_DOMAIN",
    "SESSION_COOKIE_NAME",
    "SESSION_COOKIE_PATH",
    "SESSION_COOKIE_SECURE",
    "SESSION_ENGINE",
    "STATIC_URL",
    "USE_X_FORWARDED_HOST",
)
"""The settings of which digests are reported: a command that runs under others examines another site."""


class TimerReport(Struct, frozen=True, kw_only=True):
    """The timer of a process."""

    round_age: float | None
    """Seconds since the latest round that did all it had to; None if there was none yet."""
    is_listening: bool
    """Whether the process receives what others publish; true also where there are no others."""

    @property
    def keeps_rounds(self) -> bool:
        """Whether it has kept one lately."""
        return self.round_age is not None and self.round_age <= ROUND_TIMEOUT


class SelfReport(Struct, frozen=True, kw_only=True):
    """A process, and a request as it arrived there."""

    process: str
    """The random name of the process."""
    pid: int
    machine: str
    """The name of the host on which it runs."""
    python: str
    versions: Mapping[str, str]
    """The versions of the installed `PACKAGES`."""
    settings: Mapping[str, str]
    """Keyed digests of the `COMPARED_SETTINGS`."""
    now: float
    """Epoch seconds by its clock."""
    interface: str
    """`asgi` or `wsgi`."""
    scheme: str
    host: str | None
    """The site's host by Django's rules; None where ALLOWED_HOSTS does not have it."""
    path: str
    """The path as a browser would have sent it."""
    peer: str | None
    """The address of the peer of the connection."""
    address: str | None
    """The user's address, by `CLIENT_IP`."""
    forwarded: Mapping[str, str]
    """The `FORWARDING_HEADERS` that arrived."""
    origin: str | None
    """The header Origin."""
    state_url: str
    socket_url: str
    """The addresses that a page is given."""
    script_url: str | None
    stylesheet_url: str | None
    """The addresses of the client's files, as pages name them; None where the storage of static files fails."""
    is_store_shared: bool
    store_owner: str | None
    """The other process that owns the memory store; None where this one may judge."""
    timer: TimerReport | None
    """None where no timer runs in this process."""
    has_cached: bool | None
    """Whether the cache of the sessions has what the doctor put there; None where sessions are in no cache."""

    @property
    def is_starting(self) -> bool:
        """Whether it may have begun just now: its timer has kept no round yet, or does not listen to others."""
        if self.timer is None:
            # Under WSGI, other processes may have the timers.
            return self.interface == "asgi" or not self.is_store_shared
        return self.store_owner is None and (self.timer.round_age is None or not self.timer.is_listening)

    def __repr__(self) -> str:
        return f"<SelfReport of process {self.process}>"


def self_report(request: HttpRequest) -> SelfReport:
    """Return the report of the current process on itself and on this request."""
    process = current_process()
    owner = process.part(StoreLease).owner
    return SelfReport(
        process=process.name,
        pid=os.getpid(),
        machine=socket.gethostname(),
        python=platform.python_version(),
        versions=versions(),
        settings=settings_digests(),
        now=process.clock.now(),
        interface="asgi" if hasattr(request, "scope") else "wsgi",
        scheme=request.scheme or "http",
        host=_host_of(request),
        path=path_of(request),
        peer=request.META.get("REMOTE_ADDR") or None,
        address=address_of(request),
        forwarded={name: value for name in FORWARDING_HEADERS if (value := request.headers.get(name))},
        origin=request.headers.get("Origin"),
        state_url=reverse("idlewatch:state"),
        socket_url=below_script_name(TAB_PATH),
        script_url=static_url(SCRIPT),
        stylesheet_url=static_url(STYLESHEET),
        is_store_shared=stores.store_of(process).shared,
        store_owner=None if owner is None else str(owner),
        timer=_timer_report(process),
        has_cached=session_cache.has(nonce_of(request.headers.get(HEADER, ""))),
    )


def versions() -> Mapping[str, str]:
    """Return the versions of the installed `PACKAGES`."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def static_url(name: str) -> str | None:
    """Return the address of a static file, as pages name it; None if there is none."""
    try:
        return static(name)
    except Exception:  # noqa: BLE001 - a manifest without the file; storages of other packages raise what they like
        return None


def settings_digests() -> Mapping[str, str]:
    """Return keyed digests of the `COMPARED_SETTINGS`, which may hold passwords."""
    return {name: _digest(getattr(settings, name, None)) for name in COMPARED_SETTINGS}


def _digest(value: object) -> str:
    try:
        text = json.dumps(value, sort_keys=True, default=_as_text)
    except (TypeError, ValueError, RecursionError):
        # Keys that JSON does not have or that can't be ordered, or a value that contains itself.
        text = type(value).__qualname__
    return salted_hmac("idlewatch.doctor.settings", text, secret=conf.secrets[0], algorithm="sha256").hexdigest()[:16]


def _as_text(value: Any) -> object:  # noqa: ANN401 - settings may be of any type
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    named = getattr(value, "__qualname__", None)
    # The default text of an object has its place in memory.
    has_text = named is None and "__str__" in {name for kind in type(value).__mro__[:-1] for name in vars(kind)}
    return str(value) if has_text else named or type(value).__qualname__


def _host_of(request: HttpRequest) -> str | None:
    try:
        return request.get_host()
    except DisallowedHost:
        return None


def _timer_report(process: Process) -> TimerReport | None:
    runtime = running_runtime(process)
    if runtime is None:
        return None
    kept_at = runtime.timer.kept_at
    is_listening = not stores.store_of(process).shared or runtime.bus.channel is not None
    return TimerReport(
        round_age=None if kept_at is None else process.clock.now() - kept_at,
        is_listening=is_listening,
    )
