"""Judgments on the answers after an end."""

from __future__ import annotations

from typing import Any

import pytest

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.clients.http_client import Answer
from idlewatch.doctor.findings import Outcome, Trial
from idlewatch.doctor.pages.ended_answers import (
    judge_deletion,
    judge_fetch,
    judge_notice,
    judge_old_page,
    judge_redirect,
    judge_socket,
    judge_state,
)
from tests.support.answers import answer, client, page, redirect, visit

SITE, PORTAL = parse_address("https://www.example.com/"), parse_address("https://www.example.com/portal/")
ENDED = {"type": "state", "phase": "ended", "reason": "logout"}
TOLD = ("Idlewatch-Ended", "logout")
REASON_LEFT = ("Set-Cookie", "sessionid_ended=signed; HttpOnly; Path=/")
GONE = "expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0"
NOTICE = page('<p class="idlewatch-notice">Why</p>')


@pytest.mark.parametrize(
    ("came", "outcome"),
    [
        (redirect("/login/?next=/idlewatch/sessions/"), Outcome.OK),
        (redirect("https://sso.example.net/?next=https%3A//www.example.com/idlewatch/sessions/"), Outcome.OK),
        (redirect("/login/"), Outcome.FAULT),
        (redirect("/login/?next=/"), Outcome.FAULT),
        (redirect("/login/?next=http://["), Outcome.FAULT),
        (answer(200, page(client())), Outcome.FAULT),
        (answer(200, page()), Outcome.FAULT),
        (answer(403, page()), Outcome.FAULT),
        (answer(503, page()), Outcome.FAULT),
    ],
)
def test_a_navigation(came: Answer, outcome: Outcome):
    assert judge_redirect(Trial.ENDED_NAVIGATION, "A page", came, "/idlewatch/sessions/").outcome is outcome


def test_the_hint_for_a_refused_form_names_csrf():
    assert "CSRF" in judge_redirect(Trial.ENDED_POST, "A form", answer(403, page()), "/").hint


def test_a_sites_own_ended_response_is_as_good_and_a_page_that_is_still_served_is_not(settings: Any):
    settings.IDLEWATCH = {"ENDED_RESPONSE": "django.shortcuts.redirect"}
    finding = judge_redirect(Trial.ENDED_NAVIGATION, "A page", redirect("/gone/"), "/")
    assert finding.outcome is Outcome.OK
    assert "ENDED_RESPONSE" in finding.came
    assert judge_fetch(answer(410, {})).outcome is Outcome.OK
    served = judge_redirect(Trial.ENDED_NAVIGATION, "A page", answer(200, page(client())), "/")
    assert served.outcome is Outcome.FAULT


@pytest.mark.parametrize(
    ("came", "hint"),
    [
        (answer(401, ENDED, TOLD), ""),
        (answer(401, ENDED), "drops the header"),
        (answer(401, "<h1>Sorry</h1>", TOLD), "replaces the body"),
        (answer(401, ENDED | {"reason": "lost"}, ("Idlewatch-Ended", "lost")), "another reason"),
        (answer(403, {}), "CSRF or permissions"),
        (redirect("/login/"), "don't learn"),
        (answer(200, ENDED, TOLD), "don't learn"),
    ],
)
def test_a_request_of_a_script(came: Answer, hint: str):
    finding = judge_fetch(came)
    assert finding.outcome is (Outcome.FAULT if hint else Outcome.OK)
    assert hint in finding.hint


@pytest.mark.parametrize(
    ("navigation", "login", "outcome"),
    [
        (redirect("/login/", REASON_LEFT), answer(200, NOTICE), Outcome.OK),
        (
            redirect("/login/", REASON_LEFT),
            answer(200, page(), ("Set-Cookie", f"sessionid_ended=; {GONE}")),
            Outcome.OK,
        ),
        (redirect("/login/", REASON_LEFT), answer(200, page()), Outcome.WARNING),
        (redirect("/login/"), answer(200, page()), Outcome.FAULT),
        (redirect("/login/", REASON_LEFT), answer(404, page()), Outcome.FAULT),
        (redirect("/login/", REASON_LEFT), answer(500, page()), Outcome.FAULT),
    ],
)
def test_the_reason_on_the_login_page(navigation: Answer, login: Answer, outcome: Outcome):
    assert judge_notice(navigation, visit(login)).outcome is outcome


@pytest.mark.parametrize(
    ("cookie", "address", "outcome"),
    [
        (f'sessionid=""; {GONE}; Path=/', SITE, Outcome.OK),
        (f"sessionid=; {GONE}; Path=/; Domain=example.com", SITE, Outcome.OK),
        (f"sessionid=; {GONE}; Path=/; Domain=.example.com", SITE, Outcome.OK),
        (f"sessionid=; {GONE}; Path=/; Domain=example.net", SITE, Outcome.FAULT),
        (f"sessionid=; {GONE}; Path=/; Domain=ple.com", SITE, Outcome.FAULT),
        (f"sessionid=; {GONE}; Path=/other/", SITE, Outcome.FAULT),
        (f"sessionid=; {GONE}; Path=/portal", PORTAL, Outcome.OK),
        (f"sessionid=; {GONE}; Path=/portal/", PORTAL, Outcome.OK),
        (f"sessionid=; {GONE}; Path=/", PORTAL, Outcome.OK),
        (f"sessionid=; {GONE}; Path=/port", PORTAL, Outcome.FAULT),
        ("sessionid=old; Path=/", SITE, Outcome.FAULT),
        ("sessionid=new; Path=/", SITE, Outcome.OK),
        ("sessionid=new; Path=/other/", SITE, Outcome.FAULT),
        (f"other=; {GONE}; Path=/", SITE, Outcome.FAULT),
    ],
)
def test_the_deleted_cookie(cookie: str, address, outcome: Outcome):
    finding = judge_deletion(redirect("/login/", REASON_LEFT, ("Set-Cookie", cookie)), address, "old")
    assert finding.outcome is outcome


def test_no_cookie_is_deleted_where_something_drops_it():
    finding = judge_deletion(redirect("/login/"), SITE, "old")
    assert finding.came == "kept"


@pytest.mark.parametrize(
    ("came", "hint"),
    [
        (answer(401, ENDED), ""),
        (answer(200, ENDED | {"phase": "active", "reason": None}), "timer"),
        (answer(401, page()), "Something answers"),
        (answer(404, page()), "Something answers"),
    ],
)
def test_the_state_with_the_old_cookie(came: Answer, hint: str):
    finding = judge_state(came, 1.26)
    assert finding.outcome is (Outcome.FAULT if hint else Outcome.OK)
    assert hint in finding.hint
    assert "after 1.3 s" in finding.came


@pytest.mark.parametrize(
    ("came", "outcome"),
    [
        (redirect("/login/"), Outcome.OK),
        (answer(200, page()), Outcome.OK),
        (answer(200, page(client())), Outcome.FAULT),
        (answer(500, page()), Outcome.FAULT),
    ],
)
def test_the_page_with_the_old_cookie(came: Answer, outcome: Outcome):
    assert judge_old_page(came).outcome is outcome


@pytest.mark.parametrize(
    ("frames", "code", "outcome"),
    [
        (["ended"], 4401, Outcome.OK),
        (["active"], None, Outcome.FAULT),
        (["ended"], 1000, Outcome.FAULT),
        (["ended"], None, Outcome.FAULT),
        ([], 4401, Outcome.FAULT),
        (["active", "ended"], 4401, Outcome.FAULT),
    ],
)
def test_the_socket_with_the_old_cookie(frames: list[str], code: int | None, outcome: Outcome):
    assert judge_socket(frames, code).outcome is outcome
