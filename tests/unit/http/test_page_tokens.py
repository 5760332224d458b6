"""Tokens that identify the session in which a page was rendered."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory
from msgspec.structs import replace

from idlewatch.core.activity import Activity
from idlewatch.core.policy import Policy
from idlewatch.http.page_tokens import PageOwner, page_owner, token_in, token_of
from idlewatch.store.values import Watched
from tests.conftest import START

ANN = Watched(
    id="watch-of-ann", user="1", key="key-of-ann", policy=Policy(), activity=Activity(logged_in_at=START, active=START)
)


def test_a_page_belongs_to_the_session_in_which_it_was_rendered():
    assert page_owner(token_of(ANN), ANN) is PageOwner.CURRENT


def test_a_new_key_and_activity_do_not_change_that():
    later = replace(ANN, key="another", activity=replace(ANN.activity, active=START + 100))
    assert page_owner(token_of(ANN), later) is PageOwner.CURRENT


def test_a_rounded_time_of_sign_in_does_not_change_that():
    rounded = replace(ANN, activity=replace(ANN.activity, logged_in_at=START + 0.0001))
    assert page_owner(token_of(ANN), rounded) is PageOwner.CURRENT


def test_another_sign_in_of_the_same_user_renews_it():
    again = replace(ANN, activity=replace(ANN.activity, logged_in_at=START + 10))
    for session in (again, replace(ANN, id="another")):
        assert page_owner(token_of(ANN), session) is PageOwner.RENEWED


def test_a_page_of_another_user_is_foreign():
    assert page_owner(token_of(ANN), replace(ANN, user="2")) is PageOwner.FOREIGN


def test_a_page_without_a_token_is_taken_for_the_session_s_own():
    assert page_owner(None, ANN) is PageOwner.CURRENT


@pytest.mark.parametrize("token", ["", "-", "x", "\x00", "é-é", "a" * 5000, "a-b-c"])
def test_a_malformed_token_is_foreign(token: str):
    assert page_owner(token, ANN) is PageOwner.FOREIGN


def test_a_token_outlives_its_secret_key_as_long_as_that_is_a_fallback(settings: Any):
    token, old = token_of(ANN), settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [old]
    assert page_owner(token, ANN) is PageOwner.CURRENT
    assert token_of(ANN) != token
    settings.SECRET_KEY_FALLBACKS = []
    assert page_owner(token, ANN) is PageOwner.FOREIGN


@pytest.mark.rule("R23")
def test_a_token_reveals_neither_key_nor_watch_id_nor_user():
    assert not {ANN.id, ANN.key, ANN.user} & set(token_of(ANN).split("-"))
    assert ANN.id not in token_of(ANN)
    assert str(ANN.key) not in token_of(ANN)


def test_a_query_that_django_will_not_read_has_an_empty_token():
    query = "&".join(f"a{number}=" for number in range(1100))
    assert token_in(RequestFactory().get(f"/?for=x&{query}")) == ""
    assert token_in(RequestFactory().get("/?for=x")) == "x"
    assert token_in(RequestFactory().get("/")) is None
