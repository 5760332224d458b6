"""The statements that a server sends to its database, as it sends them, and how the database executes each."""

from __future__ import annotations

import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.backends.signals import connection_created

PACKAGE = "/idlewatch/"
EXPLAINED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS) "
REPEATS = 3
"""What is explained first reads from the disk."""
LITERAL = re.compile(r"'(?:[^']|'')*'")
TIMES = re.compile(r"(?:Planning|Execution) Time: ([\d.]+) ms")
SLOWEST_KEPT = 3


@dataclass
class Statement:
    """What was sent of one statement, whatever its parameters were."""

    place: str
    """The function of idlewatch that sent it, or that Django sent it for."""
    count: int = 0
    slowest: list[tuple[float, str, Any]] = field(default_factory=list)
    """Seconds, text and parameters of the slowest."""


sent: dict[str, Statement] = {}
"""By the text without its parameters, however many these are."""


def record() -> None:
    """Record what is sent from now on."""
    connection_created.connect(_wrap, dispatch_uid="tests.tools.scale")


def _wrap(connection: Any, **_: object) -> None:
    # It connects again and again.
    if _execute not in connection.execute_wrappers:
        connection.execute_wrappers.append(_execute)


def _execute(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    began = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        if sql.startswith(EXPLAINED):
            taken = time.perf_counter() - began
            key = _without_lists(sql)
            statement = sent.get(key) or sent.setdefault(key, Statement(_place()))
            statement.count += 1
            one = params[0] if many and params else params
            statement.slowest = sorted([*statement.slowest, (taken, sql, one)], key=lambda each: -each[0])[
                :SLOWEST_KEPT
            ]


@cache
def _without_lists(sql: str) -> str:
    return re.sub(r"%s(?:, %s)+", "%s, …", re.sub(r"\(%s(?:, %s)*\)(?:, \(%s(?:, %s)*\))+", "(%s, …), …", sql))


def _place() -> str:
    frame = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        if PACKAGE in path and not path.endswith("managers.py") and "/tests/" not in path:
            return f"{Path(path).parent.name}/{Path(path).stem}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "Django"


def explained() -> Sequence[dict[str, Any]]:
    """Have the database execute the slowest of each statement again, undo it, and return what it says of that."""
    return [_explained(sql, statement) for sql, statement in list(sent.items())]


def _explained(sql: str, statement: Statement) -> dict[str, Any]:
    milliseconds, plan = 0.0, ""
    for seconds, text, params in statement.slowest:
        try:
            taken, its_plan = zip(*(_explain(EXPLAIN + text, params) for _ in range(REPEATS)), strict=True)
        except IntegrityError:
            # A row cannot be inserted again: as long as it took, with its way to the database and back.
            _, *its_plan = _explain("EXPLAIN " + text, params)
            taken = [seconds * 1e3]
        if statistics.median(taken) >= milliseconds:
            milliseconds, plan = statistics.median(taken), its_plan[-1]
    found = {"sql": sql, "place": statement.place, "count": statement.count}
    return found | {"milliseconds": milliseconds, "plan": plan}


def _explain(sql: str, params: Any) -> tuple[float, str]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)
        plan = "\n".join(line for (line,) in cursor.fetchall())
        transaction.set_rollback(True)
    return sum(map(float, TIMES.findall(plan))), without_values(plan)


def without_values(plan: str) -> str:
    """Return a plan without the values in it: session keys are among them, and lists of hundreds."""
    return LITERAL.sub("'…'", plan)
