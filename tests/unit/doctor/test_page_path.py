"""Which page is loaded where none is named."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.clients.http_client import HttpClient, NoAnswer
from idlewatch.doctor.site import Options, Site

ADDRESS = parse_address("https://example.com/app/")


@pytest.fixture
def statuses(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What the site answers, by path; nothing to others."""
    statuses: dict[str, int] = {}

    def request(self: HttpClient, path: str, **_: Any) -> Any:
        if path not in statuses:
            raise NoAnswer
        return SimpleNamespace(status=statuses[path])

    monkeypatch.setattr(HttpClient, "request", request)
    return statuses


@pytest.mark.parametrize(("status", "expected"), [(200, "/app/"), (302, "/app/"), (404, "/app/idlewatch/sessions/")])
def test_it_is_the_start_page_if_there_is_one(statuses: dict[str, int], status: int, expected: str):
    statuses["/app/"] = status
    assert Site(Options(address=ADDRESS)).page_path == expected


def test_it_is_the_start_page_where_nothing_answers(statuses: dict[str, int]):
    assert Site(Options(address=ADDRESS)).page_path == "/app/"


def test_it_is_the_one_that_is_named_without_asking(statuses: dict[str, int]):
    assert Site(Options(address=ADDRESS, path="/account/?tab=2")).page_path == "/app/account/?tab=2"
