"""The client: what a page has to load for it."""

from __future__ import annotations

import brotli

from tests.support.serving import ROOT
from tests.tools.bench import goals
from tests.tools.bench.servers import Run

ROWS = ("14",)
BUILT = ("idlewatch.min.js", "idlewatch.min.css")


async def measure(run: Run) -> None:
    """Compress it as the project's static files are."""
    contents = [(ROOT / "static" / "idlewatch" / name).read_bytes() for name in BUILT]
    size = sum(len(brotli.compress(content)) for content in contents) / 1_000
    run.samples.add("compressed size", goals.CLIENT, 0, size)
