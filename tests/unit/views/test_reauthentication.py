"""Proving again who one is, before a session ends or before others are ended: by password, or by a project's object."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import User
from django.http import HttpRequest

from idlewatch.core.clock import as_datetime
from idlewatch.http.reauthentication import OneTimeCode
from idlewatch.models import WatchedSession
from idlewatch.monitor import attempts, django_sessions
from idlewatch.views.reauthentication import MAX_ATTEMPTS, SIGN_IN_VALIDITY, is_fresh
from tests.conftest import START, Time
from tests.support import http_site
from tests.support.http import PASSWORD, Browser, record, user_of
from tests.support.probes import probing
from tests.unit.views.test_own_sessions import PAGE, asks_password, words

RETURN = "/idlewatch/signed-in/"
HERE = f"/idlewatch/reauthenticate/?next={RETURN}"


class Elsewhere:
    """A project's object: where users prove who they are, and when they did."""

    proved: float | None = None
    address: str | None = "/prove/"

    def proved_at(self, request: HttpRequest) -> datetime | None:
        assert request.user.is_authenticated
        return None if Elsewhere.proved is None else as_datetime(Elsewhere.proved)

    def url(self, request: HttpRequest, next: str) -> str | None:  # noqa: A002 - as the contract has it
        return None if Elsewhere.address is None else f"{Elsewhere.address}?{urlencode({'next': next})}"


class Code(OneTimeCode):
    """Users of a django-otp that always has the same code."""

    def asks_code(self, user: Any) -> bool:
        return True

    def accepts_code(self, request: HttpRequest, user: Any, code: str) -> bool:
        return code == "123456"


@pytest.fixture
def elsewhere(settings: Any, monkeypatch: pytest.MonkeyPatch) -> type[Elsewhere]:
    settings.IDLEWATCH = {"REAUTHENTICATE": f"{__name__}.Elsewhere"}
    monkeypatch.setattr(Elsewhere, "proved", None)
    monkeypatch.setattr(Elsewhere, "address", "/prove/")
    return Elsewhere


@pytest.fixture
def browser(signed_in: Browser, clock: Time) -> Browser:
    """Ann's, ten minutes after she signed in to it."""
    clock.pass_(600)
    return signed_in


def signed_in_at() -> float:
    return record().signed_in.timestamp() - START


@pytest.mark.rule("R3")
class TestPassword:
    def test_the_page_of_the_link_restarts_the_clocks_with_a_new_key(self, browser: Browser, clock: Time):
        old = browser.key
        assert f'href="{HERE}"' in browser.visit("/page/").content.decode()
        assert asks_password(browser.visit(HERE))
        response = browser.submit("/idlewatch/reauthenticate/", {"password": PASSWORD, "next": RETURN})
        assert (response.status_code, response.url) == (302, RETURN)
        assert signed_in_at() == 600
        assert browser.key not in {None, old}
        clock.pass_(1)
        assert "You are signed in" in words(browser.visit(RETURN))
        assert signed_in_at() == 600
        assert not asks_password(browser.submit(PAGE, {"others": "1"}))

    @pytest.mark.parametrize("data", [{}, {"password": ""}, {"password": "wrong"}])
    def test_nothing_else_does(self, browser: Browser, data: dict[str, str]):
        assert asks_password(browser.submit(HERE, data))
        browser.visit(RETURN)
        assert signed_in_at() == 0
        assert asks_password(browser.submit(PAGE, {"others": "1"}))

    def test_after_five_wrong_ones_one_has_to_sign_out_and_in(self, browser: Browser):
        for _ in range(MAX_ATTEMPTS):
            page = browser.submit(HERE, {"password": "wrong"})
        assert "Too many incorrect passwords." in words(page)
        assert 'formaction="/idlewatch/logout/"' in page.content.decode()
        assert "Too many incorrect passwords." in words(browser.submit(HERE, {"password": PASSWORD}))

    @pytest.mark.parametrize("after", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
    def test_it_leads_to_no_other_site(self, browser: Browser, after: str):
        response = browser.submit("/idlewatch/reauthenticate/", {"password": PASSWORD, "next": after})
        assert (response.status_code, response.url) == (302, "/private/")

    def test_a_visitor_signs_in(self, clock: Time, transactional_db: None):
        assert Browser().visit(HERE).url.startswith("/login/?next=/idlewatch/reauthenticate/")


def test_a_one_time_code_is_asked_for_too(browser: Browser, settings: Any):
    settings.IDLEWATCH = {"REAUTHENTICATE": f"{__name__}.Code"}
    for path in (HERE, PAGE):
        data = {"others": "1", "next": RETURN}
        for wrong in ({"password": PASSWORD}, {"code": "123456"}, {"password": PASSWORD, "code": "1"}):
            page = browser.submit(path, data | wrong)
            assert 'name="code"' in page.content.decode()
        assert "Incorrect password or one-time code." in words(page)
    assert browser.submit(HERE, data | {"password": PASSWORD, "code": "123456"}).status_code == 302
    assert signed_in_at() == 600


@pytest.mark.parametrize(("code", "is_right"), [("123456", True), ("1", False)])
def test_the_right_code_of_a_device_verifies_the_session_by_it(
    code: str, is_right: bool, ann: User, monkeypatch: pytest.MonkeyPatch
):
    otp = SimpleNamespace(login=mock.Mock(), match_token=lambda user, code: f"{user}'s" if code == "123456" else None)
    monkeypatch.setitem(sys.modules, "django_otp", otp)
    request = HttpRequest()
    assert OneTimeCode().accepts_code(request, ann, code) is is_right
    assert otp.login.call_args_list == ([mock.call(request, "ann's")] if is_right else [])


class TestElsewhere:
    def test_the_link_leads_there_and_what_was_proved_counts_on_the_return(
        self, browser: Browser, elsewhere: type[Elsewhere], clock: Time
    ):
        assert browser.visit(HERE).url == f"/prove/?{urlencode({'next': RETURN})}"
        browser.visit(RETURN)
        assert signed_in_at() == 0
        elsewhere.proved = clock.now
        clock.pass_(10)
        browser.visit(RETURN)
        assert signed_in_at() == 610
        clock.pass_(10)
        browser.visit(RETURN)
        assert signed_in_at() == 610
        assert user_of(browser) == "ann"

    @pytest.mark.parametrize("ago", [-60, 599.99, 600, 700, SIGN_IN_VALIDITY])
    def test_what_came_before_the_sign_in_or_is_old_counts_for_nothing(
        self, browser: Browser, elsewhere: type[Elsewhere], clock: Time, ago: float
    ):
        elsewhere.proved = clock.now - ago
        browser.visit(RETURN)
        assert signed_in_at() == 0
        page = browser.submit(PAGE, {"others": "1"})
        assert f'href="/prove/?{urlencode({"next": PAGE})}"' in page.content.decode()
        assert not asks_password(page)

    def test_a_sign_in_just_now_makes_an_earlier_proof_of_no_account(
        self, browser: Browser, elsewhere: type[Elsewhere], ann: User, clock: Time
    ):
        elsewhere.proved = clock.now
        clock.pass_(1)
        browser.sign_in(ann)
        clock.pass_(1)
        browser.visit(RETURN)
        assert signed_in_at() == 601

    def test_others_may_be_ended_after_it(self, browser: Browser, elsewhere: type[Elsewhere], clock: Time):
        elsewhere.proved = clock.now
        assert browser.submit(PAGE, {"others": "1", "password": "x"}).url == PAGE


@pytest.mark.parametrize("path", [HERE, PAGE])
@pytest.mark.parametrize("by", ["password", "elsewhere"])
def test_where_neither_fits_one_signs_out_and_in_again(
    browser: Browser, ann: User, path: str, by: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
):
    if by == "elsewhere":
        request.getfixturevalue("elsewhere").address = None
    else:
        monkeypatch.setattr(User, "has_usable_password", lambda _: False)
    page = browser.submit(path, {"others": "1", "password": PASSWORD, "next": RETURN})
    after = RETURN if path == HERE else PAGE
    assert "Sign in again to confirm that it is you." in words(page)
    assert f'formaction="/idlewatch/logout/" name="next" value="{after}"' in page.content.decode()
    response = browser.submit("/idlewatch/logout/", {"next": after})
    assert (response.status_code, response.url) == (302, f"/login/?next={after}")
    assert user_of(browser) == ""
    browser.sign_in(ann)
    assert browser.submit(PAGE, {"others": "1"}).url == PAGE


def test_attempts_that_come_together_are_counted_one_by_one(browser: Browser, monkeypatch: pytest.MonkeyPatch):
    """Each has found the session below its limit before the others were counted."""
    monkeypatch.setattr(attempts, "count_failed", lambda *_: 0)
    for _ in range(MAX_ATTEMPTS):
        assert "Incorrect password." in words(browser.submit(HERE, {"password": "wrong"}))
    assert asks_password(browser.submit(HERE, {"password": PASSWORD}))
    assert signed_in_at() == 0


def test_an_operator_who_acts_as_the_user_proves_nothing(browser: Browser, bob: User, clock: Time):
    browser.submit("/act-as/", {"username": "bob", "note": "1"})
    session = browser.client.session
    session["_idlewatch_proved"] = clock.now
    session.save()
    clock.pass_(1)
    browser.visit(RETURN)
    assert "Sign out and in again" in words(browser.submit(HERE, {"password": PASSWORD}))
    assert signed_in_at() == 0
    assert django_sessions.WATCH_KEY in browser.client.session


@pytest.mark.parametrize("by", ["password", "elsewhere"])
def test_a_probe_of_the_site_proves_nothing_and_ends_no_other(
    browser: Browser, ann: User, clock: Time, by: str, request: pytest.FixtureRequest
):
    probing_browser, probe = probing(ann, clock)
    clock.pass_(1)
    if by == "elsewhere":
        request.getfixturevalue("elsewhere").proved = clock.now
    found: list[bool] = []
    http_site.during.append(lambda request: found.append(is_fresh(request)))
    probing_browser.submit("/meanwhile/")
    assert found == [False]
    probing_browser.visit(RETURN)
    page = probing_browser.submit(HERE, {"password": PASSWORD})
    assert "Sign out and in again" in words(page)
    assert "Sign out and in again" in words(probing_browser.submit(PAGE, {"others": "1", "password": PASSWORD}))
    assert WatchedSession.objects.get(pk=probe.watch_id).signed_in.timestamp() - START == 600
    assert user_of(browser) == "ann"


@pytest.mark.parametrize(("note", "expected"), [("1", False), ("", True)])
def test_a_sign_in_as_another_user_is_no_fresh_one(browser: Browser, bob: User, note: str, expected: bool):
    found: list[bool] = []
    browser.submit("/act-as/", {"username": "bob"} | ({"note": note} if note else {}))
    http_site.during.append(lambda request: found.append(is_fresh(request)))
    browser.submit("/meanwhile/")
    assert found == [expected]


def test_a_project_whose_users_have_no_auth_hash_may_ask_for_the_password(
    make_browser: Callable[..., Browser], ann: User, clock: Time, monkeypatch: pytest.MonkeyPatch
):
    """Django asks a user model for one only if it has it; since 6.1 its own `login` needs it."""
    browser = make_browser()
    browser.sign_in(ann)
    monkeypatch.delattr(AbstractBaseUser, "get_session_auth_hash")
    clock.pass_(600)
    assert browser.submit("/idlewatch/reauthenticate/", {"password": PASSWORD, "next": RETURN}).url == RETURN
    assert signed_in_at() == 600
