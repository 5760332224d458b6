"""Probes, the sessions of `manage.py idlewatch doctor`, for tests of how they differ from others."""

from __future__ import annotations

from django.contrib.auth.models import User

from idlewatch.monitor import probes
from idlewatch.monitor.probes import Probe
from tests.support.clocks import Time
from tests.support.http import Browser


def begin_probe(user: User, time: Time, *, idle_timeout: float = 110, warn_before: float = 10) -> Probe:
    """Begin a probe of an account."""
    return probes.begin(user, probes.limits(idle_timeout=idle_timeout, warn_before=warn_before), time.now)


def probing(user: User, time: Time, **limits: float) -> tuple[Browser, Probe]:
    """Begin a probe; return it, and a browser that has its session."""
    browser, probe = Browser(), begin_probe(user, time, **limits)
    browser.key = probe.cookies["sessionid"]
    return browser, probe
