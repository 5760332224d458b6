"""The wire: paths, close codes, and the frames that pages and server exchange as JSON text."""

from __future__ import annotations

import re
from enum import IntEnum, StrEnum
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase, Policy, Verdict, ended
from idlewatch.exceptions import BadMessage

TAB_PATH = "/ws/idlewatch/tab/"
LIVE_PATH = "/ws/idlewatch/live/"
MAX_FRAME = 1024
"""Bytes of a client's message, at most."""
MAX_BAD_MESSAGES = 20
"""The socket closes at this many."""
MAX_MESSAGES = 100
"""The socket closes when more than this many come within `RATE_WINDOW` seconds."""
RATE_WINDOW = 10.0


class Close(IntEnum):
    """Close codes of the sockets (RFC 6455 §7.4)."""

    CLOSED = 1000
    """The page: it is being closed."""
    GONE = 1001
    """The browser: the tab is being closed, reloaded or sent elsewhere."""
    NAVIGATED = 4000
    """The page: it starts a navigation itself."""
    BAD_MESSAGES = 4400
    ENDED = 4401
    """There is no session, or it ended: the ended frame came first."""
    FORBIDDEN = 4403
    """The live socket: its user may not watch, or may no longer."""
    TOO_SLOW = 4408
    """The live socket: the page does not work in what it is sent."""
    TOO_MANY = 4429
    """Too many messages, tabs or live pages."""
    GOING_AWAY = 4503
    """The server is going away: come back."""


CLEAN_CLOSES = frozenset({Close.CLOSED, Close.GONE, 1005, None})
"""Codes with which a closed tab arms `CLOSE_GRACE`; `close()` without a code arrives as None."""


class ErrorCode(StrEnum):
    """Why a message was refused."""

    BAD_JSON = "bad_json"
    BAD_MESSAGE = "bad_message"
    BAD_VALUE = "bad_value"
    TOO_LARGE = "too_large"
    HOLD_REFUSED = "hold_refused"


# PostgreSQL stores no NUL, and a label ends up in a record: none is let in.
_HoldId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
_Label = Annotated[str, Meta(max_length=120, pattern=r"^[^\x00]*$")]


class ActivityMessage(Struct, frozen=True, forbid_unknown_fields=True, tag="activity"):
    """The user acted `ago` seconds ago."""

    ago: Annotated[float, Meta(ge=0, le=86400)] = 0.0


class ExtendMessage(Struct, frozen=True, forbid_unknown_fields=True, tag="extend"):
    """The user chose to stay."""


class HoldMessage(Struct, frozen=True, forbid_unknown_fields=True, tag="hold"):
    """Work that needs no input began, or goes on."""

    id: _HoldId
    label: _Label = ""


class ReleaseMessage(Struct, frozen=True, forbid_unknown_fields=True, tag="release"):
    """Such work is done."""

    id: _HoldId


class SyncMessage(Struct, frozen=True, forbid_unknown_fields=True, tag="sync"):
    """Ask for the state."""


Message = ActivityMessage | ExtendMessage | HoldMessage | ReleaseMessage | SyncMessage

# At the end alone: what stands before may be quoted from the client.
_FIELD = re.compile(r" - at `\$\.(\w+)`\Z")
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
T = TypeVar("T")
_encoder = msgspec.json.Encoder()


def parse(text: str | bytes | None) -> Message:
    """Decode a message of a tab, as `decode` does."""
    return decode(text, _decoder, MAX_FRAME)


def decode(text: str | bytes | None, decoder: msgspec.json.Decoder[T], most: int) -> T:
    """Decode a client's message of at most so many bytes; None stands for a binary frame.

    Raises:
        BadMessage: with the code of the error frame to send, and what came beside what was expected.
    """
    if text is None:
        raise BadMessage(ErrorCode.BAD_JSON, "Expected a text frame with JSON, got a binary one.")
    try:
        raw = text.encode() if isinstance(text, str) else text
        if len(raw) > most:
            raise BadMessage(ErrorCode.TOO_LARGE, f"Expected at most {most} bytes, got {len(raw)}.")
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise BadMessage(_code_of(str(error)), f"{error}.") from error
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise BadMessage(ErrorCode.BAD_JSON, f"Expected JSON: {error}.") from error
    except RecursionError as error:
        raise BadMessage(ErrorCode.BAD_MESSAGE, "Expected a flat object, got one nested too deeply.") from error


def _code_of(problem: str) -> ErrorCode:
    """Tell a wrong value of a known field from a message that is none; msgspec names the field it stumbled on."""
    field = _FIELD.search(problem)
    return ErrorCode.BAD_MESSAGE if field is None or field[1] == "type" else ErrorCode.BAD_VALUE


class StateFrame(Struct, frozen=True, tag="state"):
    """Everything a page needs to know; a lost one is made good by the next."""

    version: int
    phase: Phase
    reason: Reason | None
    remaining: float
    extendable: bool
    held: bool
    idle_timeout: float
    warn_before: float
    heartbeat: float
    login_url: str | UnsetType = UNSET
    """In an ended frame: where to sign in again."""
    page: str | UnsetType = UNSET
    """What the page that is told is to the session, where that is not what it was: `renewed` or `foreign`."""


class NoticeFrame(Struct, frozen=True, tag="notice"):
    """What an operator has to say."""

    id: str
    text: str


class ErrorFrame(Struct, frozen=True, tag="error"):
    """Why a message was refused."""

    code: ErrorCode
    detail: str


Frame = StateFrame | NoticeFrame | ErrorFrame


def state_frame(
    verdict: Verdict, policy: Policy, version: int, login_url: str, page: str | UnsetType = UNSET
) -> StateFrame:
    """Say a verdict to a page; `login_url` goes into an ended frame alone."""
    return StateFrame(
        version=version,
        phase=verdict.phase,
        reason=verdict.reason,
        remaining=round(verdict.remaining, 3),
        extendable=verdict.extendable,
        held=verdict.held,
        idle_timeout=policy.idle_timeout,
        warn_before=policy.warn_before,
        heartbeat=policy.heartbeat,
        login_url=login_url if verdict.phase is Phase.ENDED else UNSET,
        page=page,
    )


def no_session_frame(reason: Reason | None, login_url: str, page: str | UnsetType = UNSET) -> StateFrame:
    """Say that there is no session, and why if that is known."""
    return state_frame(ended(reason, at=0.0), Policy(), 0, login_url, page)


def encode(frame: Frame) -> str:
    """Write a frame as JSON text."""
    return _encoder.encode(frame).decode()
