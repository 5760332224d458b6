"""Several requests of one session at once, while it changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth import get_user_model, update_session_auth_hash
from django.contrib.auth.models import User
from django.http import HttpRequest

from tests.support import http_site
from tests.support.http import Browser, records


@pytest.fixture
def tab(browser: Browser, ann: User, engine: str) -> Browser:
    browser.sign_in(ann)
    return browser


@pytest.fixture
def other(tab: Browser, make_browser: Callable[[], Browser]) -> Browser:
    """Another request of the same browser, which set out with the same cookie."""
    other = make_browser()
    other.key = tab.key
    return other


def test_a_poll_before_the_new_password_vouches_leaves_the_session(tab: Browser, other: Browser, ann: User):
    def change(request: HttpRequest) -> None:
        assert request.user == ann
        user = get_user_model().objects.get(pk=ann.pk)
        user.set_password("new")
        user.save()
        other.poll("/api/")
        update_session_auth_hash(request, user)

    http_site.during.append(change)
    tab.submit("/meanwhile/")
    http_site.during.clear()
    assert tab.visit("/closed/").status_code == 200
    assert records() == [("ann", "")]


def test_an_old_copy_of_a_session_that_went_on_leaves_it(tab: Browser, other: Browser):
    def change(request: HttpRequest) -> None:
        http_site.during.clear()
        other.submit("/change-password/", {"password": "new"})
        request.user.get_username()

    http_site.during.append(change)
    tab.poll("/meanwhile/")
    assert other.visit("/closed/").status_code == 200
    assert records() == [("ann", "")]


@pytest.mark.rule("R9")
def test_a_cookie_from_before_a_new_password_harms_nobody(tab: Browser, other: Browser):
    tab.submit("/change-password/", {"password": "new"})
    assert other.poll("/api/").status_code == 401
    assert tab.visit("/closed/").status_code == 200
    assert records() == [("ann", "")]
