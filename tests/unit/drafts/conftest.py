from __future__ import annotations

from tests.support.http import ann, bob, browser, engine, make_browser, site  # noqa: F401
