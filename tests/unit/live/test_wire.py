"""The live socket as `docs/protocol.md` tells it is the socket as it is."""

from __future__ import annotations

import json

import pytest

from idlewatch.core.policy import Phase
from idlewatch.live.frames import Snapshot, changes_frame, page_frame, unavailable_frame
from idlewatch.live.query import Sort, parse
from idlewatch.live.rows import SENT_FIELDS, Row
from idlewatch.store.values import Census, Sample
from tests.architecture.test_protocol_docs import BLOCKS, PAGE, objects

MESSAGES, FRAMES = BLOCKS[2:4]
ROW = Row("w1", "7", "ada", "Firefox 128 on Linux", "203.0.113.7", 5.0, 6.0, 2, None, Phase.ACTIVE, None, 90.0)


def picture(*rows: Row, **changes: object) -> Snapshot:
    shown = {
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
    frame = changes_frame(before, after, 8, 12.0)
    assert frame is not None
    told = json.loads(frame)
    assert [told.pop(name) for name in ("type", "frame", "query", "now")] == ["changes", 8, 3, 12.0]
    return told


@pytest.mark.parametrize("text", objects(MESSAGES))
def test_every_documented_message_is_understood(text: str):
    parse(text)


def test_every_documented_frame_is_one():
    page, changed, unavailable = map(json.loads, objects(FRAMES))
    sent = json.loads(page_frame(picture(ROW), 1, 11.0))
    assert sent.keys() == page.keys()
    assert sent["counts"].keys() == page["counts"].keys()
    assert list(sent["rows"][0]) == list(page["rows"][0])
    assert len(sent["samples"][0]) == len(page["samples"][0])
    assert changed.keys() <= page.keys() | {"order"}
    assert json.loads(unavailable_frame(9)) == unavailable


def test_every_sort_is_documented():
    assert all(f"`{sort.column}`" in PAGE for sort in Sort)


@pytest.mark.rule("R23")
def test_a_row_says_no_more_than_is_documented():
    assert {*SENT_FIELDS, "mine"} == {*ROW.fields("1")}
    assert all(f'"{name}"' in FRAMES for name in (*SENT_FIELDS, "mine"))


def test_the_operators_own_sessions_are_marked():
    assert ROW.fields("7")["mine"] is True
    assert ROW.fields("1")["mine"] is False


def test_nothing_different_is_no_frame():
    assert changes_frame(picture(ROW), picture(ROW), 8, 12.0) is None


def test_a_difference_has_what_is_different_alone():
    other = Row("w2", "1", "bob", "", "", 5.0, 6.0, 0, "", Phase.WARNED, "idle", None)
    assert changes(picture(ROW), picture(ROW, census=Census(2, 0, 1))) == {
        "counts": {"active": 2, "warned": 0, "connected": 1}
    }
    assert changes(picture(ROW), picture(ROW, other)) == {
        "total": 2,
        "order": ["w1", "w2"],
        "rows": {"w2": other.fields("1")},
    }
    assert changes(picture(ROW, other), picture(other)) == {"total": 1, "order": ["w2"]}
    assert changes(picture(ROW, other), picture(other, ROW)) == {"order": ["w2", "w1"]}
    later = [Sample(10.0, 1, 0, 0), Sample(25.0, 1, 0, 2)]
    assert changes(picture(ROW), picture(ROW, samples=later)) == {"samples": [[25.0, 1, 0, 2]]}
