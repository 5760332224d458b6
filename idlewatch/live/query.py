"""What an operator's page asks for: the messages of the live socket."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta, Struct

from idlewatch.core.policy import Phase
from idlewatch.core.protocol import decode
from idlewatch.http.i18n import supported

MAX_MESSAGE = 2048
"""Bytes of a message, at most."""
LAST_NUMBER = 2**53 - 1
"""The largest that a page can count to (ECMA-262 §21.1.2.6)."""
LAST_PAGE = 1_000_000
"""A page beyond the last is the last; one beyond this, no table would have."""

Size = Literal[25, 50, 100]
SIZES: tuple[int, ...] = get_args(Size)
"""Rows on a page."""


class Sort(StrEnum):
    """The order of the table; the name of a column, with “-” before it for the reverse."""

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
    def is_down(self) -> bool:
        """Whether the largest comes first."""
        return self.value.startswith("-")


class Query(NamedTuple):
    """What is asked for; operators who ask the same share its answer."""

    terms: tuple[str, ...]
    """What each session is to contain, each of them, in user name, address or user agent."""
    phase: Phase | None
    connected: bool | None
    sort: Sort
    page: int
    size: int
    language: str
    """That of the words in the answer."""


# PostgreSQL takes no NUL, and the search is asked of it.
_Search = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00]*$")]


class WatchMessage(Struct, frozen=True, forbid_unknown_fields=True, tag="watch"):
    """Watch these from now on."""

    query: Annotated[int, Meta(ge=0, le=LAST_NUMBER)]
    """The page's own number for it: answers bear it, so that it can drop those to an earlier one."""
    search: _Search = ""
    phase: Literal["", "active", "warned"] = ""
    connected: Literal["", "yes", "no"] = ""
    sort: Sort = Sort.ENDS
    page: Annotated[int, Meta(ge=1, le=LAST_PAGE)] = 1
    size: Size = 50
    language: Annotated[str, Meta(max_length=35)] = ""
    """That of the page (RFC 5646, whose tags have up to 35 characters)."""

    def ask(self) -> Query:
        """Return what is asked for, whoever asks."""
        return Query(
            tuple(self.search.split()),
            Phase(self.phase) if self.phase else None,
            self.connected == "yes" if self.connected else None,
            self.sort,
            self.page,
            self.size,
            supported(self.language),
        )


class SeenMessage(Struct, frozen=True, forbid_unknown_fields=True, tag="seen"):
    """The page has worked a frame in."""

    frame: Annotated[int, Meta(ge=0, le=LAST_NUMBER)]


Message = WatchMessage | SeenMessage
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def parse(text: str | bytes | None) -> Message:
    """Decode an operator's message; None stands for a binary frame.

    Raises:
        BadMessage: with the code of the error frame to send, and what came beside what was expected.
    """
    return decode(text, _decoder, MAX_MESSAGE)
