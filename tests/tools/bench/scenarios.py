"""Which module measures which rows; the rows that none measures are named as missing."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from tests.tools.bench.rows import (
    client,
    growth,
    heartbeats,
    middleware,
    operators,
    pings,
    pushes,
    stores,
    tabs,
    writes,
)
from tests.tools.bench.servers import Run


class Scenario(NamedTuple):
    """What measures some rows at once."""

    name: str
    rows: tuple[str, ...]
    measure: Callable[[Run], Coroutine[Any, Any, None]]


SCENARIOS = tuple(
    Scenario(module.__name__.rpartition(".")[2], module.ROWS, module.measure)
    for module in (tabs, pings, heartbeats, middleware, writes, stores, client, operators, growth, pushes)
)
