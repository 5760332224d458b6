from __future__ import annotations

import re

import pytest

from tests.support.serving import ROOT

CSS = (ROOT / "static" / "idlewatch" / "idlewatch.css").read_text()
TEMPLATE = (ROOT / "idlewatch" / "templates" / "idlewatch" / "client.html").read_text()
PAGE = (ROOT / "docs" / "theming.md").read_text()


def documented(heading: str) -> list[str]:
    """The first column of the table below a heading."""
    section = re.search(rf"^## {heading}\n(.+?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None
    return re.findall(r"^\| `([^`]+)` \|", section[1], re.MULTILINE)


def test_every_custom_property_is_documented_and_nothing_else():
    assert set(re.findall(r"var\((--idlewatch-[\w-]+)", CSS)) == set(documented("Custom properties"))


def test_every_part_is_documented_and_nothing_else():
    parts = {name for names in re.findall(r'\spart="([^"]+)"', TEMPLATE) for name in names.split()}
    assert parts == set(documented("Parts"))


def test_every_default_is_the_one_in_the_stylesheet():
    rows = re.findall(r"^\| `(--idlewatch-[\w-]+)` \| [^|]+ \| (?:`([^`]+)`)?(?: / `([^`]+)`)? ?\|", PAGE, re.MULTILINE)
    assert rows
    for name, light, dark in rows:
        values = re.findall(rf"var\({name}, (.+)\);", CSS)
        assert values, name
        if light:
            assert light in values, name
        if dark:
            assert f"light-dark({light}, {dark})" in values, name


@pytest.mark.parametrize("selector", re.findall(r"^([^@\s}/][^{]*?) \{", CSS, re.MULTILINE))
def test_no_rule_reaches_into_the_page_around_a_notice(selector: str):
    for each in re.split(r",\n", selector):
        if each not in {"from", "to"}:
            assert each.strip().startswith((".idlewatch-", ":host", "[data-idlewatch-")), each
