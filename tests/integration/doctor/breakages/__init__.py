"""The breakages, by the part of the site that is broken."""

from __future__ import annotations

from collections.abc import Sequence

from tests.integration.doctor.breakage import Breakage
from tests.integration.doctor.breakages import pages, paths, processes, proxies, settings, stores

ALL: Sequence[Breakage] = (
    *proxies.BREAKAGES,
    *paths.BREAKAGES,
    *pages.BREAKAGES,
    *stores.BREAKAGES,
    *processes.BREAKAGES,
    *settings.BREAKAGES,
)
