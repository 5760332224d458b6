"""Why a challenge was not answered, by what came."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from email.utils import formatdate
from typing import Any

import pytest

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.challenges import Answered
from idlewatch.doctor.clients.connection import NoAnswer
from idlewatch.doctor.clients.http_client import Answer
from idlewatch.doctor.findings import Trial
from idlewatch.doctor.network.unanswered import why_unanswered
from idlewatch.doctor.site import Options, Site
from idlewatch.http.challenge import HEADER
from idlewatch.process import now
from tests.support.answers import answer, redirect

PATH = "/idlewatch/diagnosis/?0123"
STATE = answer(200, {"type": "state", "phase": "ended", "idle_timeout": 600})


@pytest.fixture
def site(settings: Any) -> Iterator[Site]:
    """A site at https://example.com/, which has that host."""
    settings.ALLOWED_HOSTS = ["example.com"]
    with closing(Site(Options(parse_address("https://example.com/")))) as site:
        yield site


def cause(site: Site, came: Answer | str) -> tuple[Trial, str]:
    failed = Answered(None, came, {}) if isinstance(came, str) else Answered(None, came.summary, {}, answer=came)
    found = why_unanswered(site, failed)
    assert found.is_fault
    return found.trial, found.hint


def hint(site: Site, came: Answer | str) -> str:
    trial, text = cause(site, came)
    assert trial is Trial.CHALLENGE
    return text


def test_nothing_listens(site: Site):
    assert "Start the site" in hint(site, "nothing listens at example.com")


def test_a_certificate_is_not_valid(site: Site):
    assert "Browsers refuse it, too" in hint(site, "the certificate of example.com is not valid: expired")


def test_no_tls_is_spoken(site: Site):
    assert "http:// or https://" in hint(site, "example.com speaks no TLS")


def test_the_urls_are_not_included(site: Site, settings: Any):
    settings.ROOT_URLCONF = "tests.support.urls_without"
    vars(site)["diagnosis_path"] = None
    assert cause(site, site.challenge().came)[0] is Trial.CHECKS


def test_a_cache_answers(site: Site):
    assert "no-store" in hint(site, answer(200, {}, (HEADER, "of another challenge"), path=PATH))


def test_it_redirects_to_itself_since_it_sees_no_tls(site: Site):
    came = redirect(f"https://example.com{PATH}", path=PATH, status=301)
    trial, text = cause(site, came)
    assert trial is Trial.SCHEME
    assert "X-Forwarded-Proto" in text
    assert "SECURE_PROXY_SSL_HEADER" in text


def test_it_redirects_to_a_login(site: Site):
    assert "exempt idlewatch's URLs" in hint(site, redirect("/login/?next=/idlewatch/diagnosis/", path=PATH))


def test_it_redirects_to_another_host(site: Site):
    text = hint(site, redirect("https://www.example.com/?token=secret", path=PATH))
    assert "the one to which it redirects" in text
    assert "where users sign in before" in text
    assert "secret" not in text


def test_it_redirects_to_tls():
    with closing(Site(Options(parse_address("http://example.com/")))) as site:
        came = redirect(f"https://example.com{PATH}", path=PATH)._replace(url=f"http://example.com{PATH}")
        assert "--url https://example.com/." in hint(site, came)


@pytest.mark.parametrize(
    "came", [redirect(f"https://127.0.0.1:8000{PATH}"), redirect("https://a.example/"), answer(400)]
)
def test_a_right_site_may_answer_at_its_public_address_alone(came: Answer, settings: Any):
    settings.ALLOWED_HOSTS = ["a.example"]
    with closing(Site(Options(parse_address("http://127.0.0.1:8000/")))) as site:
        cause = why_unanswered(site, Answered(None, came.summary, {}, answer=came))
    assert not cause.is_fault
    assert "public address" in cause.hint


def test_it_refuses_a_host_that_the_proxy_has_changed(site: Site):
    trial, text = cause(site, answer(400, path=PATH))
    assert trial is Trial.HOST
    assert "Host $http_host" in text


def test_it_refuses_a_host_that_is_not_allowed(site: Site, settings: Any):
    settings.ALLOWED_HOSTS = ["other.example"]
    assert "add 'example.com'" in hint(site, answer(400, path=PATH))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "refuses requests"),
        (429, "limits how many"),
        (403, "refuses requests"),
        (502, "does not reach"),
        (504, "does not reach"),
    ],
)
def test_a_proxy_answers(site: Site, status: int, words: str):
    assert words in hint(site, answer(status, path=PATH))


def test_the_site_fails(site: Site):
    assert "see its log" in hint(site, answer(500, path=PATH))


def test_another_page_answers(site: Site):
    assert "Another site" in hint(site, answer(200, "<html>", path=PATH))


class TestNotFound:
    def asked(self, site: Site, monkeypatch: pytest.MonkeyPatch, came: Answer | None) -> None:
        """Answer the request for the state."""

        def request(_: str) -> Answer:
            if came is None:
                raise NoAnswer
            return came

        monkeypatch.setattr(site, "request", request)

    def test_another_key(self, site: Site, monkeypatch: pytest.MonkeyPatch):
        self.asked(site, monkeypatch, STATE)
        assert "another SECRET_KEY" in hint(site, answer(404, path=PATH))

    @pytest.mark.parametrize("came", [None, answer(404), answer(200, "<html>"), answer(200, {"a": 1})])
    def test_another_site(self, site: Site, monkeypatch: pytest.MonkeyPatch, came: Answer | None):
        self.asked(site, monkeypatch, came)
        assert "No idlewatch is there" in hint(site, answer(404, path=PATH))

    @pytest.mark.parametrize("ahead", [-3600, 3600])
    def test_another_time(self, site: Site, monkeypatch: pytest.MonkeyPatch, ahead: int):
        self.asked(site, monkeypatch, STATE)
        text = hint(site, answer(404, "", ("Date", formatdate(now() + ahead, usegmt=True)), path=PATH))
        assert "clock" in text
        assert f"by {'+' if ahead > 0 else '-'}3" in text

    @pytest.mark.parametrize(
        "date",
        [
            "",
            "yesterday",
            "Mon, 99 Nov 2026 99:99:99 GMT",
            "Mon, 30 Nov 2026 14:00",
            "Mon, 30 Nov 99999 14:00:00 GMT",
            f"Mon, 30 Nov 2026 14:00:00 +{'9' * 400}",
            f"Mon, 30 Nov 2026 14:00:00 +{'9' * 5000}",
        ],
    )
    def test_a_date_that_is_none_is_no_time(self, site: Site, monkeypatch: pytest.MonkeyPatch, date: str):
        self.asked(site, monkeypatch, STATE)
        assert hint(site, answer(404, "", ("Date", date), path=PATH))
