"""Judgments on the login view and on the page of a reauthentication."""

from __future__ import annotations

from typing import Any

import pytest

from idlewatch.doctor.clients.browsing import Stop, Visit
from idlewatch.doctor.findings import Outcome
from idlewatch.doctor.pages.login_view import judge_login_view, judge_reauthentication
from tests.support.answers import answer, client, page, redirect, visit

FORM = page('<form><input type="password"></form>', client())


@pytest.fixture(autouse=True)
def site(settings: Any):
    settings.ROOT_URLCONF = "tests.support.http_site"
    settings.LOGIN_URL = "/login/"


def away(to: str, *then: Any, path: str = "/login/") -> Visit:
    return visit(redirect(to, path=path), *then)


@pytest.mark.parametrize(
    ("loaded", "outcome", "hint"),
    [
        (visit(answer(200, FORM, path="/login/")), Outcome.OK, ""),
        (visit(answer(200, page("<script></script>"), path="/login/")), Outcome.OK, ""),
        (away("/idlewatch/signed-in/", answer(200, page(client()), path="/idlewatch/signed-in/")), Outcome.OK, ""),
        (visit(redirect("https://sso.example.net/"), stop=Stop.ELSEWHERE), Outcome.OK, ""),
        (away("/sign-in/", answer(200, FORM, path="/sign-in/")), Outcome.OK, ""),
        (away("/", answer(200, page(client()))), Outcome.WARNING, "whatever 'next' says"),
        (away("/", answer(200, page())), Outcome.FAULT, "without the client"),
        (away("/", answer(404, page())), Outcome.FAULT, "LOGIN_URL"),
        (visit(answer(404, page(), path="/login/")), Outcome.FAULT, "LOGIN_URL"),
        (visit(answer(500, page(), path="/login/")), Outcome.FAULT, "log"),
        (visit(redirect("/"), redirect("/login/"), stop=Stop.LOOP), Outcome.FAULT, "redirect_authenticated_user"),
    ],
)
def test_the_login_view_while_signed_in(loaded: Visit, outcome: Outcome, hint: str):
    finding = judge_login_view(loaded)
    assert finding.outcome is outcome
    assert hint in finding.hint


@pytest.mark.parametrize(
    ("loaded", "outcome"),
    [
        (visit(answer(200, FORM)), Outcome.OK),
        (visit(redirect("https://sso.example.net/"), stop=Stop.ELSEWHERE), Outcome.OK),
        (visit(redirect("/a/"), redirect("/b/"), stop=Stop.TOO_MANY), Outcome.FAULT),
        (visit(answer(500, page())), Outcome.FAULT),
        (visit(answer(404, page())), Outcome.FAULT),
    ],
)
def test_a_reauthentication(loaded: Visit, outcome: Outcome):
    assert judge_reauthentication(loaded).outcome is outcome
