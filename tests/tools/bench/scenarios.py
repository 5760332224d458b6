"""Which module measures which rows; the rows that none measures are named as missing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from tests.tools.bench.rows import client, heartbeats, middleware, pushes, stores, tabs, writes
from tests.tools.bench.servers import Run


class Scenario(NamedTuple):
    """What measures some rows at once."""

    rows: tuple[str, ...]
    measure: Callable[[Run], Awaitable[None]]


SCENARIOS = tuple(
    Scenario(module.ROWS, module.measure) for module in (tabs, heartbeats, middleware, writes, stores, client, pushes)
)
