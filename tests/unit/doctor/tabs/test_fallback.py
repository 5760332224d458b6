from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.clients.http_client import Answer, NoAnswer
from idlewatch.doctor.findings import Finding, Outcome
from idlewatch.doctor.tabs.fallback import judge_fallback, try_fallback
from tests.support.answers import ORIGIN, answer, client, redirect

ACTIVE = {"type": "state", "phase": "active"}
PROBE: Any = SimpleNamespace(cookies={"sessionid": "first"})
LOADED = answer(200, client(csrfHeader="X-Token"), ("Set-Cookie", "csrftoken=abc; Path=/"))


class Pages:
    """A site with some pages, which notes what is posted."""

    address = parse_address(ORIGIN)
    page_path = "/"

    def __init__(self, pages: Mapping[str, Answer], posted: Answer | None = None) -> None:
        self.pages = pages
        self.posted = posted
        self.sent: list[Mapping[str, Any]] = []

    def note_progress(self, text: str) -> None: ...

    def request_as(self, _: Any, url: str, *, method: str = "GET", **sent: Any) -> Answer:
        if method == "GET" and (page := self.pages.get(url.removeprefix(ORIGIN))):
            return page
        self.sent.append({"url": url, **sent})
        if self.posted is None:
            raise NoAnswer("no answer in time")
        return self.posted


def run(site: Pages) -> Finding:
    return try_fallback(cast("Any", site), PROBE)


class TestMessage:
    def test_is_sent_as_the_page_would(self):
        site = Pages({"/": redirect("/home/"), "/home/": LOADED}, answer(200, ACTIVE))
        found = run(site)
        assert (found.outcome, "the page has set" in found.came) == (Outcome.OK, False)
        (sent,) = site.sent
        assert (sent["url"], sent["body"]) == ("/idlewatch/message/", b'{"type": "sync"}')
        assert sent["cookies"] == {"csrftoken": "abc"}
        assert (
            sent["headers"].items() >= {"X-Token": "masked", "Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}.items()
        )

    def test_goes_with_a_session_cookie_that_the_page_has_set(self):
        page = answer(200, client(), ("Set-Cookie", "sessionid=second; Path=/"))
        site = Pages({"/": page}, answer(200, ACTIVE))
        assert "with the session cookie that the page has set" in run(site).came
        assert site.sent[0]["cookies"] == {"sessionid": "second"}

    @pytest.mark.parametrize("cookie", ["sessionid=first", 'sessionid=""; Max-Age=0'])
    def test_goes_with_the_old_one_otherwise(self, cookie: str):
        site = Pages({"/": answer(200, client(), ("Set-Cookie", cookie))}, answer(200, ACTIVE))
        run(site)
        assert site.sent[0]["cookies"] == {}

    @pytest.mark.parametrize(
        ("page", "why"),
        [
            (answer(200, "<p>Hello"), "has no client (200 OK)"),
            (answer(500, "<p>Sorry"), "has no client (500 Internal Server Error)"),
            (answer(200, client({})), "has no client"),
            (answer(200, client(message="https://elsewhere.example/")), "another origin"),
        ],
    )
    def test_is_not_sent_from_a_page_that_could_send_none(self, page: Answer, why: str):
        site = Pages({"/": page})
        found = run(site)
        assert (found.outcome, site.sent) == (Outcome.SKIPPED, [])
        assert why in found.came

    def test_without_an_answer_is_a_fault(self):
        found = run(Pages({"/": LOADED}))
        assert (found.outcome, found.came) == (Outcome.FAULT, "no answer in time")


@pytest.mark.parametrize(
    ("came", "cause"),
    [
        (answer(403, "<h1>CSRF verification failed"), "CsrfViewMiddleware"),
        (answer(502, "<h1>Bad Gateway"), "without a socket"),
        (answer(200, "[]"), "without a socket"),
        (answer(200, {"type": "notice"}), "without a socket"),
        (answer(401, ACTIVE | {"phase": "ended"}), "cache"),
    ],
)
def test_anything_else_is_a_fault(came: Answer, cause: str):
    found = judge_fallback(came)
    assert found.outcome is Outcome.FAULT
    assert cause in found.hint
