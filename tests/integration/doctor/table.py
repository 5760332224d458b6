"""All sites for the doctor."""

from __future__ import annotations

from collections.abc import Sequence

from idlewatch.doctor.findings import Trial
from tests.integration.doctor import breakages
from tests.integration.doctor.breakage import Base, Breakage

UNWISE = {
    Base.DEPLOYED: {Trial.CHECKS: "W020"},
    Base.TWO: {Trial.CHECKS: "W020"},
    Base.BELOW: {Trial.CHECKS: "W020"},
    Base.POLLING: {Trial.HANDSHAKE: "WSGI"},
}
"""What the doctor warns of on right sites: SQLite with a shared store, and a server without sockets."""
RIGHT: Sequence[Breakage] = [
    Breakage(name="the documented deployment", base=Base.TWO, on_postgres=True),
    *(Breakage(name=base.value, base=base, warnings=UNWISE.get(base, {})) for base in Base),
]
"""The right sites: nothing is broken in them."""
BROKEN: Sequence[Breakage] = breakages.ALL


def named(name: str) -> Breakage:
    """Return the site of a name."""
    return next(site for site in (*RIGHT, *BROKEN) if site.name == name)


def right(broken: Breakage) -> Breakage:
    """Return the right site that is broken here."""
    return next(site for site in RIGHT if site.base is broken.base and site.on_postgres == broken.on_postgres)
