"""The page section: the client in it, its policy, caches, the login view, and the answers after an end."""

from __future__ import annotations

from collections.abc import Iterator

from idlewatch.doctor.findings import Finding
from idlewatch.doctor.site import Site


def examine(site: Site) -> Iterator[Finding]:
    """Examine this part of the site."""
    yield from ()
