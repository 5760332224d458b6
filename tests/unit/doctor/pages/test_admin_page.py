"""Judgment on pages of the admin."""

from __future__ import annotations

from typing import Any

import pytest

from idlewatch.doctor.clients.browsing import Stop, Visit
from idlewatch.doctor.findings import Outcome
from idlewatch.doctor.pages.admin_page import admin_sites, judge_admin
from tests.support.answers import answer, client, page, redirect, visit

GZIP, OURS = "django.middleware.gzip.GZipMiddleware", "idlewatch.middleware.IdleWatchMiddleware"


@pytest.fixture(autouse=True)
def site(settings: Any):
    settings.ROOT_URLCONF = "tests.support.http_site"
    settings.LOGIN_URL = "/login/"


def to_login(body: str, *headers: tuple[str, str], path: str = "/admin/login/") -> Visit:
    return visit(redirect(f"{path}?next=/admin/", path="/admin/"), answer(200, body, *headers, path=path))


def test_admin_sites():
    assert list(admin_sites()) == [("admin", "/admin/")]


def test_a_site_without_an_admin(settings: Any):
    settings.ROOT_URLCONF = "idlewatch.urls"
    assert list(admin_sites()) == []


@pytest.mark.parametrize(
    ("loaded", "outcome"),
    [
        (visit(answer(200, page(client()), path="/admin/")), Outcome.OK),
        (to_login(page(client())), Outcome.OK),
        (visit(answer(200, page(), path="/admin/")), Outcome.FAULT),
        (visit(answer(200, page(client(), client()), path="/admin/")), Outcome.FAULT),
        (to_login(page()), Outcome.FAULT),
        (visit(answer(500, page(), path="/admin/")), Outcome.FAULT),
        (visit(redirect("/admin/"), redirect("/login/"), stop=Stop.LOOP), Outcome.FAULT),
        (to_login(page(), path="/login/"), Outcome.SKIPPED),
        (visit(answer(403, page(), path="/admin/")), Outcome.SKIPPED),
        (visit(redirect("https://sso.example.net/"), stop=Stop.ELSEWHERE), Outcome.SKIPPED),
    ],
)
def test_a_page_of_the_admin(loaded: Visit, outcome: Outcome):
    assert judge_admin("admin", loaded).outcome is outcome


@pytest.mark.parametrize(("middleware", "is_named"), [([OURS, GZIP], True), ([GZIP, OURS], False), ([GZIP], False)])
def test_what_compresses_too_early_is_named(settings: Any, middleware: list[str], is_named: bool):
    settings.MIDDLEWARE = middleware
    finding = judge_admin("admin", to_login(page(), ("Content-Encoding", "gzip")))
    assert ("GZipMiddleware" in finding.hint) is is_named
