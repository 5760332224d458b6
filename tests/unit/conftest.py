"""The fixtures of tests that use the site in `tests.support.http_site`."""

from __future__ import annotations

from tests.support.http import ann, bob, browser, engine, make_browser, signals, site  # noqa: F401
