"""The protocol between pages and server: paths, close codes, and frames of JSON text."""

from __future__ import annotations

import re
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase, Policy, Shown, Verdict, ended
from idlewatch.exceptions import BadMessage

TAB_PATH = "/ws/idlewatch/tab/"
LIVE_PATH = "/ws/idlewatch/live/"
MAX_MESSAGE_SIZE = 1024
"""Bytes of a client's message; a longer one is refused."""
MAX_BAD_MESSAGES = 20
"""Bad messages at which the socket is closed."""
MAX_MESSAGES = 100
"""Messages in `RATE_WINDOW` above which the socket is closed."""
RATE_WINDOW = 10.0
"""Seconds over which messages are counted."""
MIN_LAG = 0.5
"""Seconds of delay from which on a countdown is corrected: pages show nothing shorter."""

MAX_TEXTS = 1000
"""Texts of frames that are kept: a project has a few policies, and each session shows one of a few things."""


class Close(IntEnum):
    """Close codes of the sockets (RFC 6455 §7.4); those below 4400 come from the client."""

    CLOSED = 1000
    """The page is being closed."""
    GONE = 1001
    """From the browser: the tab is being closed, reloaded or navigated."""
    NAVIGATED = 4000
    """The page starts a navigation itself."""
    BAD_MESSAGES = 4400
    """The page sent `MAX_BAD_MESSAGES` bad messages."""
    ENDED = 4401
    """There is no session, or it ended; the ended frame came first."""
    FORBIDDEN = 4403
    """The user of the live socket lacks the permission, or has lost it."""
    TOO_SLOW = 4408
    """The client does not read, or the page of the live socket does not acknowledge its frames."""
    TOO_MANY = 4429
    """There are too many messages, tabs or live pages."""
    GOING_AWAY = 4503
    """The server is shutting down, or cannot determine the session's state right now; the page reconnects."""


CLEAN_CLOSES = frozenset({Close.CLOSED, Close.GONE})
"""Codes with which a closed tab starts `CLOSE_GRACE`; never 1005, 1006 or none: servers report a lost network so."""


class ErrorCode(StrEnum):
    """Why a message was refused."""

    BAD_JSON = "bad_json"
    BAD_MESSAGE = "bad_message"
    BAD_VALUE = "bad_value"
    TOO_LARGE = "too_large"
    HOLD_REFUSED = "hold_refused"


# PostgreSQL stores no NUL, and labels are recorded.
_HoldId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
_Label = Annotated[str, Meta(max_length=120, pattern=r"^[^\x00]*$")]


class ActivityMessage(Struct, frozen=True, forbid_unknown_fields=True, tag="activity"):
    """The user acted."""

    ago: Annotated[float, Meta(ge=0, le=86400)] = 0.0
    """Seconds since the user acted."""


class ExtendMessage(Struct, frozen=True, forbid_unknown_fields=True, tag="extend"):
    """The user chose to stay."""


class HoldMessage(Struct, frozen=True, forbid_unknown_fields=True, tag="hold"):
    """The page starts or renews a hold."""

    id: _HoldId
    label: _Label = ""


class ReleaseMessage(Struct, frozen=True, forbid_unknown_fields=True, tag="release"):
    """The page releases a hold."""

    id: _HoldId


class SyncMessage(Struct, frozen=True, forbid_unknown_fields=True, tag="sync"):
    """The page asks for the state."""


Message = ActivityMessage | ExtendMessage | HoldMessage | ReleaseMessage | SyncMessage

# Only at the end: the rest may quote the client.
_FIELD = re.compile(r" - at `\$\.(\w+)`\Z")
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
T = TypeVar("T")
_encoder = msgspec.json.Encoder()


def parse(text: str | bytes | None) -> Message:
    """Decode a tab's message; see `decode`."""
    return decode(text, _decoder, MAX_MESSAGE_SIZE)


def decode(text: str | bytes | None, decoder: msgspec.json.Decoder[T], max_size: int) -> T:
    """Decode a client's message.

    Args:
        text: a text frame or the body of a request; None stands for a binary frame.
        decoder: the decoder of the messages that are allowed here.
        max_size: the number of bytes above which a message is refused.

    Raises:
        BadMessage: the message is refused; the error has the code and the detail of the error frame to send.
    """
    if text is None:
        raise BadMessage(ErrorCode.BAD_JSON, "Expected a text frame with JSON, got a binary one.")
    try:
        raw = text.encode() if isinstance(text, str) else text
        if len(raw) > max_size:
            raise BadMessage(ErrorCode.TOO_LARGE, f"Expected at most {max_size} bytes, got {len(raw)}.")
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise BadMessage(_code_of(str(error)), f"{error}.") from error
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise BadMessage(ErrorCode.BAD_JSON, f"Expected JSON: {error}.") from error
    except RecursionError as error:
        raise BadMessage(ErrorCode.BAD_MESSAGE, "Expected a flat object, got one nested too deeply.") from error


def _code_of(problem: str) -> ErrorCode:
    """Return the code for a wrong value of a known field, or for anything else; msgspec names the field."""
    field = _FIELD.search(problem)
    return ErrorCode.BAD_MESSAGE if field is None or field[1] == "type" else ErrorCode.BAD_VALUE


class StateFrame(Struct, frozen=True, tag="state"):
    """The whole state of a session, so that the next frame makes up for a lost one.

    An example is in `docs/protocol.md`.
    """

    version: int
    """Grows with each change; a page ignores frames with a lower one."""
    phase: Phase
    reason: Reason | None
    """Why the session ended or, while warned, why it is about to end."""
    remaining: float
    """Seconds until the end if nothing happens."""
    extendable: bool
    """False if the absolute timeout is the next to come."""
    held: bool
    """Whether holds stop the idle clock at present."""
    idle_timeout: float
    """Seconds, as are the next two."""
    warn_before: float
    heartbeat: float
    login_url: str | UnsetType = UNSET
    """The URL of the login page, in an ended frame."""
    page: str | UnsetType = UNSET
    """How the page is related to the session, if that has changed: `renewed` or `foreign`."""


class NoticeFrame(Struct, frozen=True, tag="notice"):
    """A message of an operator."""

    id: str
    text: str


class ErrorFrame(Struct, frozen=True, tag="error"):
    """Why a message was refused."""

    code: ErrorCode
    detail: str


Frame = StateFrame | NoticeFrame | ErrorFrame
_state_decoder: msgspec.json.Decoder[StateFrame] = msgspec.json.Decoder(StateFrame)


def state_frame(
    verdict: Verdict,
    policy: Policy,
    version: int,
    login_url: str | UnsetType = UNSET,
    page: str | UnsetType = UNSET,
) -> StateFrame:
    """Return the frame of a verdict; `login_url` goes into ended frames only."""
    phase, reason, extendable = verdict.shown
    return StateFrame(
        version=version,
        phase=phase,
        reason=reason,
        remaining=round(verdict.remaining, 3),
        extendable=extendable,
        held=verdict.held,
        idle_timeout=policy.idle_timeout,
        warn_before=policy.warn_before,
        heartbeat=policy.heartbeat,
        login_url=login_url if login_url is not UNSET and phase is Phase.ENDED else UNSET,
        page=page,
    )


def state_text(verdict: Verdict, policy: Policy, version: int) -> str:
    """Return the frame of a verdict as JSON text: what `encode(state_frame(…))` says, in a third of the time.

    Thousands may be made at once, which differ in two numbers.
    """
    start, middle, end = _text_of(verdict.shown, verdict.held, policy)
    return f"{start}{version}{middle}{verdict.remaining:.3f}{end}"


@lru_cache(MAX_TEXTS)
def _text_of(shown: Shown, held: bool, policy: Policy) -> tuple[str, str, str]:
    """Return the text of frames that differ in their version and their countdown: what is before, between and after."""
    frame = encode(state_frame(Verdict(shown, 0.0, 0.0, held, None), policy, 0))
    start, _, rest = frame.partition(':0,"phase"')
    middle, _, end = rest.partition(':0.0,"extendable"')
    return f"{start}:", f',"phase"{middle}:', f',"extendable"{end}'


def no_session_frame(
    reason: Reason | None, login_url: str | UnsetType = UNSET, page: str | UnsetType = UNSET
) -> StateFrame:
    """Return the ended frame for a page without a session; None stands for an unknown reason."""
    return state_frame(ended(reason, at=0.0), Policy(), 0, login_url, page)


def add_login_url(frame: str, login_url: str | UnsetType) -> str:
    """Return an ended frame, as JSON text, with the URL of a page's login page: those that are pushed have none."""
    return encode(replace(_state_decoder.decode(frame), login_url=login_url))


def aged(frame: str, seconds: float) -> str:
    """Return a state frame, as JSON text, with its countdown shortened by a delay; that of a held session stands."""
    if seconds < MIN_LAG:
        return frame
    state = _state_decoder.decode(frame)
    return frame if state.held else encode(replace(state, remaining=max(state.remaining - seconds, 0.0)))


def encode(frame: Frame) -> str:
    """Return a frame as JSON text."""
    return _encoder.encode(frame).decode()
