"""The messages that the live page posts: an action, and the sessions it is for."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from idlewatch.core.policy import Phase
from idlewatch.store.listing import is_among
from idlewatch.store.values import Watched

MAX_TIMESTAMP = 253_402_300_799.0
"""The end of the year 9999 in epoch seconds, later than any date."""

# PostgreSQL takes no NUL.
_Id = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[^\x00]*$")]
_Search = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00]*$")]
_Cursor = Annotated[str, Meta(max_length=300, pattern=r"^[^\x00]*$")]


class Action(StrEnum):
    """An action of an operator."""

    END = "end"
    END_USERS = "end_users"
    NOTICE = "notice"


class Query(Struct, frozen=True, forbid_unknown_fields=True):
    """All matching sessions."""

    search: _Search = ""
    phase: Literal["", "active", "warned"] = ""
    connected: Literal["", "yes", "no"] = ""

    @property
    def needs_store(self) -> bool:
        """Whether the records alone can't answer it."""
        return bool(self.phase or self.connected)

    def matches(self, watched: Watched) -> bool:
        """Return whether a session has this phase and connection."""
        phase = Phase(self.phase) if self.phase else None
        return is_among(watched, phase, self.connected == "yes" if self.connected else None)


class CountMessage(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Ask how many sessions an action would affect."""

    action: Action = Action.END
    watches: Annotated[list[_Id], Meta(min_length=1, max_length=1000)] | None = None
    query: Query | None = None
    before: Annotated[float, Meta(ge=0, le=MAX_TIMESTAMP)] | None = None
    """Sessions that began later (epoch seconds) are excluded."""

    def __post_init__(self) -> None:
        """Check that there is exactly one selection."""
        if (self.watches is None) == (self.query is None):
            got = "neither" if self.watches is None else "both"
            raise ValueError(f"Expected either `watches` or `query`, got {got}")


class ActMessage(CountMessage, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Act on the next batch."""

    action: Action
    text: Annotated[str, Meta(max_length=5000)] = ""
    cursor: _Cursor = ""
    """The cursor that the previous call answered."""

    def __post_init__(self) -> None:
        """Check that the action is bounded in time."""
        super().__post_init__()
        if self.before is None and (self.query is not None or self.action is Action.END_USERS):
            raise ValueError("Expected `before`, the moment that `count` answered, got none")
