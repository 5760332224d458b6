"""The browser tests' site, with pages whose forms are kept."""

from __future__ import annotations

from tests.browser.settings import *  # noqa: F403

ROOT_URLCONF = "tests.browser.drafts_urls"
