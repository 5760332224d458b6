"""The deployable project, with a view that sends a notice as an operator's would."""

from __future__ import annotations

from tests.browser.settings import *  # noqa: F403

ROOT_URLCONF = "tests.integration.server.notices_urls"
