"""The live socket is what `docs/protocol.md` and the page's own script take it for."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from msgspec.structs import replace

from idlewatch.core.policy import Phase
from idlewatch.core.protocol import ErrorCode, ErrorFrame, encode
from idlewatch.live.frames import Snapshot, changes_frame, page_frame, unavailable_frame
from idlewatch.live.query import Message, Sort, parse
from idlewatch.live.rows import SENT_FIELDS, Row
from idlewatch.store.values import Census, Sample
from tests.architecture.test_protocol_docs import BLOCKS, PAGE, objects
from tests.support.serving import ROOT

CLIENT = ROOT / "static" / "idlewatch" / "live"
PROTOCOL, QUERY = (CLIENT / "protocol.js").read_text(), (CLIENT / "query.js").read_text()
MESSAGES, FRAMES = BLOCKS[2:4]
ROW = Row("w1", "7", "ada", "", "Firefox 128 on Linux", "203.0.113.7", 5.0, 6.0, 2, None, Phase.ACTIVE, None, 90.0)


def snapshot(*rows: Row, **changes: Any) -> Snapshot:
    shown: dict[str, Any] = {
        "query": 3,
        "operator": "1",
        "census": Census(1, 0, 1),
        "total": len(rows),
        "bounded": False,
        "page": 1,
        "pages": 1,
        "rows": {row.id: row for row in rows},
        "samples": [Sample(10.0, 1, 0, 0)],
    }
    return Snapshot(**(shown | changes))


def changes(before: Snapshot, after: Snapshot) -> dict[str, object]:
    frame = json.loads(changes_frame(before, after, 8, 12.0) or "{}")
    assert [frame.pop(name) for name in ("type", "frame", "query", "now")] == ["changes", 8, 3, 12.0]
    return frame


@pytest.mark.parametrize("text", objects(MESSAGES))
def test_every_documented_message_is_understood(text: str):
    parse(text)


def test_every_documented_frame_is_one_and_every_sort_is_documented():
    assert all(f"`{sort.column}`" in PAGE for sort in Sort)
    page, changed, unavailable = map(json.loads, objects(FRAMES))
    sent = json.loads(page_frame(snapshot(ROW), 1, 11.0))
    assert sent.keys() == page.keys()
    assert sent["counts"].keys() == page["counts"].keys()
    assert list(sent["rows"][0]) == list(page["rows"][0])
    assert len(sent["samples"][0]) == len(page["samples"][0])
    assert changed.keys() <= page.keys() | {"order"}
    assert json.loads(unavailable_frame(9)) == unavailable


def constants(name: str) -> dict[str, object]:
    """Read a frozen object out of the script."""
    [written] = re.findall(rf"export const {name} = Object\.freeze\(\{{(.*?)\}}\)", PROTOCOL, re.DOTALL)
    return {key: json.loads(value) for key, value in re.findall(r"(\w+): (\"[^\"]*\"|\d+)", written)}


def properties(name: str) -> set[str]:
    """Read the names of a type's properties."""
    [written] = re.findall(rf"@typedef {{object}} {name}\b(.*?)\*/", PROTOCOL, re.DOTALL)
    return set(re.findall(r"@property {[^}]*} \[?(\w+)", written))


def test_the_script_has_every_message_frame_and_field():
    assert set(constants("MESSAGE").values()) == {message.__struct_config__.tag for message in Message.__args__}
    page, changed = page_frame(snapshot(), 1, 0.0), changes_frame(snapshot(), snapshot(ROW), 2, 0.0)
    frames = [page, changed, unavailable_frame(3), encode(ErrorFrame(ErrorCode.BAD_JSON, ""))]
    assert set(constants("FRAME").values()) == {json.loads(frame or "")["type"] for frame in frames}
    assert properties("Row") == {*SENT_FIELDS, "mine"}
    assert properties("PageFrame") == set(json.loads(page))


@pytest.mark.parametrize(
    ("field", "name"), [("phase", "PHASES"), ("connected", "CONNECTED"), ("size", "SIZES"), ("sort", "SORTS")]
)
def test_the_script_asks_for_what_the_server_takes(field: str, name: str):
    [written] = re.findall(rf"^const {name} = (\[.*?\]);", QUERY, re.MULTILINE)
    choices = json.loads(written)
    for choice in choices:
        parse(json.dumps({"type": "watch", "query": 1, field: choice}))
    assert name != "SORTS" or set(choices) == {sort.column for sort in Sort}


@pytest.mark.rule("R23")
def test_a_row_says_no_more_than_is_documented():
    assert {*SENT_FIELDS, "mine"} == {*ROW.fields("1")}
    assert all(f'"{name}"' in FRAMES for name in (*SENT_FIELDS, "mine"))


def test_the_operators_own_sessions_are_marked():
    assert ROW.fields("7")["mine"] is True
    assert ROW.fields("1")["mine"] is False


def test_a_difference_has_what_is_different_alone():
    assert changes_frame(snapshot(ROW), snapshot(ROW), 8, 12.0) is None
    acted = replace(ROW, seen=7.0, ends=92.0)
    assert changes(snapshot(ROW), snapshot(acted)) == {"rows": {"w1": {"seen": 7.0, "ends": 92.0}}}
    other = Row("w2", "1", "bob", "", "", "", 5.0, 6.0, 0, "", Phase.WARNED, "idle", None)
    assert changes(snapshot(ROW), snapshot(ROW, census=Census(2, 0, 1))) == {
        "counts": {"active": 2, "warned": 0, "connected": 1}
    }
    assert changes(snapshot(ROW), snapshot(ROW, other)) == {
        "total": 2,
        "order": ["w1", "w2"],
        "rows": {"w2": other.fields("1")},
    }
    assert changes(snapshot(ROW, other), snapshot(other)) == {"total": 1, "order": ["w2"]}
    assert changes(snapshot(ROW, other), snapshot(other, ROW)) == {"order": ["w2", "w1"]}
    later = [Sample(10.0, 1, 0, 0), Sample(25.0, 1, 0, 2)]
    assert changes(snapshot(ROW), snapshot(ROW, samples=later)) == {"samples": [[25.0, 1, 0, 2]]}


def test_a_row_that_gets_another_user_is_sent_whole():
    """An operator acts as another user: the session may no longer be one of the page's own operator."""
    acting = replace(ROW, owner="1", user="bob", impersonator="ada")
    sent = changes(snapshot(ROW), snapshot(acting))
    assert sent == {"rows": {"w1": acting.fields("1")}}
    assert acting.fields("1")["mine"]
