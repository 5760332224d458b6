"""A user's active sessions: listed, and ended after a recent sign-in or with the password."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import PasswordChangeView
from django.core.signals import got_request_exception
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.urls import path
from django.views.debug import ExceptionReporter
from django.views.decorators.debug import sensitive_variables

import idlewatch
from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted
from idlewatch.core.policy import Phase
from idlewatch.exceptions import Undecided
from idlewatch.models import WatchedSession
from idlewatch.monitor import django_sessions, records
from idlewatch.monitor import service as monitor
from idlewatch.monitor.service import store
from idlewatch.views import own_sessions, reauthentication
from idlewatch.views.reauthentication import ATTEMPTS_PERIOD, MAX_ATTEMPTS, SIGN_IN_VALIDITY
from tests.conftest import Time
from tests.support import http_site
from tests.support.http import NAVIGATION, PASSWORD, Browser, phase, tick

PAGE = "/idlewatch/sessions/"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"


class Device:
    """A browser in which a user signed in, and its session."""

    def __init__(self, browser: Browser, user: User, time: Time) -> None:
        known = set(WatchedSession.objects.values_list("pk", flat=True))
        self.browser = browser
        self.time = time
        browser.sign_in(user)
        (self.watch_id,) = set(WatchedSession.objects.values_list("pk", flat=True)) - known

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


@pytest.fixture
def device(make_browser: Callable[..., Browser], clock: Time) -> Callable[..., Device]:
    """Sign a user in on one more device, a second after the one before."""

    def sign_in(user: User, **options: Any) -> Device:
        clock.pass_(1)
        return Device(make_browser(**options), user, clock)

    return sign_in


@pytest.fixture
def desk(device, ann: User) -> Device:
    return device(ann)


@pytest.fixture
def phone(device, ann: User) -> Device:
    return device(ann)


@pytest.fixture
def failures() -> Iterator[list[Any]]:
    """What lockout packages receive."""
    heard: list[Any] = []

    def hear(credentials: dict[str, str], request: HttpRequest | None = None, **_: object) -> None:
        heard.append((credentials["username"], request is not None))

    user_login_failed.connect(hear)
    yield heard
    user_login_failed.disconnect(hear)


def stale(clock: Time, *devices: Device) -> None:
    """Let the sign-ins grow old, while their users work."""
    for _ in range(2):
        clock.pass_(SIGN_IN_VALIDITY / 2)
        for each in devices:
            store().sessions.apply(each.watch_id, Acted(0), clock.now)


@pytest.mark.rule("R15")
class TestTheList:
    def test_it_needs_a_login(self, make_browser: Callable[..., Browser]):
        response = make_browser().visit(PAGE)
        assert (response.status_code, response.url) == (302, f"/login/?next={PAGE}")

    def test_it_says_device_and_address_and_marks_this_one(self, device, ann: User):
        desk = device(ann)
        WatchedSession.objects.filter(pk=desk.watch_id).update(user_agent=CHROME, address="192.0.2.7")
        phone = device(ann)
        WatchedSession.objects.filter(pk=phone.watch_id).update(user_agent=FIREFOX, address="2001:db8::7")
        text = phone.text
        assert re.search(r"Firefox 133 on Linux This device Address 2001:db8::7 Started", text)
        assert re.search(r"Chrome 131 on Windows Address 192\.0\.2\.7 Started", text)
        assert text.count("This device") == 1

    def test_a_device_that_says_nothing_of_itself_is_listed_too(self, desk: Device):
        WatchedSession.objects.update(user_agent="", address="")
        assert "Unknown device This device Started" in desk.text

    def test_it_says_when_it_was_last_active_as_the_store_knows_it(
        self, desk: Device, phone: Device, clock: Time, settings: Any
    ):
        settings.TIME_ZONE = "UTC"
        clock.pass_(120)
        store().sessions.apply(desk.watch_id, Acted(60), clock.now)
        page = phone.browser.visit(PAGE).content.decode()
        times = re.findall(r'<time datetime="([^"]*)"', page)
        # This one, started and last active; the other, which was active a minute ago.
        assert times == [
            "2030-03-17T17:46:42+00:00",
            "2030-03-17T17:48:42+00:00",
            "2030-03-17T17:46:41+00:00",
            "2030-03-17T17:47:42+00:00",
        ]

    def test_while_the_store_is_undecided_it_shows_the_records(
        self, desk: Device, phone: Device, clock: Time, settings: Any, monkeypatch: pytest.MonkeyPatch
    ):
        def away(*_: Any) -> Any:
            raise Undecided

        settings.TIME_ZONE = "UTC"
        clock.pass_(120)
        store().sessions.apply(desk.watch_id, Acted(60), clock.now)
        monkeypatch.setattr(type(store().sessions), "get_many", away)
        response = phone.browser.visit(PAGE)
        assert response.status_code == 200
        # The other was active since, which its record does not have yet.
        times = re.findall(r'<time datetime="([^"]*)"', response.content.decode())
        assert times[2:] == ["2030-03-17T17:46:41+00:00"] * 2

    def test_the_others_stand_in_the_order_of_their_last_activity(self, desk: Device, device, ann: User, clock: Time):
        first, second = device(ann), device(ann)
        clock.pass_(30)
        store().sessions.apply(first.watch_id, Acted(0), clock.now)
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
        store().sessions.apply(desk.watch_id, Acted(0), clock.now)
        clock.pass_(300)
        # Its end is not recorded yet.
        assert WatchedSession.objects.get(pk=idle.watch_id).ended is None
        assert "You are not signed in anywhere else." in desk.text

    def test_times_are_in_the_zone_of_the_user(self, desk: Device, settings: Any):
        settings.TIME_ZONE = "Asia/Kolkata"
        page = desk.browser.visit(PAGE).content.decode()
        assert 'datetime="2030-03-17T23:16:41+05:30"' in page
        assert "11:16 p.m." in page

    def test_it_is_never_cached_and_shows_no_key(self, desk: Device, phone: Device):
        response = desk.browser.visit(PAGE)
        assert {"no-store", "must-revalidate", "private"} <= set(response.headers["Cache-Control"].split(", "))
        for each in (desk, phone):
            assert each.browser.key
            assert each.browser.key not in response.content.decode()

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

    def test_what_a_device_calls_itself_is_shown_as_text(self, desk: Device):
        WatchedSession.objects.update(address="<script>alert(1)</script>")
        assert "<script>alert" not in desk.browser.visit(PAGE).content.decode()

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
        end, atomic = monitor.end, []

        def noting(*args: Any, **kwargs: Any) -> Any:
            atomic.append(connection.in_atomic_block)
            return end(*args, **kwargs)

        monkeypatch.setattr(monitor, "end", noting)
        desk.end(phone)
        assert atomic == [False]
        assert not phone.lives

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

    def test_an_ended_session_ends_nothing(self, desk: Device, phone: Device, clock: Time):
        clock.pass_(700)
        store().sessions.apply(phone.watch_id, Acted(0), clock.now)
        clock.pass_(300)
        response = desk.end(phone)
        assert response.url.startswith("/login/")
        assert phone.lives


@pytest.mark.rule("R15")
class TestThePassword:
    def test_a_sign_in_of_a_moment_ago_needs_none(self, desk: Device, phone: Device, clock: Time):
        clock.now = WatchedSession.objects.get(pk=desk.watch_id).signed_in.timestamp() + SIGN_IN_VALIDITY - 0.01
        desk.end(phone)
        assert not phone.lives

    def test_at_five_minutes_it_is_asked_for_and_nothing_ends_before(self, desk: Device, phone: Device, clock: Time):
        clock.now = WatchedSession.objects.get(pk=desk.watch_id).signed_in.timestamp() + SIGN_IN_VALIDITY
        for response in (desk.end(phone), desk.post(others="1")):
            assert response.status_code == 200
            assert 'type="password"' in response.content.decode()
            assert "alert" not in re.sub(r"<template.*?</template>", "", response.content.decode(), flags=re.DOTALL)
        assert phone.lives

    def test_it_counts_from_the_sign_in_of_this_very_session(self, desk: Device, phone: Device, device, ann, clock):
        stale(clock, desk, phone)
        device(ann)
        desk.end(phone)
        assert phone.lives

    def test_a_sign_in_in_the_future_does_not_count(self, desk: Device, phone: Device, clock: Time):
        """It was written before the clock was set back."""
        session = desk.browser.client.session
        session[django_sessions.SIGNED_IN_KEY] = clock.now + 3600
        session.save()
        assert 'type="password"' in desk.end(phone).content.decode()
        assert phone.lives

    def test_the_right_one_ends_what_was_chosen(self, desk: Device, phone: Device, clock: Time):
        stale(clock, desk, phone)
        assert desk.end(phone, password=PASSWORD).url == PAGE
        assert not phone.lives

    def test_the_right_one_counts_once(self, desk: Device, phone: Device, device, ann: User, clock: Time):
        third = device(ann)
        stale(clock, desk, phone, third)
        desk.end(phone, password=PASSWORD)
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

    def test_after_five_wrong_ones_the_right_one_is_not_taken_either(
        self, desk: Device, phone: Device, clock: Time, failures: list[Any]
    ):
        stale(clock, desk, phone)
        for _ in range(MAX_ATTEMPTS - 1):
            assert "Incorrect password." in words(desk.end(phone, password="wrong"))
        assert "Sign in again to continue." in words(desk.end(phone, password="wrong"))
        response = desk.end(phone, password=PASSWORD)
        assert "Too many incorrect passwords. Sign in again to continue." in words(response)
        assert 'type="password"' not in response.content.decode()
        assert f'href="/login/?next={PAGE}"' in response.content.decode()
        assert phone.lives
        assert failures == [("ann", True)] * MAX_ATTEMPTS

    def test_they_are_forgotten_after_a_quarter_of_an_hour(self, desk: Device, phone: Device, clock: Time):
        stale(clock, desk, phone)
        for _ in range(MAX_ATTEMPTS):
            desk.end(phone, password="wrong")
        for _ in range(2):
            clock.pass_(ATTEMPTS_PERIOD / 2 + 1)
            for each in (desk, phone):
                store().sessions.apply(each.watch_id, Acted(0), clock.now)
        desk.end(phone, password=PASSWORD)
        assert not phone.lives

    def test_right_ones_are_not_counted(self, desk: Device, phone: Device, device, ann: User, clock: Time):
        others = [device(ann) for _ in range(MAX_ATTEMPTS + 1)]
        stale(clock, desk, *others)
        for other in others:
            desk.end(other, password=PASSWORD)
        assert not any(other.lives for other in others)

    def test_signing_in_again_takes_the_place_of_the_password(
        self, desk: Device, phone: Device, ann: User, clock: Time
    ):
        stale(clock, desk, phone)
        for _ in range(MAX_ATTEMPTS):
            desk.end(phone, password="wrong")
        clock.pass_(1)
        desk.browser.sign_in(ann)
        desk.end(phone)
        assert not phone.lives

    def test_who_has_no_password_signs_in_again(self, desk: Device, phone: Device, ann: User, clock: Time):
        # Not by `save`: that would end the sessions.
        User.objects.filter(pk=ann.pk).update(password=make_password(None))
        for each in (desk, phone):
            session = each.browser.client.session
            session["_auth_user_hash"] = User.objects.get(pk=ann.pk).get_session_auth_hash()
            session.save()
        stale(clock, desk, phone)
        response = desk.end(phone, password=PASSWORD)
        assert 'type="password"' not in response.content.decode()
        assert "Sign in again to confirm that it is you." in words(response)
        assert f'href="/login/?next={PAGE}"' in response.content.decode()
        assert phone.lives

    def test_a_session_that_was_adopted_knows_of_no_sign_in(self, desk: Device, phone: Device):
        session = desk.browser.client.session
        for name in [each for each in dict(session.items()) if each.startswith("_idlewatch")]:
            del session[name]
        session.save()
        response = desk.end(phone)
        assert 'type="password"' in response.content.decode()
        assert phone.lives

    def test_a_password_that_is_rehashed_meanwhile_leaves_this_session(
        self, desk: Device, phone: Device, ann: User, clock: Time, settings: Any
    ):
        """Django does so when it sees one of an older kind; the sessions of the old hash end then."""
        stale(clock, desk, phone)
        settings.PASSWORD_HASHERS = [
            "django.contrib.auth.hashers.ScryptPasswordHasher",
            *settings.PASSWORD_HASHERS,
        ]
        desk.end(phone, password=PASSWORD)
        assert desk.browser.visit("/private/").status_code == 200
        assert not phone.lives
        assert "changed" not in words(desk.browser.visit("/page/"))

    def test_the_password_is_not_kept_with_a_form_that_came_too_late(self, desk: Device, phone: Device, clock: Time):
        from idlewatch.drafts.models import Draft

        clock.pass_(901)
        assert desk.end(phone, password="the secret one").status_code == 302
        assert all("the secret one" not in draft.ciphertext for draft in Draft.objects.all())

    def test_is_in_no_report_of_an_error(
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

    def test_a_new_password_is_told_with_how_many_sessions_it_ended(self, desk: Device, phone: Device):
        self.change_password(desk)
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

    def test_it_waits_for_a_page_that_the_user_sees_and_that_has_the_tag(self, desk: Device, phone: Device):
        self.change_password(desk)
        desk.browser.visit("/bare/")
        desk.browser.poll("/page/")
        assert "Your password was changed." in words(desk.browser.visit("/page/"))

    def test_who_is_signed_in_nowhere_else_is_told_nothing(self, desk: Device):
        self.change_password(desk)
        assert "changed" not in words(desk.browser.visit("/page/"))

    @pytest.mark.parametrize("view", ["/password/", "/admin/password_change/"])
    def test_it_follows_djangos_own_views(self, view: str, desk: Device, phone: Device, ann: User, settings: Any):
        User.objects.filter(pk=ann.pk).update(is_staff=True)
        settings.ROOT_URLCONF = "tests.unit.views.test_own_sessions"
        new = {"old_password": PASSWORD, "new_password1": "new horse", "new_password2": "new horse"}
        assert desk.browser.submit(view, new).status_code == 302
        assert "Your password was changed." in words(desk.browser.visit("/page/"))

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

    def test_signing_up_is_no_change(self, make_browser: Callable[..., Browser]):
        browser = make_browser()
        browser.submit("/sign-up/", {"username": "eve", "password": PASSWORD})
        assert "changed" not in words(browser.visit("/page/"))

    def test_what_ended_before_is_not_counted(self, desk: Device, phone: Device, device, ann: User, clock: Time):
        self.change_password(desk)
        desk.browser.visit("/page/")
        clock.pass_(60)
        user = authenticate(username="ann", password="new horse")
        assert user is not None
        browser = type(desk.browser)()
        browser.submit("/login/", {"username": "ann", "password": "new horse"})
        desk.browser.submit("/change-password/", {"password": "newer horse"})
        assert "1 other session was signed out." in words(desk.browser.visit("/page/"))


urlpatterns = [path("password/", PasswordChangeView.as_view(success_url="/page/")), *http_site.urlpatterns]
"""The tests' site, with Django's own way to change a password."""


@pytest.mark.django_db(transaction=True)
def test_of_many_passwords_at_once_five_are_looked_at(desk: Device, clock: Time):
    with ThreadPoolExecutor(16) as pool:
        let_in = list(pool.map(lambda _: count_attempt_and_close(desk.watch_id, clock.now), range(32)))
    assert let_in.count(True) == MAX_ATTEMPTS


def count_attempt_and_close(watch_id: str, now: float) -> bool:
    try:
        return records.count_attempt(watch_id, MAX_ATTEMPTS, ATTEMPTS_PERIOD, now)
    finally:
        connection.close()
