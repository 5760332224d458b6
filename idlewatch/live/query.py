"""The messages of the live socket, and the query that they carry."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta, Struct

from idlewatch.core.policy import Phase
from idlewatch.core.protocol import decode
from idlewatch.http.i18n import supported_language
from idlewatch.store.listing import is_among
from idlewatch.store.values import Watched

MAX_MESSAGE_SIZE = 2048
"""Bytes of a message."""
MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that a page can count to (ECMA-262 §21.1.2.6)."""
MAX_PAGE = 1_000_000
"""More pages than a table can have; a page beyond the last one is the last."""

Size = Literal[25, 50, 100]
SIZES: tuple[int, ...] = get_args(Size)
"""The choices of rows on a page."""


class Sort(StrEnum):
    """The order of the table: the name of a column, with “-” before it for descending."""

    USER = "user"
    USER_DOWN = "-user"
    STARTED = "started"
    STARTED_DOWN = "-started"
    SEEN = "seen"
    SEEN_DOWN = "-seen"
    ENDS = "ends"
    ENDS_DOWN = "-ends"

    @property
    def column(self) -> str:
        """The column, without the direction."""
        return self.value.lstrip("-")

    @property
    def is_descending(self) -> bool:
        """Whether the largest comes first."""
        return self.value.startswith("-")


class Query(NamedTuple):
    """What a page shows; operators with the same query share its results."""

    terms: tuple[str, ...]
    """What a session has to contain, all of them, in its user name, address or user agent."""
    phase: Phase | None
    connected: bool | None
    sort: Sort
    page: int
    size: int
    language: str
    """The language of the results."""

    @property
    def is_filtered(self) -> bool:
        """Whether the query asks for some phase or connection."""
        return (self.phase, self.connected) != (None, None)

    @property
    def is_by_deadline(self) -> bool:
        """Whether the store has the order."""
        return self.sort.column == "ends"

    @property
    def is_by_activity(self) -> bool:
        """Whether the order is one that the store has no index for, and the records only have as of the checkpoint."""
        return self.sort.column == "seen"

    @property
    def is_costly(self) -> bool:
        """Whether more than the page has to be read to find it."""
        return bool(self.terms) or self.is_by_activity or (not self.is_by_deadline and self.is_filtered)

    def matches(self, watched: Watched) -> bool:
        """Return whether a session is live, and has the phase and connection that the query asks for."""
        return is_among(watched, self.phase, self.connected)


# PostgreSQL accepts no NUL.
_Search = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00]*$")]


class WatchMessage(Struct, frozen=True, forbid_unknown_fields=True, tag="watch"):
    """Show the results of this query from now on."""

    query: Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]
    """The page's number of the query: frames carry it, so that the page can drop those of an earlier one."""
    search: _Search = ""
    phase: Literal["", "active", "warned"] = ""
    connected: Literal["", "yes", "no"] = ""
    sort: Sort = Sort.ENDS
    page: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 1
    size: Size = 50
    language: Annotated[str, Meta(max_length=35)] = ""
    """The language of the page (RFC 5646, whose tags have up to 35 characters)."""

    def to_query(self) -> Query:
        """Return the query, without the page's number."""
        return Query(
            tuple(self.search.split()),
            Phase(self.phase) if self.phase else None,
            self.connected == "yes" if self.connected else None,
            self.sort,
            self.page,
            self.size,
            supported_language(self.language),
        )


class SeenMessage(Struct, frozen=True, forbid_unknown_fields=True, tag="seen"):
    """The page has applied a frame."""

    frame: Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]


Message = WatchMessage | SeenMessage
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def parse(text: str | bytes | None) -> Message:
    """Decode an operator's message; None stands for a binary frame.

    Raises:
        BadMessage: with the code of the error frame to send, and with the value that came and what was expected.
    """
    return decode(text, _decoder, MAX_MESSAGE_SIZE)
