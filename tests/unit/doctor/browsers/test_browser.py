"""The browser of the doctor: where it is found, which cookie it gets, what it notes, and why it is not driven."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.browsers import chromium
from idlewatch.doctor.browsers.browser import cookie_for
from idlewatch.doctor.browsers.browser_journey import reasons
from idlewatch.doctor.browsers.browser_problems import MAX_PROBLEMS, Problems
from idlewatch.doctor.findings import Outcome, Trial
from idlewatch.doctor.sections import browser
from idlewatch.doctor.site import Options, Site

ADDRESS = parse_address("http://127.0.0.1:8000/")


class TestChromium:
    @pytest.fixture
    def directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The only directory on PATH."""
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(chromium, "_places", lambda: iter([tmp_path / "elsewhere"]))
        return tmp_path

    def test_is_found_on_path_first_and_in_the_usual_places_next(self, directory: Path):
        assert chromium.find_chromium() is None
        (directory / "elsewhere").touch()
        assert chromium.find_chromium() == directory / "elsewhere"
        for name in ("google-chrome", "chromium"):
            (directory / name).touch(0o755)
            assert chromium.find_chromium() == directory / name

    def test_usual_places_are_those_of_each_system(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("PROGRAMFILES", "/programs")
        places = [path.as_posix() for path in chromium._places()]
        assert "/Applications/Chromium.app/Contents/MacOS/Chromium" in places
        assert "/programs/Microsoft/Edge/Application/msedge.exe" in places

    @pytest.mark.parametrize(("uid", "expected"), [(0, True), (1000, False)])
    def test_has_a_sandbox_unless_root_starts_it(self, uid: int, expected: bool, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("os.geteuid", lambda: uid)
        assert chromium.needs_no_sandbox() is expected

    def test_flags_leave_the_sandbox_to_that(self):
        assert "--no-sandbox" not in chromium.FLAGS


class TestCookie:
    def test_has_the_attributes_of_the_settings_and_the_host_alone(self, settings: Any):
        settings.SESSION_COOKIE_DOMAIN = ".example.com"
        settings.SESSION_COOKIE_PATH = "/app/"
        settings.SESSION_COOKIE_SAMESITE = "Strict"
        assert cookie_for(ADDRESS, "sessionid", "x") == {
            "name": "sessionid",
            "value": "x",
            "domain": "127.0.0.1",
            "path": "/app/",
            "httpOnly": True,
            "secure": False,
            "sameSite": "Strict",
        }

    def test_has_no_same_site_where_the_settings_give_none(self, settings: Any):
        settings.SESSION_COOKIE_SAMESITE = False
        assert "sameSite" not in cookie_for(ADDRESS, "sessionid", "x")

    def test_never_goes_over_plain_http_to_a_site_under_https(self):
        address = parse_address("https://[2001:db8::1]/")
        cookie = cookie_for(address, "sessionid", "x")
        assert (cookie["secure"], cookie["domain"]) == (True, "2001:db8::1")


class PlayedPage:
    """A page whose events a test sends."""

    def __init__(self) -> None:
        self.listeners: dict[str, Any] = {}

    def on(self, event: str, listener: Any) -> None:
        self.listeners[event] = listener

    def send(self, event: str, **details: Any) -> None:
        self.listeners[event](SimpleNamespace(**details))


class TestProblems:
    @pytest.fixture
    def page(self) -> PlayedPage:
        return PlayedPage()

    @pytest.fixture
    def problems(self, page: PlayedPage) -> Problems:
        return Problems(page)  # type: ignore[arg-type]

    def test_errors_about_idlewatch_are_noted_once_without_queries(self, page: PlayedPage, problems: Problems):
        refused = "Refused to load 'http://site/static/idlewatch/idlewatch.min.js?token=5ecret' by a policy"
        for _ in range(2):
            page.send("console", type="error", text=refused, location={"url": "http://site/"})
        page.send("pageerror", name="TypeError", message="x is null", stack="at http://site/static/idlewatch/x.js:1")
        get = SimpleNamespace(method="GET", url="http://site/idlewatch/state/?for=5ecret", failure="net::ERR_FAILED")
        page.send("requestfailed", **vars(get))
        page.send("response", status=502, status_text="Bad Gateway", url=get.url, request=get)
        assert problems.found == [
            "Refused to load 'http://site/static/idlewatch/idlewatch.min.js' by a policy",
            "TypeError: x is null",
            "GET http://site/idlewatch/state/ net::ERR_FAILED",
            "GET http://site/idlewatch/state/ 502 Bad Gateway",
        ]

    def test_what_concerns_others_or_is_no_error_is_not_noted(self, page: PlayedPage, problems: Problems):
        page.send("console", type="error", text="their own", location={"url": "http://site/app.js"})
        page.send("console", type="warning", text="idlewatch: bad_value", location={"url": ""})
        page.send("console", type="error", text="Failed to load resource: idlewatch", location={"url": ""})
        get = SimpleNamespace(method="GET", url="http://site/idlewatch/state/", failure="net::ERR_ABORTED")
        page.send("requestfailed", **vars(get))
        page.send("response", status=200, status_text="OK", url=get.url, request=get)
        assert problems.found == []

    def test_there_are_only_so_many_and_none_after_the_stop(self, page: PlayedPage, problems: Problems):
        for number in range(20):
            problems.note(f"idlewatch {number}")
        assert len(problems.found) == MAX_PROBLEMS
        problems.stop()
        problems.note("idlewatch 0, again")
        assert "idlewatch 0, again" not in problems.found


class TestSkipped:
    def came(self, pictures: Path | None = Path(), why_no_probe: str | None = None) -> list[tuple[Trial, Outcome, str]]:
        options = Options(address=ADDRESS, pictures=pictures)
        played: Any = SimpleNamespace(options=options, why_no_probe=why_no_probe)
        return [(each.trial, each.outcome, each.came) for each in browser.examine(played)]

    def test_nothing_is_found_where_none_is_asked_for(self):
        assert self.came(pictures=None) == []

    def test_it_needs_a_session(self):
        assert self.came(why_no_probe="no account") == [(Trial.BROWSER, Outcome.SKIPPED, "not tried: no account")]

    def test_it_needs_a_chromium_and_tells_what_was_looked_for(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(browser, "find_chromium", lambda: None)
        ((_, outcome, came),) = self.came()
        assert outcome is Outcome.SKIPPED
        assert "chromium, chromium-browser, google-chrome" in came
        assert "--chromium" in came


def test_a_program_that_is_no_browser_is_no_fault_of_the_site(tmp_path: Path):
    played = Site(Options(address=ADDRESS, user=object(), pictures=tmp_path, chromium=Path(sys.executable)))  # type: ignore[arg-type]
    played.__dict__.update(why_unreached=None, why_no_cookie=None)
    try:
        (found,) = browser.examine(played)
    finally:
        played.close()
    assert (found.trial, found.outcome) == (Trial.BROWSER, Outcome.SKIPPED)
    assert "does not start" in found.came


def test_the_reason_is_known_in_every_language():
    assert "You have been signed out because of inactivity." in reasons()
    assert len(reasons()) > 10
