"""`docs/protocol.md` documents the protocol as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from idlewatch.core.protocol import Close, ErrorCode, Frame, parse

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text()
BLOCKS = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


def objects(block: str) -> list[str]:
    """Return the JSON objects of a block, one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(block):
        value, end = decoder.raw_decode(block, at)
        found.append(json.dumps(value))
        at = end + len(block[end:]) - len(block[end:].lstrip())
    return found


@pytest.mark.parametrize("text", objects(BLOCKS[0]))
def test_every_documented_frame_of_the_server_is_one(text):
    assert json.loads(msgspec.json.encode(msgspec.json.decode(text, type=Frame))) == json.loads(text)


@pytest.mark.parametrize("text", objects(BLOCKS[1]))
def test_every_documented_message_is_understood(text):
    parse(text)


@pytest.mark.rule("R26")
def test_every_close_code_is_documented():
    assert {int(code) for code in re.findall(r"^\| (\d{4}) \|", PAGE, re.MULTILINE)} == set(Close)


def test_every_error_code_is_documented():
    assert all(f"`{code}`" in PAGE for code in ErrorCode)
