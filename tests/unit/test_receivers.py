"""Accounts are disabled, deleted, and get new passwords, while their sessions live."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import transaction

from idlewatch.core.activity import Reason
from idlewatch.monitor import service as monitor
from tests.conftest import Time
from tests.support import http_site
from tests.support.http import PASSWORD, Browser, record, records, restart_server, tick, user_of

pytestmark = pytest.mark.usefixtures("site")

Signals = list[tuple[str, Any]]


def disable(user: User) -> None:
    user.is_active = False
    user.save()


def delete(user: User) -> None:
    User.objects.get(pk=user.pk).delete()


def set_password(user: User, **options: Any) -> None:
    user.set_password("new")
    user.save(**options)


def set_password_alone(user: User) -> None:
    set_password(user, update_fields=["password"])


def disable_in_bulk(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def delete_in_bulk(user: User) -> None:
    User.objects.filter(pk=user.pk).delete()


def set_password_in_bulk(user: User) -> None:
    User.objects.filter(pk=user.pk).update(password=make_password("new"))


SIGNALLED = [disable, delete, set_password, set_password_alone, delete_in_bulk]
"""Changes for which Django sends a signal."""
SILENT = [disable_in_bulk, set_password_in_bulk]


@pytest.mark.rule("R12")
@pytest.mark.parametrize("change", SIGNALLED)
def test_every_session_ends_at_once(
    signed_in: Browser,
    make_browser: Callable[..., Browser],
    ann: User,
    bob: User,
    signals: Signals,
    change: Callable[[User], None],
):
    second, other = make_browser(), make_browser()
    second.sign_in(ann)
    other.sign_in(bob)
    signals.clear()
    change(ann)
    assert sorted(records()) == [("ann", "account"), ("ann", "account"), ("bob", "")]
    assert signals == [("ended", Reason.ACCOUNT)] * 2
    for browser in (signed_in, second):
        response = browser.poll("/api/")
        assert (response.status_code, response.headers["Idlewatch-Ended"]) == (401, "account")
        assert browser.key is None
        assert browser.visit("/open/").json()["notice"] is not None
    assert user_of(other) == "bob"


@pytest.mark.rule("R12")
@pytest.mark.parametrize("change", SILENT)
def test_a_change_without_a_signal_ends_it_with_the_next_request(
    signed_in: Browser, ann: User, change: Callable[[User], None]
):
    key = signed_in.key
    change(ann)
    assert signed_in.visit("/closed/").url == "/login/?next=/closed/"
    assert signed_in.key is None
    assert records() == [("ann", "account")]
    assert signed_in.visit("/open/").json()["notice"] is not None
    signed_in.key = str(key)
    assert signed_in.poll("/api/").headers["Idlewatch-Ended"] == "account"


@pytest.mark.rule("R12")
@pytest.mark.parametrize("change", SILENT)
@pytest.mark.parametrize("engine", ["db", "cache", "signed_cookies"], indirect=True)
def test_the_timer_ends_it_without_any_request(
    browser: Browser, ann: User, clock: Time, engine: str, change: Callable[[User], None]
):
    browser.sign_in(ann)
    change(ann)
    timer = tick(clock)
    for _ in range(3):
        clock.pass_(50)
        tick(clock, timer)
    assert records() == [("ann", "account")]
    assert browser.poll("/idlewatch/state/").json()["reason"] == "account"


@pytest.mark.rule("R12")
@pytest.mark.parametrize("change", [delete, *SILENT])
def test_what_changed_while_the_server_was_down_is_found(browser: Browser, ann: User, change: Callable[[User], None]):
    browser.sign_in(ann)
    key = browser.key
    change(ann)
    restart_server()
    for _ in range(2):
        browser.key = str(key)
        assert browser.visit("/closed/").status_code == 302
        assert browser.key is None
    assert records() == [("ann", "account")]


def test_a_change_that_is_rolled_back_ends_nothing(signed_in: Browser, ann: User):
    for change in SIGNALLED:
        with transaction.atomic():
            change(ann)
            ann.refresh_from_db() if User.objects.exists() else None
            transaction.set_rollback(True)
        ann = User.objects.get(username="ann")
    assert records() == [("ann", "")]
    assert user_of(signed_in) == "ann"


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("change", SIGNALLED)
@pytest.mark.parametrize("atomic", [False, True])
def test_a_failure_of_ours_does_not_fail_the_change(
    ann: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    change: Callable[[User], None],
    atomic: bool,
):
    monkeypatch.setattr(monitor, "end", mock.Mock(side_effect=ConnectionError("no store")))
    with transaction.atomic() if atomic else nullcontext():
        change(ann)
    assert "no store" in caplog.text


@pytest.mark.parametrize("field", ["last_login", "email"])
def test_any_other_change_ends_nothing(signed_in: Browser, ann: User, field: str):
    ann.first_name = "Ann"
    ann.save()
    ann.save(update_fields=[field])
    assert user_of(signed_in) == "ann"
    assert records() == [("ann", "")]


class TestNewPassword:
    def test_a_view_that_sets_it_and_forgets_to_keep_its_session_ends_it_too(
        self, signed_in: Browser, make_browser: Callable[..., Browser], ann: User, bob: User
    ):
        make_browser().sign_in(bob)
        http_site.during.append(lambda _: set_password(bob))
        signed_in.visit("/meanwhile/")
        assert user_of(signed_in) == "ann"
        assert sorted(records()) == [("ann", ""), ("bob", "account")]
        http_site.during[:] = [lambda _: set_password(ann)]
        signed_in.visit("/meanwhile/")
        assert signed_in.visit("/closed/").status_code == 302
        assert sorted(records()) == [("ann", "account"), ("bob", "account")]

    def test_signing_in_with_it_begins_a_new_session(self, signed_in: Browser, ann: User, clock: Time):
        set_password_in_bulk(ann)
        clock.pass_(1)
        signed_in.sign_in(ann, password="new")
        assert user_of(signed_in) == "ann"
        assert records()[-1] == ("ann", "")
        assert len(records()) == 2

    def test_a_better_hash_of_the_same_password_does_not_end_the_session_that_signs_in(
        self, signed_in: Browser, make_browser: Callable[..., Browser], ann: User, clock: Time, settings: Any
    ):
        # Django upgrades the hash at a sign-in when the hasher changed: by its rule, the other sessions end.
        settings.PASSWORD_HASHERS = [
            "django.contrib.auth.hashers.ScryptPasswordHasher",
            "django.contrib.auth.hashers.MD5PasswordHasher",
        ]
        other = make_browser()
        clock.pass_(1)
        other.sign_in(ann)
        assert user_of(other) == "ann"
        assert records()[-1] == ("ann", "")


@pytest.mark.django_db
def test_credentials_may_be_checked_outside_any_request(ann: User):
    assert authenticate(username="ann", password="wrong") is None
    assert authenticate(username="ann", password=PASSWORD) == ann


class TestFlush:
    @pytest.mark.usefixtures("engine")
    def test_a_view_that_flushes_the_session_ends_it(self, browser: Browser, ann: User, signals: Signals):
        browser.sign_in(ann)
        key = browser.key
        assert browser.visit("/flush/").content == b"flushed"
        assert browser.key is None
        assert records() == [("ann", "lost")]
        assert browser.visit("/open/").json()["notice"] is not None
        browser.key = str(key)
        assert browser.poll("/api/").headers["Idlewatch-Ended"] == "lost"
        assert signals.count(("ended", Reason.LOST)) == 1

    def test_a_session_whose_account_is_gone_is_not_revived_by_its_name(self, signed_in: Browser, ann: User):
        delete(ann)
        User.objects.create_user("ann", password=PASSWORD)
        assert user_of(signed_in) == ""
        assert record().user is None
