"""The device of a session in words: browser and operating system, by the user agent; or that it is a probe."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from django.utils.translation import gettext

from idlewatch.conf.extras import Extra, is_installed
from idlewatch.core.probes import is_probe

if TYPE_CHECKING or is_installed(Extra.DEVICES):
    from ua_parser import parse

MAX_CACHED = 4096
"""User agents whose result is cached: parsing one takes milliseconds."""
MAX_LENGTH = 512
"""Characters that are parsed; a record has no more, and matching the patterns is slow."""
BROWSERS = {
    "Chrome Mobile": "Chrome",
    "Chrome Mobile iOS": "Chrome",
    "Chrome Mobile WebView": "Chrome",
    "HeadlessChrome": "Headless Chrome",
    "Edge Mobile": "Edge",
    "Firefox iOS": "Firefox",
    "Firefox Mobile": "Firefox",
    "IE": "Internet Explorer",
    "IE Mobile": "Internet Explorer",
    "Mobile Safari": "Safari",
    "Mobile Safari UI/WKWebView": "Safari",
    "Opera Mobile": "Opera",
}
"""Common names, where the parser's are finer."""
SYSTEMS = {"Mac OS X": "macOS", "Chrome OS": "ChromeOS"}
"""Names that the vendors use."""
HANDHELDS = frozenset({"iPhone", "iPad", "iPod"})
"""Devices that are better known than their system."""

PRODUCT = re.compile(r"(?!Mozilla/)([\w.+-]+)/(\d+)")
"""The product that a user agent names first (RFC 9110, 10.1.5); every browser claims to be Mozilla."""


class _Device(NamedTuple):
    """Names of browser and system; empty if unknown."""

    browser: str
    system: str


def device_name(watch_id: str, user_agent: str) -> str:
    """Return what pages show as the device of a session, in the active language; empty if nothing is known of it."""
    # Translators: in the place of a device, of a session by which the site is tested.
    return gettext("Check of this site") if is_probe(watch_id) else device_of(user_agent)


def device_of(user_agent: str) -> str:
    """Return a user agent in words, as “Chrome 131 on Windows”, in the active language; empty for an empty one.

    It never raises; without a known browser or system it returns “Unknown device”.
    """
    if not user_agent.strip():
        return ""
    device = _read(user_agent[:MAX_LENGTH])
    if device.browser and device.system:
        # Translators: a device, as in “Chrome 131 on Windows”.
        return gettext("%(browser)s on %(system)s") % device._asdict()
    return device.browser or device.system or gettext("Unknown device")


@lru_cache(MAX_CACHED)
def _read(user_agent: str) -> _Device:
    """Parse a user agent. The result is cached, and independent of the language."""
    if not is_installed(Extra.DEVICES):
        product = PRODUCT.match(user_agent)
        return _Device(" ".join(product.groups()) if product else "", "")
    try:
        result = parse(user_agent)
    except Exception:  # noqa: BLE001 - user agents are arbitrary, and the patterns are not ours
        return _Device("", "")
    browser = system = ""
    if result.user_agent is not None:
        family, major = result.user_agent.family, result.user_agent.major
        browser = " ".join(filter(None, (BROWSERS.get(family, family), major)))
    if result.device is not None and result.device.family in HANDHELDS:
        system = result.device.family
    elif result.os is not None:
        system = SYSTEMS.get(result.os.family, result.os.family)
    return _Device(browser, system)
