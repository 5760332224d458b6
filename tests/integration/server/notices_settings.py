"""The tests' site on several processes, over the layer that the environment names, with a view that says something."""

from __future__ import annotations

from tests.integration.server.layered import *  # noqa: F403

ROOT_URLCONF = "tests.integration.server.notices_urls"
