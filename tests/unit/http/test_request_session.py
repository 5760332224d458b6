from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.middleware.csrf import CSRF_SESSION_KEY
from django.test import RequestFactory

from idlewatch.http.request_session import (
    cookie_of,
    keep_cookie,
    make_anonymous,
    make_anonymous_before_sign_in,
    session_of,
)


@pytest.fixture
def request_of_ann() -> HttpRequest:
    request = RequestFactory().get("/")
    request.session = SessionStore()
    request.session.update({"note": "noted", CSRF_SESSION_KEY: "secret"})
    request.user = User(username="ann")
    request.COOKIES["sessionid"] = "key"
    return request


def test_a_request_without_a_session_says_what_is_missing():
    with pytest.raises(ImproperlyConfigured, match="expected it in MIDDLEWARE after SessionMiddleware"):
        session_of(RequestFactory().get("/"))


async def test_nothing_of_the_user_remains_on_an_anonymous_request(request_of_ann: HttpRequest):
    make_anonymous(request_of_ann)
    assert request_of_ann.session.is_empty()
    assert isinstance(request_of_ann.user, AnonymousUser)
    assert isinstance(await request_of_ann.auser(), AnonymousUser)


def test_a_sign_in_form_keeps_its_csrf_secret(request_of_ann: HttpRequest):
    make_anonymous_before_sign_in(request_of_ann)
    assert dict(request_of_ann.session.items()) == {CSRF_SESSION_KEY: "secret"}


def test_a_cookie_that_is_kept_is_none_for_django(request_of_ann: HttpRequest):
    assert cookie_of(request_of_ann) == "key"
    keep_cookie(request_of_ann)
    assert cookie_of(request_of_ann) == ""
