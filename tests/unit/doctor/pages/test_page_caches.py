"""Judgments on caches that keep pages."""

from __future__ import annotations

import pytest

from idlewatch.doctor.findings import Outcome
from idlewatch.doctor.pages.html import parse_page
from idlewatch.doctor.pages.page_caches import Kept, find_kept, judge_headers, judge_kept, judge_visitor_headers
from tests.support.answers import answer, client, page

FIRST, SECOND = (parse_page(page(client(csrf=csrf))) for csrf in ("one", "two"))
EMPTY = parse_page(page())


def test_pages_that_no_cache_has_kept():
    assert find_kept(FIRST, SECOND, EMPTY, "current") is None
    assert find_kept(FIRST, SECOND, EMPTY, None) is None
    finding = judge_kept(None, answer())
    assert finding.outcome is Outcome.OK


@pytest.mark.parametrize(
    ("second", "visitor", "owner", "expected"),
    [
        (SECOND, FIRST, "current", Kept.SHOWN_TO_VISITOR),
        (SECOND, EMPTY, "foreign", Kept.OF_ANOTHER_USER),
        (SECOND, EMPTY, "renewed", Kept.OF_ANOTHER_SESSION),
        (FIRST, EMPTY, "current", Kept.TWICE),
        (FIRST, FIRST, "foreign", Kept.SHOWN_TO_VISITOR),
    ],
)
def test_pages_that_a_cache_has_kept(second, visitor, owner, expected):
    assert find_kept(FIRST, second, visitor, owner) is expected


def test_what_caches_tell_of_themselves_is_named():
    finding = judge_kept(Kept.TWICE, answer(200, "", ("Age", "12"), ("X-Cache", "HIT")))
    assert finding.outcome is Outcome.FAULT
    assert "Age: 12, X-Cache: HIT" in finding.came


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        (["no-store, private"], Outcome.OK),
        (["No-Store"], Outcome.OK),
        (["private"], Outcome.OK),
        (["private, no-cache"], Outcome.OK),
        (["private", "max-age=0"], Outcome.OK),
        (["private, max-age=600"], Outcome.WARNING),
        (["no-store, max-age=600"], Outcome.OK),
        ([], Outcome.FAULT),
        (["max-age=600"], Outcome.FAULT),
        (["no-cache"], Outcome.FAULT),
        (["public, max-age=600"], Outcome.FAULT),
        (["private", "public"], Outcome.FAULT),
        (["private, s-maxage=600"], Outcome.FAULT),
    ],
)
def test_the_header_of_a_page_with_the_client(fields: list[str], outcome: Outcome):
    came = answer(200, "", *(("Cache-Control", field) for field in fields))
    assert judge_headers(came).outcome is outcome


def test_a_header_that_shared_caches_obey_first():
    came = answer(200, "", ("Cache-Control", "no-store"), ("CDN-Cache-Control", "max-age=60"))
    assert judge_headers(came).outcome is Outcome.FAULT


@pytest.mark.parametrize(
    ("fields", "outcomes"),
    [
        ([("Vary", "Accept, cookie")], [Outcome.OK]),
        ([("Vary", "Accept"), ("Vary", "Cookie")], [Outcome.OK]),
        ([("Vary", "*")], [Outcome.OK]),
        ([("Vary", "Accept-Encoding")], [Outcome.WARNING]),
        ([], [Outcome.WARNING]),
        ([("Cache-Control", "max-age=0, no-store")], []),
        ([("Cache-Control", "Private")], []),
        ([("Cache-Control", "public, max-age=60")], [Outcome.WARNING]),
    ],
)
def test_the_headers_of_a_visitors_page(fields: list[tuple[str, str]], outcomes: list[Outcome]):
    assert [finding.outcome for finding in judge_visitor_headers(answer(200, "", *fields))] == outcomes
