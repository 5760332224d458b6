"""Which browser, on which system, a session is in: what a user agent says of it, in words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from django.utils.translation import gettext

from idlewatch.conf.extras import Extra, is_installed

if TYPE_CHECKING or is_installed(Extra.DEVICES):
    from ua_parser import parse

KEPT = 4096
"""User agents that are remembered: reading one takes longer than a search among these."""
LONGEST = 512
"""Characters that are read; a record has no more, and the pattern matching takes its time."""
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
"""What people call a browser, where the parser has a finer name."""
SYSTEMS = {"Mac OS X": "macOS", "Chrome OS": "ChromeOS"}
"""What its maker calls a system."""
HANDHELDS = frozenset({"iPhone", "iPad", "iPod"})
"""Devices that say more than their system."""

PRODUCT = re.compile(r"(?!Mozilla/)([\w.+-]+)/(\d+)")
"""The product that a user agent names first (RFC 9110, 10.1.5); every browser claims to be Mozilla."""


class _Device(NamedTuple):
    """What could be told; empty what could not."""

    browser: str
    system: str


def device_of(user_agent: str) -> str:
    """Return a user agent in words, as “Chrome 131 on Windows”, in the active language; empty for an empty one.

    It never raises: whatever a client calls itself, there is something to say.
    """
    if not user_agent.strip():
        return ""
    device = _read(user_agent[:LONGEST])
    if device.browser and device.system:
        # Translators: a device, as in “Chrome 131 on Windows”.
        return gettext("%(browser)s on %(system)s") % device._asdict()
    return device.browser or device.system or gettext("Unknown device")


@lru_cache(KEPT)
def _read(user_agent: str) -> _Device:
    """Read a user agent once; what it means in a language is put together anew each time."""
    if not is_installed(Extra.DEVICES):
        product = PRODUCT.match(user_agent)
        return _Device(" ".join(product.groups()) if product else "", "")
    try:
        found = parse(user_agent)
    except Exception:  # noqa: BLE001 - a client may call itself anything, and the patterns are not ours
        return _Device("", "")
    browser = system = ""
    if found.user_agent is not None:
        family, major = found.user_agent.family, found.user_agent.major
        browser = " ".join(filter(None, (BROWSERS.get(family, family), major)))
    if found.device is not None and found.device.family in HANDHELDS:
        system = found.device.family
    elif found.os is not None:
        system = SYSTEMS.get(found.os.family, found.os.family)
    return _Device(browser, system)
