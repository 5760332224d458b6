"""The live page's own copy of the wire is the server's."""

from __future__ import annotations

import json
import re

import pytest

from idlewatch.core.protocol import ErrorCode, ErrorFrame, encode
from idlewatch.live.frames import Snapshot, changes_frame, page_frame, unavailable_frame
from idlewatch.live.query import Message, Sort, parse
from idlewatch.live.rows import SENT_FIELDS
from idlewatch.store.values import Census
from tests.support.serving import ROOT

WIRE = (ROOT / "static" / "idlewatch" / "live" / "protocol.js").read_text()
QUERY = (ROOT / "static" / "idlewatch" / "live" / "query.js").read_text()


def constants(name: str) -> dict[str, object]:
    """Read a frozen object out of it."""
    [written] = re.findall(rf"export const {name} = Object\.freeze\(\{{(.*?)\}}\)", WIRE, re.DOTALL)
    return {key: json.loads(value) for key, value in re.findall(r"(\w+): (\"[^\"]*\"|\d+)", written)}


def properties(name: str) -> set[str]:
    """Read the names of a type's properties."""
    [written] = re.findall(rf"@typedef {{object}} {name}\b(.*?)\*/", WIRE, re.DOTALL)
    return set(re.findall(r"@property {[^}]*} \[?(\w+)", written))


def test_it_sends_the_messages_that_the_server_takes():
    assert set(constants("MESSAGE").values()) == {message.__struct_config__.tag for message in Message.__args__}


def test_it_knows_every_frame_that_the_server_sends():
    picture = Snapshot(0, "1", Census(1, 0, 0), 1, False, 1, 1, {}, ())
    later = Snapshot(0, "1", Census(2, 0, 0), 2, False, 1, 1, {}, ())
    frames = [page_frame(picture, 1, 0.0), changes_frame(picture, later, 2, 0.0), unavailable_frame(3)]
    types = {json.loads(frame or "")["type"] for frame in frames}
    assert set(constants("FRAME").values()) == types | {json.loads(encode(ErrorFrame(ErrorCode.BAD_JSON, "")))["type"]}


def test_it_knows_every_field_of_a_row_and_of_a_frame():
    picture = Snapshot(0, "1", Census(1, 0, 0), 1, False, 1, 1, {}, ())
    assert properties("Row") == {*SENT_FIELDS, "mine"}
    assert properties("PageFrame") == set(json.loads(page_frame(picture, 1, 0.0)))


@pytest.mark.parametrize(
    ("field", "name"), [("phase", "PHASES"), ("connected", "CONNECTED"), ("size", "SIZES"), ("sort", "SORTS")]
)
def test_it_asks_for_what_the_server_takes(field: str, name: str):
    [written] = re.findall(rf"^const {name} = (\[.*?\]);", QUERY, re.MULTILINE)
    choices = json.loads(written)
    for choice in choices:
        parse(json.dumps({"type": "watch", "query": 1, field: choice}))
    assert name != "SORTS" or set(choices) == {sort.column for sort in Sort}
