"""Judgments on a page that was loaded."""

from __future__ import annotations

from typing import Any

import pytest

from idlewatch.doctor.clients.browsing import Stop, Visit
from idlewatch.doctor.findings import Outcome
from idlewatch.doctor.pages.html import parse_page
from idlewatch.doctor.pages.loaded_page import is_login, judge_client, judge_page, judge_visitor
from tests.support.answers import SCRIPT, answer, client, page, redirect, visit

LOGIN = redirect("/login/?next=/")


@pytest.fixture(autouse=True)
def site(settings: Any):
    settings.ROOT_URLCONF = "tests.support.http_site"
    settings.LOGIN_URL = "/login/"
    settings.MIDDLEWARE = ["django.middleware.x.Y", "otp.middleware.OTPMiddleware", "idlewatch.middleware.Z"]


@pytest.mark.parametrize(
    ("loaded", "outcome"),
    [
        (visit(answer(200, page("A page"))), Outcome.OK),
        (visit(LOGIN, answer(200, page(), path="/login/")), Outcome.OK),
        (visit(redirect("https://sso.example.net/"), stop=Stop.ELSEWHERE), Outcome.OK),
        (visit(answer(404, page())), Outcome.WARNING),
        (visit(answer(403, page())), Outcome.WARNING),
        (visit(answer(200, {})), Outcome.WARNING),
        (visit(answer(500, page())), Outcome.FAULT),
        (visit(answer(200, page(client()))), Outcome.FAULT),
        (visit(LOGIN, answer(404, page(), path="/login/")), Outcome.FAULT),
        (visit(LOGIN, redirect("/", path="/login/"), stop=Stop.LOOP), Outcome.FAULT),
    ],
)
def test_a_visitors_page(loaded: Visit, outcome: Outcome):
    assert judge_visitor(loaded).outcome is outcome


@pytest.mark.parametrize(
    ("loaded", "hint"),
    [
        (visit(answer(200, page())), ""),
        (visit(redirect("/en/"), answer(200, page(), path="/en/")), ""),
        (visit(LOGIN, answer(200, page(), path="/login/")), "second factor"),
        (visit(LOGIN, answer(200, page(), path="/login/")), "OTPMiddleware"),
        (visit(answer(403, page())), "--path"),
        (visit(answer(404, page())), "--path"),
        (visit(answer(200, {})), "--path"),
        (visit(answer(500, page())), "log"),
        (visit(redirect("https://www.example.com/"), stop=Stop.ELSEWHERE), "--url"),
        (visit(redirect("/2/"), redirect("/", path="/2/"), stop=Stop.LOOP), "without end"),
    ],
)
def test_a_users_page(loaded: Visit, hint: str):
    finding = judge_page(loaded)
    assert finding.outcome is (Outcome.FAULT if hint else Outcome.OK)
    assert hint in finding.hint


def test_what_came_has_no_query():
    loaded = visit(redirect("/login/?next=/secret/"), answer(200, page(), path="/login/?next=/secret/"))
    finding = judge_page(loaded)
    assert finding.came == "302 to /login/, and 200 OK there"
    assert "secret" not in f"{finding.came}{finding.hint}"


@pytest.mark.parametrize(("path", "expected"), [("/login/", True), ("/admin/login/", True), ("/open/", False)])
def test_paths_of_login_pages(path: str, expected: bool):
    assert is_login(path) is expected


def test_the_login_page_of_another_site_is_not_a_path_of_this_one(settings: Any):
    settings.LOGIN_URL = "https://sso.example.net/open/"
    assert not is_login("/open/")


def test_a_site_below_a_path_has_its_login_page_there():
    loaded = visit(answer(200, page(), path="/portal/login/"), prefix="/portal")
    assert judge_page(loaded).outcome is Outcome.FAULT


@pytest.mark.parametrize(
    ("parts", "outcome", "came"),
    [
        ([client()], Outcome.OK, "one template"),
        ([], Outcome.FAULT, "none"),
        ([client(), client()], Outcome.FAULT, "2 templates"),
        (["<noscript>", client(), "</noscript>"], Outcome.FAULT, "no part of the document"),
        ([client("{}x")], Outcome.FAULT, "without a configuration"),
        ([client(script="")], Outcome.OK, "own bundle"),
        ([client(script=SCRIPT.replace("module", "0b1c-module"))], Outcome.FAULT, "0b1c-module"),
        ([client(script=SCRIPT.replace('type="module"', ""))], Outcome.FAULT, "''"),
        ([client(stylesheet="")], Outcome.WARNING, "without a stylesheet"),
    ],
)
def test_a_client(parts: list[str], outcome: Outcome, came: str):
    finding = judge_client(parse_page(page(*parts)))
    assert finding.outcome is outcome
    assert came in finding.came
