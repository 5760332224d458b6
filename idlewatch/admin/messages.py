"""What the live page asks to be done, and to which sessions: the messages that it posts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from idlewatch.core.policy import Phase
from idlewatch.store.base import Watched
from idlewatch.store.listing import is_among

LATEST = 253_402_300_799.0
"""The end of the year 9999 in epoch seconds: later than any date."""

# PostgreSQL takes no NUL.
_Id = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[^\x00]*$")]
_Search = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00]*$")]
_Cursor = Annotated[str, Meta(max_length=300, pattern=r"^[^\x00]*$")]


class Action(StrEnum):
    """What an operator can do."""

    END = "end"
    END_USERS = "end_users"
    NOTICE = "notice"


class Query(Struct, frozen=True, forbid_unknown_fields=True):
    """All that match."""

    search: _Search = ""
    phase: Literal["", "active", "warned"] = ""
    connected: Literal["", "yes", "no"] = ""

    @property
    def asks_the_store(self) -> bool:
        """Whether the records alone can't tell."""
        return bool(self.phase or self.connected)

    def means(self, watched: Watched) -> bool:
        """Tell whether a session is in the phase and has the tabs that were asked for."""
        phase = Phase(self.phase) if self.phase else None
        return is_among(watched, phase, self.connected == "yes" if self.connected else None)


class CountMessage(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Ask how many sessions an action would concern."""

    action: Action = Action.END
    watches: Annotated[list[_Id], Meta(min_length=1, max_length=1000)] | None = None
    query: Query | None = None
    before: Annotated[float, Meta(ge=0, le=LATEST)] | None = None
    """Sessions that began later (epoch seconds) are not meant."""

    def __post_init__(self) -> None:
        """Refuse a selection that is none, or two."""
        if (self.watches is None) == (self.query is None):
            got = "neither" if self.watches is None else "both"
            raise ValueError(f"Expected either `watches` or `query`, got {got}")


class ActMessage(CountMessage, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Do it, to the next batch."""

    action: Action
    text: Annotated[str, Meta(max_length=5000)] = ""
    cursor: _Cursor = ""
    """What the call before answered."""

    def __post_init__(self) -> None:
        """Refuse an action that has no bounds."""
        super().__post_init__()
        if self.before is None and (self.query is not None or self.action is Action.END_USERS):
            raise ValueError("Expected `before`, the moment that `count` answered, got none")
