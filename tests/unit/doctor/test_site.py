"""The site under examination: who has answered a challenge, and when a session cookie may go there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, cast

import pytest
from django.contrib.auth.models import User
from msgspec.structs import replace

from idlewatch.core.policy import Policy
from idlewatch.doctor.challenges import Answered
from idlewatch.doctor.clients.connection import NoAnswer
from idlewatch.doctor.clients.http_client import Answer
from idlewatch.doctor.site import CHALLENGES, CookieWithheld, Options, Site
from idlewatch.http.challenge import HEADER
from idlewatch.monitor.probes import Probe
from idlewatch.process import now
from tests.support.answers import answer
from tests.support.django_side import DjangoSide, site_at
from tests.support.examined import report

URL = "http://127.0.0.1:8000/"
SECRET_COOKIE = {"sessionid": "secret"}


class FakeProbe:
    """What of a probe is sent."""

    cookies = SECRET_COOKIE


PROBE = cast("Probe", FakeProbe())


@pytest.fixture
def site() -> Iterator[Site]:
    """A site that answers challenges."""
    with closing(site_at(URL, Options(user=User(username="probe")))) as site:
        yield site


@pytest.fixture
def reported(site: Site) -> Callable[..., Site]:
    """Have the processes of the site report otherwise than they do."""

    def reported(*changes: dict[str, Any]) -> Site:
        reports = [replace(report(f"p{number}"), **each) for number, each in enumerate(changes)]
        vars(site)["answered"] = [Answered(each, "200 OK", {}) for each in reports]
        return site

    return reported


class TestChallenges:
    def test_are_sent_at_once_each_with_another_query(self, site: Site, monkeypatch: pytest.MonkeyPatch):
        paths = list[str]()
        request = DjangoSide.request

        def noting(client: DjangoSide, path: str, **options: Any) -> Answer:
            paths.append(path)
            return request(client, path, **options)

        monkeypatch.setattr(DjangoSide, "request", noting)
        assert len([each for each in site.answered if each.report is not None]) == CHALLENGES
        assert len(set(paths)) == CHALLENGES

    def test_carry_no_cookie(self, site: Site, monkeypatch: pytest.MonkeyPatch):
        cookies = list[Any]()

        def noting(_: DjangoSide, path: str, **options: Any) -> Answer:
            cookies.append((options.get("cookies"), "Cookie" in options["headers"]))
            return answer(404)

        monkeypatch.setattr(DjangoSide, "request", noting)
        assert site.reports == {}
        assert set(cookies) == {(None, False)}

    @pytest.mark.parametrize(
        "came",
        [
            answer(200, {}),
            answer(200, {}, (HEADER, "0" * 64)),
            answer(404),
        ],
    )
    def test_are_not_answered_by_others(self, came: Answer, site: Site, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(DjangoSide, "request", lambda *_, **__: came)
        assert site.challenge().report is None

    @pytest.mark.parametrize("body", [b"", b"{}", b"[" * 100_000, b"\xff", b'{"process": 1}'])
    def test_may_be_answered_by_another_version(self, body: bytes, site: Site, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(DjangoSide, "request", lambda *_, **__: answer(200, "")._replace(body=body))
        monkeypatch.setattr("idlewatch.doctor.challenges.is_answer", lambda *_: True)
        answered = site.challenge()
        assert answered.report is None
        assert "another version" in answered.came

    def test_without_an_answer(self, site: Site, monkeypatch: pytest.MonkeyPatch):
        def refuse(*_: Any, **__: Any) -> Answer:
            raise NoAnswer("nothing listens")

        monkeypatch.setattr(DjangoSide, "request", refuse)
        assert {each.came for each in site.answered} == {"nothing listens"}
        assert site.why_unreached is not None

    def test_by_a_doctor_that_fails(self, site: Site, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(DjangoSide, "request", lambda *_, **__: 1 / 0)
        assert {each.came for each in site.answered} == {"ZeroDivisionError in the doctor"}

    def test_of_a_project_without_the_urls(self, site: Site, settings: Any):
        settings.ROOT_URLCONF = "tests.unit.doctor.test_site"
        [answered] = site.answered
        assert "do not include" in answered.came


urlpatterns: list[Any] = []
"""The URLs of a project without idlewatch's."""


class TestUsualDelay:
    def test_is_that_of_most_answers(self, site: Site):
        answers = [answer()._replace(elapsed=elapsed) for elapsed in (0.2, 3.0, 0.3)]
        vars(site)["answered"] = [Answered(None, "200 OK", {}, answer=each) for each in answers]
        assert site.usual_delay == 0.3

    def test_is_none_where_nothing_answers(self, site: Site):
        vars(site)["answered"] = [Answered(None, "nothing listens", {})]
        assert site.usual_delay == 0.0


class TestTrust:
    def test_comes_with_an_answer_from_the_host_itself(self, reported: Callable[..., Site]):
        assert reported({"host": "127.0.0.1:8000"}, {"host": "127.0.0.1"}).why_no_cookie is None

    @pytest.mark.parametrize("host", ["relayed.example", "127.0.0.1.relayed.example", None, "127.0.0.2:8000"])
    def test_does_not_come_with_an_answer_that_was_passed_on(self, host: str | None, reported: Callable[..., Site]):
        """A relay sends the challenge on to the true site, by the name of that."""
        site = reported({"host": "127.0.0.1:8000"}, {"host": host})
        assert "takes its host to be" in str(site.why_no_cookie)

    def test_does_not_come_without_an_answer(self, site: Site, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(DjangoSide, "request", lambda *_, **__: answer(404))
        assert "has answered a challenge" in str(site.why_no_cookie)

    def test_does_not_come_to_a_host_that_is_allowed_by_a_star(self, site: Site, settings: Any):
        settings.ALLOWED_HOSTS = ["*"]
        assert "ALLOWED_HOSTS" in str(site.why_no_cookie)

    def test_is_needed_for_each_cookie(self, site: Site, settings: Any, monkeypatch: pytest.MonkeyPatch):
        settings.ALLOWED_HOSTS = ["*"]

        def refuse(*_: Any, **__: Any) -> Any:
            raise AssertionError("something was sent")

        monkeypatch.setattr(DjangoSide, "request", refuse)
        monkeypatch.setattr("idlewatch.doctor.site.open_socket", refuse)
        monkeypatch.setattr("idlewatch.monitor.probes.probing", refuse)
        with pytest.raises(CookieWithheld):
            site.request_as(PROBE, "/")
        with pytest.raises(CookieWithheld):
            site.socket_as(PROBE, "/")
        with pytest.raises(CookieWithheld), site.probe():
            pass

    def test_lets_a_cookie_go(self, reported: Callable[..., Site], monkeypatch: pytest.MonkeyPatch):
        site, sent = reported({"host": "127.0.0.1:8000"}), list[Any]()
        monkeypatch.setattr(DjangoSide, "request", lambda *_, **options: sent.append(options["cookies"]) or answer())
        site.request_as(PROBE, "/", cookies={"a": "b"})
        assert sent == [{"a": "b"} | SECRET_COOKIE]

    def test_ends_at_the_origin(self, reported: Callable[..., Site]):
        site = reported({"host": "127.0.0.1:8000"})
        for path in ("//evil.example/", "https://evil.example/"):
            with pytest.raises(NoAnswer, match="another origin"):
                site.request_as(PROBE, path)


@pytest.mark.parametrize(
    ("url", "path", "whole"),
    [
        (URL, "/a/", "/a/"),
        ("https://a.example/app/", "/a/", "/app/a/"),
        ("https://a.example/app/", "/app/a/", "/app/a/"),
        ("https://a.example/app/", "/app", "/app"),
        ("https://a.example/app/", "/apple/", "/app/apple/"),
    ],
)
def test_a_path_lies_below_the_address(url: str, path: str, whole: str):
    with closing(site_at(url)) as site:
        assert site.path_to(path) == whole


class TestProbes:
    @pytest.mark.parametrize(("ahead", "expected"), [(-90.0, -90.0), (3600.0, 3600.0), (0.3, 0.0)])
    def test_begin_and_end_by_the_clock_of_the_site(
        self, ahead: float, expected: float, reported: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
    ):
        site, times = reported({}, {}, {}), list[float]()
        vars(site)["answered"] = [each._replace(clock_ahead=ahead) for each in site.answered]

        @contextmanager
        def probing(_user: User, _policy: Policy, read_time: Callable[[], float]) -> Iterator[FakeProbe]:
            times.append(read_time() - now())
            yield FakeProbe()

        monkeypatch.setattr("idlewatch.monitor.probes.probing", probing)
        vars(site)["why_no_cookie"] = None
        with site.probe():
            assert site.secrets == {"secret"}
        assert times == pytest.approx([expected], abs=0.05)
