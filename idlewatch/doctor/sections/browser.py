"""The browser section: a Chromium with the session of a probe, through warning, extension and end."""

from __future__ import annotations

from collections.abc import Iterator

from idlewatch.doctor.browsers.chromium import LOOKED_FOR, find_chromium
from idlewatch.doctor.findings import Finding, Trial, skipped
from idlewatch.doctor.site import Site

TRIED, EXPECTED = "A Chromium on this machine", "one that starts"


def examine(site: Site) -> Iterator[Finding]:
    """Drive a browser if the operator asked for it."""
    pictures = site.options.pictures
    if pictures is None:
        return
    why = site.why_no_probe
    program = site.options.chromium or find_chromium()
    if why is None and program is None:
        why = f"none is installed: looked for {LOOKED_FOR}; give --chromium PROGRAM"
    if why is not None or program is None:
        yield skipped(Trial.BROWSER, TRIED, str(why), EXPECTED)
        return
    # It needs the extra `browser`, which the command has looked for.
    from idlewatch.doctor.browsers.browser_journey import Journey  # noqa: PLC0415 - as said

    yield from Journey(site, program, pictures).findings()
