"""Watches every test for a session key that gets where none belongs (R23, R28).

Whatever key is made in this process, it must appear in no log line, answer, frame, message between processes, row of
idlewatch's tables, output of a command, or value in Redis but the store's own row of that session. What is looked at is
everything at the moment it is written, so nothing that is deleted later gets away.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from traceback import walk_tb
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from channels.consumer import AsyncConsumer
from channels.layers import InMemoryChannelLayer
from channels_redis.pubsub import RedisPubSubLoopLayer
from django.contrib.sessions.backends import base, signed_cookies
from django.core.management.base import OutputWrapper
from django.db.backends.utils import CursorWrapper
from django.http.response import HttpResponseBase, ResponseHeaders

from idlewatch.store.redis import RedisStore
from idlewatch.store.redis.commands import Command

LENGTH = 32
"""Of the key of every engine but the one in signed cookies."""
RUN = re.compile(rf"[a-z0-9]{{{LENGTH},}}")
TABLE = re.compile(r"\bidlewatch_")
WRITES = ("INSERT", "UPDATE", "REPLACE")
LEVEL = logging.INFO - 1
"""Of the logger `idlewatch`, unless a test sets another."""
ROW = "watch:"
"""How the key of a session's own row in Redis begins, after the prefix."""


READING = {
    b"string": ("GET",),
    b"hash": ("HGETALL",),
    b"set": ("SMEMBERS",),
    b"zset": ("ZRANGE", 0, -1),
    b"list": ("LRANGE", 0, -1),
    b"stream": ("XRANGE", "-", "+"),
}
"""How each type of value in Redis is read."""


class Ledger:
    """The keys that were made in a test, and where they were seen."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.signed: set[str] = set()
        """Those that are whole signed cookies."""
        self.seen: list[str] = []

    def made(self, key: str | None) -> None:
        if key:
            (self.keys if len(key) == LENGTH else self.signed).add(key)

    def look(self, where: str, *written: object) -> None:
        """Look for a key in what is being written."""
        if self.keys or self.signed:
            for each in written:
                text = _text(each)
                if self._has_key(text):
                    self.seen.append(f"{where}: {text[:300]}")

    def _has_key(self, text: str) -> bool:
        for run in RUN.findall(text):
            if any(run[at : at + LENGTH] in self.keys for at in range(len(run) - LENGTH + 1)):
                return True
        return any(key in text for key in self.signed)


ledger = Ledger()
"""That of the test which runs."""


def _text(written: object) -> str:
    if isinstance(written, bytes | bytearray | memoryview):
        return bytes(written).decode("latin-1")
    return written if isinstance(written, str) else repr(written)


def _variables(error: BaseException | None) -> Iterator[tuple[str, str]]:
    """Yield the variables in the package's frames of an error and its causes, as reports of errors show them."""
    while error is not None:
        for frame, _ in walk_tb(error.__traceback__):
            if frame.f_globals.get("__name__", "").startswith("idlewatch."):
                yield from ((name, repr(value)) for name, value in frame.f_locals.items())
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class _Listener(logging.Handler):
    """Looks at each record of any logger: its words, and whatever else is on it."""

    def emit(self, record: logging.LogRecord) -> None:
        if not (ledger.keys or ledger.signed):
            return
        exception = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        others = {name: value for name, value in vars(record).items() if name not in {"request", "exc_info"}}
        with suppress(Exception):
            others["message"] = record.getMessage()
        ledger.look(f"log of {record.name}", repr(others), exception, record.exc_text or "")
        for name, value in _variables(record.exc_info[1] if record.exc_info else None):
            ledger.look(f"variable {name}", value)


def _look_first(record: logging.LogRecord) -> bool:
    """Look at a line of idlewatch's own log, and keep it from a test that asked for less."""
    own = logging.getLogger("idlewatch")
    least = logging.getLogger().level if own.level == LEVEL else own.level
    if record.levelno >= least:
        return True
    _Listener().emit(record)
    return False


@contextmanager
def watching() -> Iterator[None]:
    """Look at everything that is written, for as long as it lasts."""
    with pytest.MonkeyPatch.context() as patch:
        _patch_keys(patch)
        _patch_writers(patch)
        listener, own = _Listener(), logging.getLogger("idlewatch")
        logging.getLogger().addHandler(listener)
        # The log of a deployment has these lines; a test's has what it asked for.
        own.setLevel(LEVEL)
        own.addFilter(_look_first)
        try:
            yield
        finally:
            own.removeFilter(_look_first)
            own.setLevel(logging.NOTSET)
            logging.getLogger().removeHandler(listener)


@contextmanager
def looking() -> Iterator[Ledger]:
    """Look for the keys of one test."""
    global ledger
    before, ledger = ledger, Ledger()
    try:
        yield ledger
    finally:
        ledger = before


def _patch_keys(patch: pytest.MonkeyPatch) -> None:
    """Note each session key when it is made."""

    def noting(owner: Any, name: str) -> None:
        make = getattr(owner, name)

        def noted(self: Any) -> Any:
            key = make(self)
            ledger.made(key)
            return key

        patch.setattr(owner, name, noted)

    noting(base.SessionBase, "_get_new_session_key")
    noting(signed_cookies.SessionStore, "_get_session_key")


def _patch_writers(patch: pytest.MonkeyPatch) -> None:
    """Look at whatever is written, before it is."""

    def before(owner: Any, name: str, look: Callable[..., None]) -> None:
        function = getattr(owner, name)

        @wraps(function)
        def looked_at(*args: Any, **kwargs: Any) -> Any:
            look(*args, **kwargs)
            return function(*args, **kwargs)

        patch.setattr(owner, name, markcoroutinefunction(looked_at) if iscoroutinefunction(function) else looked_at)

    # The key's own cookie is not among the headers.
    before(ResponseHeaders, "__setitem__", lambda _, name, value: ledger.look(f"header {name}", value))
    before(HttpResponseBase, "make_bytes", lambda _, value: ledger.look("body of an answer", value))
    before(OutputWrapper, "write", lambda _, msg="", *__, **___: ledger.look("output of a command", msg))
    before(AsyncConsumer, "send", lambda _, message: ledger.look("frame", message))
    for layer in (InMemoryChannelLayer, RedisPubSubLoopLayer):
        for name in ("send", "group_send"):
            before(layer, name, lambda _, *message: ledger.look("message between processes", message))
    for name in ("execute", "executemany"):
        before(CursorWrapper, name, _look_at_row)
    before(RedisStore, "close", _look_at_redis)


def _look_at_row(_: CursorWrapper, sql: str, params: Any = None) -> None:
    if (ledger.keys or ledger.signed) and sql.startswith(WRITES) and TABLE.search(sql):
        # A generator would be used up.
        ledger.look("row of a table", sql, params if isinstance(params, list | tuple | dict | None) else "")


def _look_at_redis(store: RedisStore) -> None:
    """Look at what a store keeps besides its rows of sessions."""
    if not ledger.keys:
        return
    client = store._client
    # A test may have taken its Redis away.
    with suppress(Exception):
        for key in client.find_keys():
            name = key.decode()
            shown = name.removeprefix(client.prefix)
            if not shown.startswith(ROW):
                command, *args = READING[client.call(Command("TYPE", [name]))]
                ledger.look(f"Redis at {shown}", shown, client.call(Command(command, [name], args)))
