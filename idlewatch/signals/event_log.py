"""The structured log: one line for each event, in logfmt, on the logger `idlewatch`.

    session_ended watch_id=Jx0… user=42 reason=idle by=- at=2026-11-23T19:00:00Z

The same is on the log record as attributes, `event` and one for each field, for a formatter that writes JSON. A watch
is named by its id, which is no secret; a session key is in no field.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime

from idlewatch.core.clock import in_utc

logger = logging.getLogger("idlewatch")

PLAIN = re.compile(r"(?!-\Z)[A-Za-z0-9_.:/@+-]+")
"""What needs no quotes. A lone dash stands for None."""

Value = str | int | float | bool | datetime | None


def log_event(event: str, *, level: int = logging.INFO, **fields: Value) -> None:
    """Write an event down; what was refused goes by `level=logging.WARNING`.

    A field can't have the name of an attribute that log records have anyway, such as `name` or `process`.
    """
    if logger.isEnabledFor(level):
        told = {name: _told(value) for name, value in fields.items()}
        logger.log(level, "%s", line(event, **fields), extra={"event": event, **told}, stacklevel=2)


def line(event: str, **fields: Value) -> str:
    """Return an event as one line, whatever its fields hold."""
    return " ".join([event, *(f"{name}={_written(value)}" for name, value in fields.items())])


def _told(value: Value) -> str | int | float | bool | None:
    if isinstance(value, datetime):
        return in_utc(value, "seconds")
    # An enum's member says more of itself than a formatter needs.
    return str(value) if isinstance(value, str) else value


def _written(value: Value) -> str:
    told = _told(value)
    if told is None:
        return "-"
    if not isinstance(told, str):
        return str(told).lower() if isinstance(told, bool) else str(told)
    if PLAIN.fullmatch(told):
        return told
    # No line break of any kind, nor what turns the direction of writing round, leaves a field.
    return "".join(each if each.isprintable() else _escaped(each) for each in json.dumps(told, ensure_ascii=False))


def _escaped(letter: str) -> str:
    return json.dumps(letter)[1:-1]
