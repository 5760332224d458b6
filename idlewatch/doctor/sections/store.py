"""The store section: who owns it, who takes part in it, and what Redis is set up to do."""

from __future__ import annotations

from collections.abc import Iterator

from idlewatch.doctor.findings import Finding
from idlewatch.doctor.site import Site


def examine(site: Site) -> Iterator[Finding]:
    """Examine this part of the site."""
    yield from ()
