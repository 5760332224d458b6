from __future__ import annotations

from http.client import HTTPMessage

import pytest

from idlewatch.doctor.client_config import client_config
from idlewatch.doctor.fallback import cookies_set_by, judge_fallback
from idlewatch.doctor.findings import Outcome
from idlewatch.doctor.http_client import Answer

STATE = b'{"type": "state", "phase": "%s"}'


def answer(status: int, body: bytes = b"", *cookies: str) -> Answer:
    headers = HTTPMessage()
    for cookie in cookies:
        headers["Set-Cookie"] = cookie
    return Answer("https://example.com/", status, "", headers, body, 0.005)


def test_a_state_is_the_answer():
    found = judge_fallback(answer(200, STATE % b"active"))
    assert (found.outcome, "active" in found.came) == (Outcome.OK, True)


def test_another_session_cookie_is_mentioned():
    assert "the page has set" in judge_fallback(answer(200, STATE % b"active"), is_renewed=True).came
    assert "the page has set" not in judge_fallback(answer(200, STATE % b"active")).came


@pytest.mark.parametrize(
    ("came", "cause"),
    [
        (answer(403, b"<h1>CSRF verification failed"), "check of CSRF"),
        (answer(502, b"<h1>Bad Gateway"), "without a socket"),
        (answer(200, b"\xff"), "without a socket"),
        (answer(200, b"[]"), "without a socket"),
        (answer(200, b'{"type": "notice"}'), "without a socket"),
        (answer(401, STATE % b"ended"), "cache"),
    ],
)
def test_anything_else_is_a_fault(came: Answer, cause: str):
    found = judge_fallback(came)
    assert found.outcome is Outcome.FAULT
    assert cause in found.hint


def test_cookies_are_sent_back_unless_they_were_deleted():
    page = answer(200, b"", "csrftoken=abc; Path=/; HttpOnly", 'messages=""; Max-Age=0', "=;bad", "other=1")
    assert cookies_set_by(page) == {"csrftoken": "abc", "other": "1"}


class TestClientConfig:
    def test_is_found_where_the_page_has_it(self):
        page = '<p>a<template id="idlewatch-client" data-config="{&quot;csrf&quot;: &quot;&lt;b&gt;&quot;}"></template>'
        assert client_config(page) == {"csrf": "<b>"}

    @pytest.mark.parametrize(
        "page",
        [
            "",
            "<template id=other data-config='{}'></template>",
            '<template id="idlewatch-client"></template>',
            '<template id="idlewatch-client" data-config="{"></template>',
            '<template id="idlewatch-client" data-config="[]"></template>',
        ],
    )
    def test_is_none_where_it_can_not_be_read(self, page: str):
        assert client_config(page) is None
