"""The fixtures of tests that use the site in `tests.support.http_site`."""

from __future__ import annotations

from tests.support.http import ann, bob, browser, engine, late, make_browser, signals, signed_in, site  # noqa: F401
