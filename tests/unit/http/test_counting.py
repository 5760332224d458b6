"""What counts as activity, and what does not (SPEC, Phases)."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User

from idlewatch.conf import settings as conf_module
from idlewatch.core.policy import Phase
from tests.conftest import START, Time
from tests.unit.http import site
from tests.unit.http.conftest import FETCH, HTMX, NAVIGATION, Browser, last_active, phase, record

PLAIN = {"Accept": "text/html,application/xhtml+xml"}


def counted(browser: Browser, clock: Time, path: str, headers: dict[str, str], method: str = "get") -> bool:
    """Tell whether a request, 100 s after the last activity, counts."""
    before = last_active()
    clock.pass_(100)
    response = browser.ask(method, path, headers=headers)
    if response.streaming:
        response.getvalue()
    assert response.status_code < 400
    assert last_active() in {before, clock.now}
    return last_active() == clock.now


@pytest.fixture
def signed_in(browser: Browser, ann: User) -> Browser:
    browser.sign_in(ann)
    return browser


@pytest.fixture
def reader(wsgi: Browser, ann: User) -> Browser:
    wsgi.sign_in(ann)
    return wsgi


def test_signing_in_is_activity(signed_in: Browser):
    assert last_active() == START


@pytest.mark.parametrize(
    "headers",
    [
        NAVIGATION,
        {"Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Mode": "navigate", "Accept": "*/*"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        PLAIN,
        {"Accept": "TEXT/HTML"},
        {},
        {"Idlewatch-Passive": "0"},
    ],
)
def test_a_navigation_counts(signed_in: Browser, clock: Time, headers: dict[str, str]):
    assert counted(signed_in, clock, "/closed/", headers)
    assert counted(signed_in, clock, "/aclosed/", headers)


@pytest.mark.rule("R5")
@pytest.mark.parametrize(
    "headers",
    [
        FETCH,
        HTMX,
        {"Sec-Fetch-Mode": "cors", "Accept": "text/html"},
        {"Sec-Fetch-Mode": "same-origin"},
        {"Sec-Fetch-Mode": "no-cors", "Accept": "image/*"},
        {"Sec-Fetch-Mode": "websocket"},
        {"Accept": "*/*"},
        {"Accept": "application/json"},
        {"Accept": ""},
        NAVIGATION | {"HX-Request": "true"},
        NAVIGATION | {"HX-Request": "true", "HX-Boosted": "true"},
        NAVIGATION | {"X-Requested-With": "XMLHttpRequest"},
        NAVIGATION | {"Sec-Purpose": "prefetch"},
        NAVIGATION | {"Sec-Purpose": "prefetch;prerender"},
        PLAIN | {"HX-Request": "true"},
        PLAIN | {"X-Requested-With": "XMLHttpRequest"},
        PLAIN | {"Sec-Purpose": "prefetch"},
        {"X-Requested-With": "XMLHttpRequest"},
        NAVIGATION | {"Idlewatch-Passive": "1"},
    ],
)
def test_a_background_request_does_not_count(signed_in: Browser, clock: Time, headers: dict[str, str]):
    assert not counted(signed_in, clock, "/closed/", headers)
    assert not counted(signed_in, clock, "/aclosed/", headers)


def test_a_submitted_form_counts_and_a_posted_fetch_does_not(signed_in: Browser, clock: Time):
    assert counted(signed_in, clock, "/bare/", NAVIGATION, "post")
    assert not counted(signed_in, clock, "/bare/", FETCH, "post")


@pytest.mark.rule("R5")
@pytest.mark.parametrize("path", ["/passive/", "/apassive/", "/passive-within/", "/class-passive/", "/aclass-passive/"])
def test_a_passive_view_never_counts(signed_in: Browser, clock: Time, path: str):
    assert not counted(signed_in, clock, path, NAVIGATION)


def test_a_mark_on_a_class_itself_is_heeded(reader: Browser, clock: Time):
    assert not counted(reader, clock, "/itself-passive/", NAVIGATION)


@pytest.mark.parametrize("path", ["/active/", "/aactive/", "/class-active/"])
def test_an_active_view_counts_for_scripts_too(signed_in: Browser, clock: Time, path: str):
    assert counted(signed_in, clock, path, FETCH)
    assert counted(signed_in, clock, path, HTMX)


def test_the_passive_header_wins_over_an_active_view(reader: Browser, clock: Time):
    assert not counted(reader, clock, "/active/", FETCH | {"Idlewatch-Passive": "1"})


@pytest.mark.rule("R5")
def test_passive_paths_are_regular_expressions(wsgi: Browser, ann: User, clock: Time, settings: Any):
    settings.IDLEWATCH = {"PASSIVE_PATHS": [r"^/ba", r"pty/$"]}
    wsgi.sign_in(ann)
    assert not counted(wsgi, clock, "/bare/", NAVIGATION)
    assert not counted(wsgi, clock, "/empty/", NAVIGATION)
    assert counted(wsgi, clock, "/closed/", NAVIGATION)


@pytest.mark.rule("R5")
@pytest.mark.parametrize(
    ("name", "passive"), [("own:named", {"/own/named/"}), ("named", {"/named/"}), ("other", set())]
)
def test_passive_url_names_have_their_namespace(wsgi: Browser, ann: User, clock: Time, settings: Any, name, passive):
    settings.IDLEWATCH = {"PASSIVE_URL_NAMES": [name]}
    wsgi.sign_in(ann)
    for path in ("/own/named/", "/named/"):
        assert counted(wsgi, clock, path, NAVIGATION) is (path not in passive)


def test_background_requests_count_where_the_site_says_so(wsgi: Browser, ann: User, clock: Time, settings: Any):
    settings.IDLEWATCH = {"COUNT_BACKGROUND_REQUESTS": True}
    wsgi.sign_in(ann)
    assert counted(wsgi, clock, "/closed/", FETCH)
    assert counted(wsgi, clock, "/closed/", HTMX)
    assert not counted(wsgi, clock, "/passive/", FETCH)
    assert not counted(wsgi, clock, "/closed/", FETCH | {"Idlewatch-Passive": "1"})
    assert not counted(wsgi, clock, "/closed/", FETCH | {"Sec-Purpose": "prefetch"})
    assert not counted(wsgi, clock, "/idlewatch/state/", FETCH)


def test_the_state_stays_passive_in_every_language(wsgi: Browser, ann: User, clock: Time, settings: Any):
    settings.IDLEWATCH = {"COUNT_BACKGROUND_REQUESTS": True}
    settings.ROOT_URLCONF = "tests.unit.http.site_by_language"
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:2],
        "django.middleware.locale.LocaleMiddleware",
        *settings.MIDDLEWARE[2:],
    ]
    wsgi.client.force_login(ann)
    for path in ("/en/idlewatch/state/", "/de/idlewatch/state/", "/en/idlewatch/state/"):
        assert not counted(wsgi, clock, path, FETCH)


@pytest.mark.rule("R5")
def test_reading_the_state_never_counts(signed_in: Browser, clock: Time):
    assert not counted(signed_in, clock, "/idlewatch/state/", NAVIGATION)
    assert not counted(signed_in, clock, "/idlewatch/state/", {})


@pytest.mark.rule("R1", "R5")
def test_polls_alone_do_not_keep_a_session(signed_in: Browser, clock: Time):
    for _ in range(17):
        clock.pass_(50)
        assert signed_in.poll("/api/").status_code == 200
        assert signed_in.poll("/idlewatch/state/").status_code == 200
    clock.pass_(50)
    response = signed_in.poll("/api/")
    assert response.status_code == 401
    assert response.headers["Idlewatch-Ended"] == "idle"


@pytest.mark.rule("R1")
@pytest.mark.parametrize("early", [0.001, 0.0])
def test_the_end_comes_at_its_moment_and_not_before(signed_in: Browser, clock: Time, early: float):
    clock.pass_(900 - early)
    response = signed_in.visit("/closed/")
    assert response.status_code == (200 if early else 302)


@pytest.mark.rule("R3")
def test_a_request_resets_the_idle_clock_alone(reader: Browser, clock: Time):
    for _ in range(53):
        clock.pass_(800)
        assert reader.visit("/closed/").status_code == 200
    clock.pass_(799)
    assert reader.visit("/open/").json()["phase"] == "warned"
    clock.pass_(1)
    assert reader.visit("/open/").json()["reason"] == "absolute"


def test_a_counted_request_clears_the_warning_and_a_poll_does_not(signed_in: Browser, clock: Time):
    clock.pass_(800)
    told = signed_in.poll("/open/").json()
    assert (told["phase"], told["reason"]) == ("warned", "idle")
    assert told["remaining"] == pytest.approx(100)
    told = signed_in.visit("/open/").json()
    assert (told["phase"], told["reason"], told["remaining"]) == ("active", None, 900)
    assert phase(clock) is Phase.ACTIVE


class TestLongRequests:
    @pytest.mark.parametrize("path", ["/meanwhile/", "/ameanwhile/"])
    def test_one_that_takes_longer_than_a_heartbeat_counts_again(self, signed_in: Browser, clock: Time, path: str):
        site.during.append(lambda _: clock.pass_(500))
        signed_in.visit(path)
        assert last_active() == START + 500

    def test_a_short_one_does_not(self, signed_in: Browser, clock: Time):
        site.during.append(lambda _: clock.pass_(15))
        signed_in.visit("/meanwhile/")
        assert last_active() == START

    def test_a_long_poll_does_not(self, signed_in: Browser, clock: Time):
        site.during.append(lambda _: clock.pass_(500))
        signed_in.poll("/meanwhile/")
        assert last_active() == START

    @pytest.mark.parametrize("path", ["/stream/", "/stream/?type=text/csv", "/file/"])
    def test_a_stream_counts_when_it_is_through(self, reader: Browser, clock: Time, path: str):
        site.during.append(lambda _: clock.pass_(500))
        response = reader.visit(path)
        assert last_active() == START
        assert b"".join(response.streaming_content).endswith(b"<p>last</p>")
        response.close()
        assert last_active() == START + 500

    @pytest.mark.parametrize("path", ["/astream/", "/astream/?type=text/csv"])
    def test_an_async_stream_counts_when_it_is_through(self, ann: User, clock: Time, path: str):
        browser = Browser(is_async=True)
        browser.sign_in(ann)
        site.during.append(lambda _: clock.pass_(500))
        watch_id = record().pk

        async def read() -> bytes:
            response = await browser.client.get(path, headers=NAVIGATION)
            assert last_active(watch_id) == START
            content = b"".join([part async for part in response])
            await sync_to_async(response.close)()
            return content

        assert async_to_sync(read)() == b"<p>first</p><p>last</p>"
        assert last_active() == START + 500

    def test_one_that_outlasts_the_session_does_not_revive_it(self, signed_in: Browser, clock: Time):
        site.during.append(lambda _: clock.pass_(901))
        signed_in.visit("/meanwhile/")
        assert phase(clock) is Phase.ENDED


def test_the_settings_are_read_anew_in_each_test():
    assert not conf_module.conf.count_background_requests
