"""One run of the doctor: each section in its order, so that a fault is reported once, and where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from idlewatch.doctor.findings import Finding
from idlewatch.doctor.sections import channel_layer, database, http, page, process, proxy, socket, store
from idlewatch.doctor.site import Site

Examine = Callable[[Site], Iterator[Finding]]
"""A section: it yields what it finds, as soon as it knows."""

SECTIONS: Sequence[Examine] = (
    process.examine,
    database.examine,
    store.examine,
    channel_layer.examine,
    http.examine,
    proxy.examine,
    page.examine,
    socket.examine,
)


def examine(site: Site) -> Iterator[Finding]:
    """Examine a site; yield what is found."""
    for section in SECTIONS:
        yield from section(site)
        site.note_progress("")
