"""The commands to Redis: plain ones, calls of scripts, and operations that are made of several."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct

T = TypeVar("T")

INCLUDED = {"write": ("row", "common", "change"), "touch": ("row", "credit"), "touch_all": ("row", "credit")}
"""The parts that a script begins with, where these are others than `row` and `common`: Redis runs them at each call."""


class Command(Struct, frozen=True):
    """A command, or the call of a script by its name."""

    name: str
    keys: Sequence[str] = ()
    args: Sequence[Any] = ()
    is_script: bool = False

    def words(self) -> Sequence[Any]:
        """Return what is sent; a script goes by its digest, which Redis knows once it has loaded the text."""
        if self.is_script:
            return "EVALSHA", _digest_of(self.name), len(self.keys), *self.keys, *self.args
        return self.name, *self.keys, *self.args

    def __repr__(self) -> str:
        # The generated one would show the arguments, and with them session keys.
        return f"<Command {self.name} of {len(self.keys)} keys, {len(self.args)} arguments>"


class Pause(NamedTuple):
    """A wait before something is tried again."""

    seconds: float


Steps = Generator[Command | Pause, Any, T]
"""An operation: it yields commands and is sent their answers. So its sync and async versions are one."""


def script(name: str, keys: Sequence[str], args: Sequence[Any] = ()) -> Command:
    """Return the call of the script in `scripts/NAME.lua`."""
    return Command(name, keys, args, is_script=True)


@cache
def source_of(name: str) -> str:
    """Return the text of a script, with the parts that it begins with."""
    folder = files("idlewatch.store.redis") / "scripts"
    return "\n".join((folder / f"{part}.lua").read_text() for part in (*INCLUDED.get(name, ("row", "common")), name))


@cache
def _digest_of(name: str) -> str:
    return sha1(source_of(name).encode(), usedforsecurity=False).hexdigest()
