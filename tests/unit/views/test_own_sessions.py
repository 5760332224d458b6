"""A user's active sessions: listed, and ended after a recent sign-in or with the password."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.core.signals import got_request_exception
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.views.debug import ExceptionReporter
from django.views.decorators.debug import sensitive_variables

import idlewatch
from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted
from idlewatch.core.policy import Phase
from idlewatch.exceptions import Undecided
from idlewatch.models import WatchedSession
from idlewatch.monitor import attempts, django_sessions, stores
from idlewatch.monitor import service as monitor
from idlewatch.views import own_sessions, reauthentication
from idlewatch.views.reauthentication import ATTEMPTS_PERIOD, MAX_ATTEMPTS, SIGN_IN_VALIDITY
from tests.conftest import Time
from tests.support import http_site
from tests.support.http import NAVIGATION, PASSWORD, Browser, phase, tick
from tests.support.probes import begin_probe

PAGE = "/idlewatch/sessions/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"


class Device:
    """A browser in which a user signed in, and its session."""

    def __init__(self, browser: Browser, user: User, time: Time) -> None:
        self.browser = browser
        self.time = time
        browser.sign_in(user)
        self.watch_id = browser.client.session[django_sessions.WATCH_KEY]

    @property
    def text(self) -> str:
        """The words of the page."""
        return words(self.browser.visit(PAGE))

    def post(self, **data: str) -> Any:
        return self.browser.submit(PAGE, data)

    def end(self, other: Device, **data: str) -> Any:
        return self.post(end=other.watch_id, **data)

    @property
    def lives(self) -> bool:
        return phase(self.time, self.watch_id) is not Phase.ENDED


def words(response: Any) -> str:
    page = re.sub(r"<template.*?</template>", "", response.content.decode(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def asks_password(response: Any) -> bool:
    return 'type="password"' in response.content.decode()


def times(device: Device) -> list[str]:
    """Return when each session started and was last active, by the page on a device."""
    return re.findall(r'<time datetime="2030-03-17T([^"]*)"', device.browser.visit(PAGE).content.decode())


@pytest.fixture
def device(clock: Time) -> Callable[..., Device]:
    """Sign a user in on one more device, a second after the one before."""

    def sign_in(user: User) -> Device:
        clock.pass_(1)
        return Device(Browser(), user, clock)

    return sign_in


@pytest.fixture
def desk(device, ann: User) -> Device:
    return device(ann)


@pytest.fixture
def phone(device, ann: User) -> Device:
    return device(ann)


def stale(clock: Time, *devices: Device) -> None:
    """Let the sign-ins grow old, while their users work."""
    for _ in range(2):
        clock.pass_(SIGN_IN_VALIDITY / 2)
        for each in devices:
            stores.current().sessions.apply(each.watch_id, Acted(0), clock.now)


@pytest.mark.rule("R15")
class TestTheList:
    def test_it_needs_a_login(self):
        response = Browser().visit(PAGE)
        assert (response.status_code, response.url) == (302, f"/login/?next={PAGE}")

    def test_it_says_device_and_address_and_marks_this_one(self, device, ann: User):
        desk = device(ann)
        WatchedSession.objects.filter(pk=desk.watch_id).update(user_agent="curl/8.5.0", address="192.0.2.7")
        phone = device(ann)
        WatchedSession.objects.filter(pk=phone.watch_id).update(user_agent=FIREFOX, address="2001:db8::7")
        text = phone.text
        assert "Firefox 133 on Linux This device Address 2001:db8::7 Started" in text
        assert "curl 8 Address 192.0.2.7 Started" in text
        assert text.count("This device") == 1
        WatchedSession.objects.update(user_agent="", address="")
        assert "Unknown device This device Started" in phone.text
        WatchedSession.objects.update(address="<script>alert(1)</script>")
        assert "<script>alert" not in phone.browser.visit(PAGE).content.decode()

    def test_it_says_of_a_check_of_the_site_what_it_is_and_lets_it_be_ended(self, desk: Device, ann: User, clock: Time):
        stale(clock, desk)
        probe = begin_probe(ann, clock)
        assert "Check of this site The operators of this site are checking it with your account." in desk.text
        assert desk.text.count("This device") == 1
        page = desk.post(end=probe.watch_id)
        assert "You are about to end this check of the site." in words(page)
        assert f'name="end" value="{probe.watch_id}"' in page.content.decode()
        desk.post(end=probe.watch_id, password=PASSWORD)
        record = WatchedSession.objects.get(pk=probe.watch_id)
        assert (record.reason, record.ended_by) == ("revoked", ann)
        assert "The session was ended." in desk.text
        assert "Check of this site" not in desk.text

    def test_it_says_when_it_was_last_active_as_the_store_knows_it_or_else_the_record(
        self, desk: Device, phone: Device, clock: Time, settings: Any, monkeypatch: pytest.MonkeyPatch
    ):
        settings.TIME_ZONE = "UTC"
        clock.pass_(120)
        stores.current().sessions.apply(desk.watch_id, Acted(60), clock.now)
        # This one, started and last active; the other, which was active a minute ago.
        assert times(phone) == ["17:46:42+00:00", "17:48:42+00:00", "17:46:41+00:00", "17:47:42+00:00"]
        monkeypatch.setattr(type(stores.current().sessions), "get_many", mock.Mock(side_effect=Undecided))
        assert times(phone)[2:] == ["17:46:41+00:00", "17:46:41+00:00"]

    def test_the_others_stand_in_the_order_of_their_last_activity(self, desk: Device, device, ann: User, clock: Time):
        first, second = device(ann), device(ann)
        clock.pass_(30)
        stores.current().sessions.apply(first.watch_id, Acted(0), clock.now)
        page = desk.browser.visit(PAGE).content.decode()
        assert re.findall(r'name="end" value="([^"]*)"', page) == [first.watch_id, second.watch_id]

    def test_those_that_ended_and_those_of_others_are_not_there(
        self, desk: Device, phone: Device, device, bob: User, clock: Time
    ):
        device(bob)
        phone.browser.submit("/logout/")
        assert "You are not signed in anywhere else." in desk.text
        idle = device(get_user_model().objects.get(username="ann"))
        clock.pass_(700)
        stores.current().sessions.apply(desk.watch_id, Acted(0), clock.now)
        clock.pass_(300)
        # Its end is not recorded yet.
        assert WatchedSession.objects.get(pk=idle.watch_id).ended is None
        assert "You are not signed in anywhere else." in desk.text

    def test_times_are_in_the_zone_of_the_user(self, desk: Device, settings: Any):
        settings.TIME_ZONE = "Asia/Kolkata"
        assert times(desk)[0] == "23:16:41+05:30"
        assert "11:16 p.m." in desk.text

    def test_it_is_never_cached(self, desk: Device):
        response = desk.browser.visit(PAGE)
        assert {"no-store", "must-revalidate", "private"} <= set(response.headers["Cache-Control"].split(", "))

    def test_of_very_many_some_are_shown_and_all_can_be_ended(
        self, desk: Device, device, ann: User, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(own_sessions, "MAX_ROWS", 2)
        others = [device(ann) for _ in range(3)]
        page = desk.browser.visit(PAGE)
        assert "2 more are not shown." in words(page)
        assert page.content.decode().count('name="end"') == 1
        desk.post(others="1")
        assert not any(each.lives for each in others)

    def test_nothing_else_than_looking_and_posting_is_allowed(self, desk: Device):
        assert desk.browser.ask("put", PAGE, headers=NAVIGATION).status_code == 405


@pytest.mark.rule("R15")
class TestEnding:
    def test_another_session_ends_with_its_reason_and_by_whom(
        self, desk: Device, phone: Device, ann: User, clock: Time
    ):
        response = desk.end(phone)
        assert (response.status_code, response.url) == (302, PAGE)
        assert not phone.lives
        assert desk.lives
        assert "The session was ended." in desk.text
        assert "The session was ended." not in desk.text
        record = WatchedSession.objects.get(pk=phone.watch_id)
        assert (record.reason, record.ended_by) == (Reason.REVOKED, ann)
        assert phone.browser.visit("/private/").url == "/login/?next=/private/"
        tick(clock)
        assert "your session was revoked" in phone.browser.visit("/open/").json()["notice"]

    def test_all_others_end_and_this_one_and_other_users_stay(
        self, desk: Device, phone: Device, device, ann: User, bob: User
    ):
        third, bobs = device(ann), device(bob)
        assert desk.post(others="1").url == PAGE
        assert [each.lives for each in (desk, phone, third, bobs)] == [True, False, False, True]
        text = desk.text
        assert "2 other sessions were ended." in text
        assert "You are not signed in anywhere else." in text
        desk.post(others="1")
        assert "0 other sessions were ended." in desk.text

    def test_one_that_ended_by_itself_meanwhile_is_not_counted(
        self, desk: Device, phone: Device, device, ann: User, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        third, end = device(ann), monitor.end

        def end_late(watch_id: str, *args: Any, **kwargs: Any) -> Any:
            if watch_id == phone.watch_id:
                end(watch_id, Reason.LOGOUT, clock.now)
            return end(watch_id, *args, **kwargs)

        monkeypatch.setattr(monitor, "end", end_late)
        desk.post(others="1")
        assert "1 other session was ended." in desk.text
        assert WatchedSession.objects.get(pk=phone.watch_id).reason == "logout"
        assert not third.lives

    def test_each_end_stands_by_itself_though_requests_are_atomic(
        self, desk: Device, phone: Device, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
        atomic = []
        monkeypatch.setattr(monitor, "end", lambda *_, **__: atomic.append(connection.in_atomic_block))
        desk.end(phone)
        assert atomic == [False]

    def test_this_one_is_not_ended_here(self, desk: Device):
        desk.end(desk)
        assert desk.lives
        assert "This is your current session. To end it, sign out." in desk.text

    def test_all_that_is_no_session_of_the_user_gets_one_answer(self, desk: Device, phone: Device, device, bob: User):
        bobs = device(bob)
        phone.browser.submit("/logout/")
        answers = []
        for wanted in (bobs.watch_id, phone.watch_id, "nonsense", "", "\x00", "'; --", "x" * 5000):
            response = desk.post(end=wanted)
            answers.append((response.status_code, response.url, desk.text))
        assert len(set(answers)) == 1
        assert "This session no longer exists." in answers[0][2]
        assert bobs.lives
        assert desk.lives

    @pytest.mark.parametrize("checked", [True, False], ids=["site-checks", "site-does-not"])
    def test_it_needs_the_token(self, checked: bool, ann: User, phone: Device, clock: Time, settings: Any):
        if not checked:
            csrf = "django.middleware.csrf.CsrfViewMiddleware"
            settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if each != csrf]
        client = Client(enforce_csrf_checks=True)
        client.force_login(ann)
        assert client.post(PAGE, {"end": phone.watch_id}).status_code == 403
        assert phone.lives


@pytest.mark.rule("R15")
class TestThePassword:
    def test_it_is_asked_for_five_minutes_after_the_sign_in_of_this_very_session(
        self, desk: Device, phone: Device, device, ann: User, clock: Time
    ):
        signed_in = WatchedSession.objects.get(pk=desk.watch_id).signed_in.timestamp()
        clock.now = signed_in + SIGN_IN_VALIDITY - 1
        device(ann)
        for response in (desk.end(phone), desk.post(others="1")):
            assert response.status_code == 200
            assert asks_password(response)
            assert "alert" not in re.sub(r"<template.*?</template>", "", response.content.decode(), flags=re.DOTALL)
        assert phone.lives
        clock.now = signed_in + SIGN_IN_VALIDITY - 0.01
        desk.end(phone)
        assert not phone.lives

    def test_a_sign_in_in_the_future_does_not_count(self, desk: Device, phone: Device, clock: Time):
        """It was written before the clock was set back."""
        session = desk.browser.client.session
        session[django_sessions.SIGNED_IN_KEY] = clock.now + 3600
        session.save()
        assert asks_password(desk.end(phone))
        assert phone.lives

    def test_the_right_one_ends_what_was_chosen_and_counts_once(
        self, desk: Device, phone: Device, device, ann: User, clock: Time
    ):
        third = device(ann)
        stale(clock, desk, phone, third)
        assert desk.end(phone, password=PASSWORD).url == PAGE
        assert not phone.lives
        desk.end(third)
        assert third.lives

    @pytest.mark.parametrize(("password", "error"), [("wrong", "Incorrect password."), ("", "Enter your password.")])
    def test_a_wrong_one_ends_nothing_and_is_said_at_the_field(
        self, desk: Device, phone: Device, clock: Time, password: str, error: str
    ):
        stale(clock, desk, phone)
        response = desk.end(phone, password=password)
        assert response.status_code == 200
        page = response.content.decode()
        assert error in words(response)
        assert 'aria-invalid="true" aria-describedby="idlewatch-password-error"' in page
        assert f'name="end" value="{phone.watch_id}"' in page
        assert phone.lives

    def test_the_password_of_another_user_is_wrong(
        self, desk: Device, phone: Device, bob: User, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        stale(clock, desk, phone)
        monkeypatch.setattr(reauthentication, "authenticate", lambda *_, **__: bob)
        desk.end(phone, password=PASSWORD)
        assert phone.lives

    def test_after_five_wrong_ones_no_right_one_is_taken_but_a_new_sign_in(
        self, desk: Device, phone: Device, ann: User, clock: Time
    ):
        stale(clock, desk, phone)
        # Lockout packages go by this signal.
        with mock.patch.object(user_login_failed, "send") as failed:
            for _ in range(MAX_ATTEMPTS - 1):
                assert "Incorrect password." in words(desk.end(phone, password="wrong"))
            assert "Sign in again to continue." in words(desk.end(phone, password="wrong"))
            response = desk.end(phone, password=PASSWORD)
        failures = [(each.kwargs["credentials"]["username"], each.kwargs["request"].path) for each in failed.mock_calls]
        assert failures == [("ann", PAGE)] * MAX_ATTEMPTS
        assert "Too many incorrect passwords. Sign in again to continue." in words(response)
        assert not asks_password(response)
        assert phone.lives
        clock.pass_(1)
        desk.browser.sign_in(ann)
        desk.end(phone)
        assert not phone.lives

    def test_they_are_forgotten_after_a_quarter_of_an_hour(self, desk: Device, phone: Device, clock: Time):
        stale(clock, desk, phone)
        for _ in range(MAX_ATTEMPTS):
            desk.end(phone, password="wrong")
        for _ in range(2):
            clock.pass_(ATTEMPTS_PERIOD / 2 + 1)
            for each in (desk, phone):
                stores.current().sessions.apply(each.watch_id, Acted(0), clock.now)
        desk.end(phone, password=PASSWORD)
        assert not phone.lives

    def test_right_ones_are_not_counted(self, desk: Device, phone: Device, device, ann: User, clock: Time):
        others = [device(ann) for _ in range(MAX_ATTEMPTS + 1)]
        stale(clock, desk, *others)
        for other in others:
            desk.end(other, password=PASSWORD)
        assert not any(other.lives for other in others)

    def test_a_session_that_was_adopted_knows_of_no_sign_in(self, desk: Device, phone: Device):
        session = desk.browser.client.session
        for name in [each for each in dict(session.items()) if each.startswith("_idlewatch")]:
            del session[name]
        session.save()
        assert asks_password(desk.end(phone))
        assert phone.lives

    def test_a_password_that_is_rehashed_meanwhile_leaves_this_session(
        self, desk: Device, phone: Device, ann: User, clock: Time, settings: Any
    ):
        """Django does so when it sees one of an older kind; the sessions of the old hash end then."""
        stale(clock, desk, phone)
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher", *settings.PASSWORD_HASHERS]
        desk.end(phone, password=PASSWORD)
        assert desk.browser.visit("/private/").status_code == 200
        assert not phone.lives
        assert "changed" not in words(desk.browser.visit("/page/"))

    def test_it_is_in_no_report_of_an_error(
        self, desk: Device, phone: Device, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        """A directory that is away raises where the password is at hand; reports show what was."""
        reports = []

        @sensitive_variables()  # As Django's own.
        def away(*_: Any, **__: Any) -> None:
            raise ConnectionError("no directory")

        def report(request: HttpRequest, **_: Any) -> None:
            reports.append(ExceptionReporter(request, *sys.exc_info()).get_traceback_html())

        stale(clock, desk, phone)
        monkeypatch.setattr(reauthentication, "authenticate", away)
        got_request_exception.connect(report)
        try:
            with pytest.raises(ConnectionError):
                desk.end(phone, password="correct horse battery")
        finally:
            got_request_exception.disconnect(report)
        assert len(reports) == 1
        assert "correct horse battery" not in reports[0]


@pytest.mark.rule("R13")
class TestTheOffer:
    def change_password(self, device: Device) -> None:
        device.browser.submit("/change-password/", {"password": "new horse"})

    def test_a_new_password_is_told_once_on_the_next_page_with_the_tag_that_the_user_sees(
        self, desk: Device, phone: Device, ann: User
    ):
        User.objects.filter(pk=ann.pk).update(is_staff=True)
        new = {"old_password": PASSWORD, "new_password1": "new horse", "new_password2": "new horse"}
        assert desk.browser.submit("/admin/password_change/", new).status_code == 302
        desk.browser.visit("/bare/")
        desk.browser.poll("/page/")
        text = words(desk.browser.visit("/page/"))
        assert "Your password was changed. 1 other session was signed out. Dismiss" in text
        assert "password" not in words(desk.browser.visit("/page/"))
        assert not phone.lives

    def test_where_others_still_live_it_leads_to_them(
        self, desk: Device, phone: Device, monkeypatch: pytest.MonkeyPatch
    ):
        """As with a user model whose sessions outlive a change of password."""
        monkeypatch.setattr("idlewatch.receivers._end_invalid", lambda _: None)
        self.change_password(desk)
        response = desk.browser.visit("/page/")
        assert "Your password was changed. You are still signed in on 1 other device." in words(response)
        assert f'href="{PAGE}"' in response.content.decode()

    def test_a_user_who_is_signed_in_nowhere_else_is_told_nothing(self, desk: Device):
        self.change_password(desk)
        assert "changed" not in words(desk.browser.visit("/page/"))

    def test_a_project_asks_for_it_where_another_factor_changed(self, desk: Device, phone: Device):
        http_site.during.append(idlewatch.offer_to_end_others)
        desk.browser.visit("/meanwhile/")
        text = words(desk.browser.visit("/page/"))
        assert "How you sign in was changed. You are still signed in on 1 other device." in text
        assert phone.lives

    def test_a_new_secret_key_is_no_new_password(self, desk: Device, phone: Device, settings: Any):
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "the next one"
        assert desk.browser.visit("/private/").status_code == 200
        assert "changed" not in words(desk.browser.visit("/page/"))

    def test_signing_up_is_no_change(self):
        browser = Browser()
        browser.submit("/sign-up/", {"username": "eve", "password": PASSWORD})
        assert "changed" not in words(browser.visit("/page/"))

    def test_what_ended_before_is_not_counted(self, desk: Device, phone: Device, ann: User, clock: Time):
        self.change_password(desk)
        desk.browser.visit("/page/")
        clock.pass_(60)
        Browser().sign_in(ann, password="new horse")
        self.change_password(desk)
        assert "1 other session was signed out." in words(desk.browser.visit("/page/"))


@pytest.mark.django_db(transaction=True)
def test_of_many_passwords_at_once_five_are_looked_at(desk: Device, clock: Time):
    with ThreadPoolExecutor(16) as pool:
        let_in = list(pool.map(lambda _: count_attempt_and_close(desk.watch_id, clock.now), range(32)))
    assert let_in.count(True) == MAX_ATTEMPTS


def count_attempt_and_close(watch_id: str, now: float) -> bool:
    try:
        return attempts.count(watch_id, MAX_ATTEMPTS, ATTEMPTS_PERIOD, now)
    finally:
        connection.close()
