"""The endpoint for challenges: a report for the doctor, and no such page for anyone else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient, Client

from idlewatch.http.challenge import HEADER, is_answer, make_challenge
from idlewatch.process import now
from tests.support.clocks import Time

PATH, UNKNOWN = "/idlewatch/diagnosis/", "/idlewatch/unknown/"


def challenged(client: Client, challenge: str, **extra: Any) -> Any:
    return client.get(PATH, headers={HEADER: challenge}, **extra)


def test_a_challenge_is_answered_by_a_signed_report(client: Client):
    challenge = make_challenge(now())
    response = challenged(client, challenge)
    assert response.status_code == 200
    assert is_answer(response.headers[HEADER], challenge, response.content)
    assert json.loads(response.content)["host"] == "testserver"
    assert "no-store" in response.headers["Cache-Control"]


def test_it_needs_no_database_and_sets_no_cookie(client: Client):
    """The mark `django_db` is missing: a query would fail this test."""
    response = challenged(client, make_challenge(now()))
    assert response.cookies == {}
    assert "Cookie" not in response.headers.get("Vary", "")


def test_a_replay_is_answered_for_a_minute_and_no_longer(client: Client, clock: Time):
    challenge = make_challenge(now())
    assert challenged(client, challenge).status_code == 200
    clock.pass_(59)
    assert challenged(client, challenge).status_code == 200
    clock.pass_(2)
    assert challenged(client, challenge).status_code == 404


def test_a_report_has_no_secret(client: Client, settings: Any):
    settings.DATABASES["default"]["PASSWORD"] = "secret-of-database"
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://:secret-of-redis@host/0"}}
    content = challenged(client, make_challenge(now())).content.decode()
    settings.DATABASES["default"]["PASSWORD"] = ""
    for secret in ("secret-of-database", "secret-of-redis", settings.SECRET_KEY):
        assert secret not in content


def described(response: Any, path: str) -> Any:
    """Return what a client can see of a response."""
    headers = {name: value for name, value in response.headers.items() if name != "Content-Length"}
    return response.status_code, headers, response.content.decode().replace(path, ""), response.cookies


ODD = {
    "without": {},
    "another key": {HEADER: "1800000000.0123456789abcdef.0123456789abcdef"},
    "garbage": {HEADER: "\xff\xfe.."},
}


@pytest.mark.parametrize("headers", ODD.values(), ids=ODD)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("enforced", [True, False])
def test_anything_else_is_answered_as_an_unknown_path_is(method: str, headers: dict[str, str], enforced: bool):
    client = Client(enforce_csrf_checks=enforced)
    answers = [
        described(client.generic(method, path, b"a=b", "text/plain", headers=headers), path) for path in (PATH, UNKNOWN)
    ]
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seconds", [0, 90_000])
def test_a_user_sees_no_difference_either_whether_the_session_lives_or_has_ended(
    seconds: int, client: Client, clock: Time
):
    answers = []
    for path in (PATH, UNKNOWN):
        client.force_login(User.objects.get_or_create(username="ann")[0])
        clock.pass_(seconds)
        answers.append(described(client.get(path, headers={"Sec-Fetch-Mode": "navigate"}), path))
        clock.pass_(-seconds)
    here, unknown = answers
    assert here[0] == unknown[0] == 404
    assert here[1].keys() == unknown[1].keys()
    assert here[3].keys() == unknown[3].keys()


def test_a_challenge_that_is_posted_is_answered_as_an_unknown_path_is(client: Client):
    challenge = make_challenge(now())
    assert client.post(PATH, headers={HEADER: challenge}).status_code == 404


@pytest.mark.parametrize("method", ["get", "post"])
def test_no_redirect_shows_that_there_is_such_a_path(client: Client, method: str):
    assert getattr(client, method)(PATH.rstrip("/")).status_code == 404
    assert getattr(client, method)(PATH.rstrip("/"), headers={HEADER: make_challenge(now())}).status_code == 404


def test_a_site_where_every_view_needs_a_login_shows_no_such_path(client: Client, settings: Any):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    assert [client.get(path).status_code for path in (PATH, UNKNOWN)] == [404, 404]
    assert challenged(client, make_challenge(now())).status_code == 200


@pytest.mark.django_db(transaction=True)
async def test_it_answers_under_asgi_too(async_client: AsyncClient):
    challenge = make_challenge(now())
    response = await async_client.get(PATH, headers={HEADER: challenge})
    assert is_answer(response.headers[HEADER], challenge, response.content)
    assert json.loads(response.content)["interface"] == "asgi"
