"""The socket section: state, activity, warning, extension and end, as a tab has them."""

from __future__ import annotations

from collections.abc import Iterator

from idlewatch.doctor.findings import Finding
from idlewatch.doctor.site import Site


def examine(site: Site) -> Iterator[Finding]:
    """Examine this part of the site."""
    yield from ()
