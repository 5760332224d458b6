from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idlewatch.core import protocol
from idlewatch.core.activity import Activity, Reason
from idlewatch.core.policy import Phase, Policy, assess
from idlewatch.core.protocol import (
    MAX_MESSAGE_SIZE,
    ActivityMessage,
    ErrorCode,
    ExtendMessage,
    HoldMessage,
    ReleaseMessage,
    SyncMessage,
    encode,
    no_session_frame,
    parse,
    state_frame,
    state_text,
)
from idlewatch.exceptions import BadMessage
from tests.support.facts import POLICY, any_facts, moments, policies, signed_in


def refused(text: str | bytes | None) -> BadMessage:
    with pytest.raises(BadMessage) as caught:
        parse(text)
    assert caught.value.detail
    return caught.value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": "activity"}', ActivityMessage()),
        ('{"type": "activity", "ago": 0}', ActivityMessage(0.0)),
        ('{"type": "activity", "ago": 12.5}', ActivityMessage(12.5)),
        ('{"ago": 86400, "type": "activity"}', ActivityMessage(86400.0)),
        ('{"type": "extend"}', ExtendMessage()),
        ('{"type": "hold", "id": "upload"}', HoldMessage("upload")),
        ('{"type": "hold", "id": "upload", "label": "Uploading 3 files"}', HoldMessage("upload", "Uploading 3 files")),
        ('{"type": "release", "id": "upload"}', ReleaseMessage("upload")),
        ('{"type": "sync"}', SyncMessage()),
        (b' {"type": "sync"} ', SyncMessage()),
    ],
)
def test_each_message_is_understood(text: str | bytes, message: protocol.Message) -> None:
    assert parse(text) == message


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", ErrorCode.BAD_JSON),
        ("ping", ErrorCode.BAD_JSON),
        ('{"type": "sync"', ErrorCode.BAD_JSON),
        ('{"type": "sync"} {}', ErrorCode.BAD_JSON),
        (b"\xff\xfe", ErrorCode.BAD_JSON),
        (None, ErrorCode.BAD_JSON),
        ("\ud800", ErrorCode.BAD_JSON),
        ('{"type": "activity", "ago": NaN}', ErrorCode.BAD_JSON),
        ('{"type": "hold", "id": "a\x00b"}', ErrorCode.BAD_JSON),
        ('{"type": "hold", "id": "\\ud800 alone"}', ErrorCode.BAD_JSON),
        ("[]", ErrorCode.BAD_MESSAGE),
        ("null", ErrorCode.BAD_MESSAGE),
        ("{}", ErrorCode.BAD_MESSAGE),
        ('{"type": 1}', ErrorCode.BAD_MESSAGE),
        ('{"type": "revive"}', ErrorCode.BAD_MESSAGE),
        ('{"type": "state"}', ErrorCode.BAD_MESSAGE),
        ('{"type": "hold"}', ErrorCode.BAD_MESSAGE),
        ('{"type": "sync", "now": 5}', ErrorCode.BAD_MESSAGE),
        ('{"type": "sync", " - at `$.ago`": 5}', ErrorCode.BAD_MESSAGE),
        ('{"type": " - at `$.ago`"}', ErrorCode.BAD_MESSAGE),
        ('{"type": "hold", "id": ""}', ErrorCode.BAD_VALUE),
        ('{"type": "hold", "id": 7}', ErrorCode.BAD_VALUE),
        ('{"type": "hold", "id": "a\\u0000b"}', ErrorCode.BAD_VALUE),
        ('{"type": "hold", "id": "a", "label": "\\u0000"}', ErrorCode.BAD_VALUE),
        ('{"type": "hold", "id": "a", "label": null}', ErrorCode.BAD_VALUE),
    ],
)
def test_what_is_no_message_is_refused_with_its_code(text: str | bytes | None, code: ErrorCode) -> None:
    assert refused(text).code == code


@pytest.mark.rule("R4")
@pytest.mark.parametrize("ago", ["-1", "-0.001", "86400.5", "1e300", "1e999", "9" * 400, '"5"', "true", "null", "[5]"])
def test_times_out_of_range_are_refused(ago: str) -> None:
    assert refused(f'{{"type": "activity", "ago": {ago}}}').code == ErrorCode.BAD_VALUE


def test_the_limits_of_a_hold_are_counted_in_characters() -> None:
    assert parse(json.dumps({"type": "hold", "id": "é" * 64, "label": "é" * 120}, ensure_ascii=False)) == HoldMessage(
        "é" * 64, "é" * 120
    )
    assert refused(json.dumps({"type": "hold", "id": "é" * 65}, ensure_ascii=False)).code == ErrorCode.BAD_VALUE
    assert refused(json.dumps({"type": "hold", "id": "a", "label": "b" * 121})).code == ErrorCode.BAD_VALUE


@pytest.mark.rule("R24")
def test_a_message_has_at_most_a_kibibyte() -> None:
    assert parse('{"type": "sync"}'.ljust(MAX_MESSAGE_SIZE)) == SyncMessage()
    assert refused('{"type": "sync"}'.ljust(MAX_MESSAGE_SIZE + 1)).code == ErrorCode.TOO_LARGE
    assert refused("é" * (MAX_MESSAGE_SIZE // 2 + 1)).code == ErrorCode.TOO_LARGE
    assert refused(b"\xff" * (MAX_MESSAGE_SIZE + 1)).code == ErrorCode.TOO_LARGE


@pytest.mark.rule("R24")
@pytest.mark.parametrize("text", ['{"a":' + "[" * 1015, '{"a":' + "[" * 450 + "]" * 450 + ',"type":"sync"}'])
@pytest.mark.parametrize("depth", [0, 700])
def test_deep_nesting_breaks_nothing(text: str, depth: int) -> None:
    def deeper(levels: int) -> BadMessage:
        return deeper(levels - 1) if levels else refused(text)

    assert deeper(depth).code in {ErrorCode.BAD_MESSAGE, ErrorCode.BAD_JSON}


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_whatever_comes_is_a_message_or_refused(text: str | bytes) -> None:
    with suppress(BadMessage):
        parse(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from(["activity", "extend", "hold", "release", "sync", "x"]),
    st.dictionaries(st.sampled_from(["ago", "id", "label", "more"]), json_values, max_size=3),
)
def test_every_message_of_another_shape_is_refused_or_within_its_bounds(kind: str, fields: dict[str, object]) -> None:
    try:
        message = parse(json.dumps({"type": kind, **fields}))
    except BadMessage:
        return
    if isinstance(message, ActivityMessage):
        assert 0 <= message.ago <= 86400
    if isinstance(message, HoldMessage | ReleaseMessage):
        assert 1 <= len(message.id) <= 64
        assert "\x00" not in message.id


def test_an_active_state_says_everything() -> None:
    frame = state_frame(assess(signed_in(), POLICY, 0.0), POLICY, 7, "/login/")
    assert json.loads(encode(frame)) == {
        "type": "state",
        "version": 7,
        "phase": "active",
        "reason": None,
        "remaining": 900.0,
        "extendable": True,
        "held": False,
        "idle_timeout": 900.0,
        "warn_before": 120.0,
        "heartbeat": 15.0,
    }


def test_a_warned_state_has_the_reason_that_is_coming() -> None:
    frame = state_frame(assess(signed_in(), POLICY, 780.02), POLICY, 8, "/login/")
    assert (frame.phase, frame.reason, frame.remaining, frame.extendable) == (Phase.WARNED, Reason.IDLE, 119.98, True)


@pytest.mark.parametrize("reason", Reason)
def test_an_ended_state_says_where_to_sign_in_again_also_where_the_session_is_unknown(reason: Reason) -> None:
    verdict = assess(signed_in(ended=5.0, reason=reason), POLICY, 6.0)
    ended = json.loads(encode(state_frame(verdict, POLICY, 9, "/login/")))
    assert (ended["phase"], ended["reason"], ended["remaining"]) == ("ended", reason.value, 0.0)
    assert (ended["login_url"], ended["extendable"]) == ("/login/", False)
    assert json.loads(encode(no_session_frame(reason, "/login/"))) == {**ended, "version": 0}
    assert json.loads(encode(no_session_frame(None, "/login/"))) == {**ended, "version": 0, "reason": None}


@pytest.mark.rule("R39")
@pytest.mark.rule("R40")
def test_only_a_clean_close_can_start_the_grace() -> None:
    assert {1000, 1001} == protocol.CLEAN_CLOSES


@given(any_facts(), policies(), moments, st.integers(0, 2**53), st.floats(0, 1, exclude_max=True))
def test_the_text_of_a_state_is_that_of_its_frame_but_for_zeros_of_the_countdown(
    activity: Activity, policy: Policy, now: float, version: int, fraction: float
) -> None:
    verdict = assess(activity, policy, now + fraction)
    text, frame = state_text(verdict, policy, version), encode(state_frame(verdict, policy, version))
    assert list(json.loads(text).items()) == list(json.loads(frame).items())
