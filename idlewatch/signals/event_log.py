"""The structured log: one line for each event, in logfmt, on the logger `idlewatch`.

    session_ended watch_id=Jx0… user=42 reason=idle by=- at=2026-11-23T19:00:00Z

The log record has the same as attributes, `event` and one for each field, for a formatter that writes JSON. Watch
ids identify sessions, and are not secret; no field has a session key. Events of a probe have the field `probe=true`.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime

from idlewatch.core.clock import in_utc
from idlewatch.core.probes import is_probe

logger = logging.getLogger("idlewatch")

UNQUOTED = re.compile(r"(?!-\Z)[A-Za-z0-9_.:/@+-]+")
"""Values that need no quotes. A single dash stands for None."""

Value = str | int | float | bool | datetime | None


def is_logged() -> bool:
    """Return whether events are logged: to prepare many that are not would take longer than all else about them."""
    return logger.isEnabledFor(logging.INFO)


def log_event(event: str, *, level: int = logging.INFO, **fields: Value) -> None:
    """Log an event; refusals use `level=logging.WARNING`.

    A field can't have the name of a standard attribute of log records, such as `name` or `process`.
    """
    if logger.isEnabledFor(level):
        if is_probe(str(fields.get("watch_id"))):
            fields["probe"] = True
        attributes = {name: _plain(value) for name, value in fields.items()}
        logger.log(level, "%s", format_line(event, **fields), extra={"event": event, **attributes}, stacklevel=2)


def format_line(event: str, **fields: Value) -> str:
    """Return an event as one line, whatever its fields contain."""
    return " ".join([event, *(f"{name}={_quoted(value)}" for name, value in fields.items())])


def _plain(value: Value) -> str | int | float | bool | None:
    if isinstance(value, datetime):
        return in_utc(value, "seconds")
    # A formatter would write an enum's member by its full name.
    return str(value) if isinstance(value, str) else value


def _quoted(value: Value) -> str:
    plain = _plain(value)
    if plain is None:
        return "-"
    if not isinstance(plain, str):
        return str(plain).lower() if isinstance(plain, bool) else str(plain)
    if UNQUOTED.fullmatch(plain):
        return plain
    # Line breaks of any kind, and characters that change the direction of writing, are escaped.
    return "".join(each if each.isprintable() else _escaped(each) for each in json.dumps(plain, ensure_ascii=False))


def _escaped(letter: str) -> str:
    return json.dumps(letter)[1:-1]
