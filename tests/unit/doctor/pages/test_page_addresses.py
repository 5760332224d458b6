"""Judgments on the addresses that a page is given."""

from __future__ import annotations

from typing import Any

import pytest

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.clients.http_client import Answer
from idlewatch.doctor.findings import Outcome
from idlewatch.doctor.pages.html import parse_page
from idlewatch.doctor.pages.page_addresses import NAMES, judge_answers, judge_places, urls_in
from tests.support.answers import CONFIG, answer, client, page

ROOT, PORTAL = parse_address("https://example.com/"), parse_address("https://example.com/portal/")
GOOD = {
    "state": answer(200, {"type": "state"}),
    "message": answer(405),
    "page": answer(200, {"page": "current"}),
    "logout": answer(405),
}


def urls(config: dict[str, str], head: str = "") -> dict[str, str]:
    return dict(urls_in(parse_page(page(client(config), head=head)), "https://example.com/a/page/"))


def test_addresses_of_the_site():
    found = urls(CONFIG)
    assert set(found) == set(NAMES)
    assert found["state"] == "https://example.com/idlewatch/state/"
    assert judge_places(found, ROOT, None) is None


@pytest.mark.parametrize(
    ("changed", "address", "came"),
    [
        ({}, PORTAL, "socket at /ws/idlewatch/tab/"),
        ({"state": "/portal/idlewatch/state/"}, PORTAL, "socket at /ws/"),
        ({"socket": "https://other.example.net/ws/"}, ROOT, "socket at https://other.example.net"),
        ({"page": "http://example.com/idlewatch/page/"}, ROOT, "page at http://example.com"),
    ],
)
def test_addresses_that_lie_elsewhere(changed: dict[str, str], address, came: str):
    finding = judge_places(urls(CONFIG | changed), address, None)
    assert finding is not None
    assert finding.outcome is Outcome.FAULT
    assert came in finding.came


def test_addresses_below_the_path_of_the_site():
    assert judge_places(urls({name: f"/portal{url}" for name, url in CONFIG.items()}), PORTAL, None) is None


def test_a_base_of_another_origin_is_named():
    head = '<base href="https://cdn.example.net/">'
    finding = judge_places(urls(CONFIG, head), ROOT, "https://cdn.example.net/")
    assert finding is not None
    assert "<base>" in finding.hint


def test_a_configuration_of_another_version():
    finding = judge_places(urls({name: url for name, url in CONFIG.items() if name != "page"}), ROOT, None)
    assert finding is not None
    assert finding.came == "none for page"


@pytest.mark.parametrize("url", ["http://[", "//example.com:port/", "https://example.com:0/", 7, None])
def test_what_is_no_url_lies_elsewhere(url: Any):
    finding = judge_places(urls(CONFIG | {"logout": url, "socket": url}), PORTAL, None)
    assert finding is not None
    assert finding.outcome is Outcome.FAULT


def test_answers_of_the_site():
    assert judge_answers(GOOD).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("state", answer(404)),
        ("state", answer(200, page())),
        ("state", answer(200, "[]")),
        ("state", answer(200, "[" * 100_000)),
        ("page", answer(302)),
        ("message", answer(200, {})),
        ("message", answer(403)),
        ("logout", answer(404)),
    ],
)
def test_answers_of_something_else(name: str, wrong: Answer):
    finding = judge_answers(GOOD | {name: wrong})
    assert finding.outcome is Outcome.FAULT
    assert f"{name}: {wrong.status}" in finding.came
