"""Rules that hold with every engine of Django's sessions."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest

from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase
from idlewatch.monitor import django_sessions, stores
from idlewatch.monitor import service as monitor
from tests.conftest import Time
from tests.support import http_site
from tests.support.http import Browser, last_active, phase, record, records, restart_server, tick, user_of

pytestmark = pytest.mark.usefixtures("engine")


@pytest.mark.rule("R1")
def test_an_idle_session_ends(signed_in: Browser, clock: Time, signals: list[tuple[str, Any]]):
    clock.pass_(899)
    assert signed_in.visit("/closed/").status_code == 200
    clock.pass_(900)
    response = signed_in.visit("/closed/?q=1")
    assert response.url == "/login/?next=/closed/%3Fq%3D1"
    assert signed_in.key is None
    assert signed_in.visit("/open/").json()["notice"] is not None
    assert (records(), signals) == ([("ann", "idle")], [("ended", Reason.IDLE)])


@pytest.mark.rule("R9")
@pytest.mark.parametrize("reason", [Reason.LOGOUT, Reason.IDLE, Reason.REVOKED])
def test_a_cookie_replayed_after_the_end_is_refused_and_told_why(signed_in: Browser, clock: Time, reason: Reason):
    key = signed_in.key
    if reason is Reason.LOGOUT:
        signed_in.submit("/logout/")
    elif reason is Reason.IDLE:
        clock.pass_(901)
    else:
        monitor.end(record().pk, reason, clock.now)
    # The timer deletes the session at first, and forgets its end in time.
    for seconds in (0, 0, 100_000):
        clock.pass_(seconds)
        tick(clock)
        signed_in.key = key
        assert signed_in.poll("/api/").headers["Idlewatch-Ended"] == reason
        assert signed_in.key is None
    restart_server()
    signed_in.key = key
    assert signed_in.poll("/api/").headers["Idlewatch-Ended"] == reason
    signed_in.key = key
    assert signed_in.submit("/closed/").status_code == 302
    assert records() == [("ann", reason)]


@pytest.mark.parametrize("key", ["neverwatchedneverwatchednever123", "not a key", "a" * 5000])
def test_a_cookie_of_no_session_is_deleted(signed_in: Browser, key: str):
    signed_in.key = key
    assert signed_in.visit("/open/").json()["phase"] is None
    assert signed_in.key is None


@pytest.mark.rule("R11")
def test_a_session_that_vanished_is_lost(signed_in: Browser, engine: str):
    if engine == "signed_cookies":
        signed_in.visit("/flush/")
    else:
        django_sessions.engine()(signed_in.key).delete()
    assert signed_in.poll("/api/").headers.get("Idlewatch-Ended") == ("lost" if engine != "signed_cookies" else None)
    assert records() == [("ann", "lost")]


@pytest.mark.rule("R11")
@pytest.mark.parametrize("path", ["/meanwhile/", "/ameanwhile/"])
def test_so_is_one_that_a_view_deletes_and_no_more(signed_in: Browser, engine: str, path: str):
    async def adelete(request: HttpRequest) -> None:
        await request.session.adelete()

    old = signed_in.key
    http_site.during.append(adelete if path == "/ameanwhile/" else lambda request: request.session.delete())
    signed_in.submit(path)
    http_site.during.clear()
    if engine != "signed_cookies":
        signed_in.key = old
    assert user_of(signed_in) == ""
    assert records() == [("ann", "lost")]


def test_a_restart_resumes_each_session_where_it_stood_and_knows_of_an_end_meanwhile(signed_in: Browser, clock: Time):
    clock.pass_(500)
    signed_in.visit("/closed/")
    clock.pass_(300)
    timer = tick(clock)
    restart_server()
    tick(clock, timer)
    assert signed_in.poll("/open/").json()["remaining"] == pytest.approx(600)
    clock.pass_(599)
    assert signed_in.poll("/api/").status_code == 200
    restart_server()
    clock.pass_(1)
    assert signed_in.poll("/api/").headers["Idlewatch-Ended"] == "idle"
    assert records() == [("ann", "idle")]


def test_a_session_can_write_its_data_and_rotate_its_key(signed_in: Browser, clock: Time):
    watch_id = record().pk
    for path in ("/note/", "/rotate/", "/note/", "/rotate/"):
        clock.pass_(100)
        assert signed_in.visit(path).status_code == 200
        assert user_of(signed_in) == "ann"
    assert (record().pk, record().ended, last_active()) == (watch_id, None, clock.now)


@pytest.mark.parametrize(
    ("path", "always"),
    [("/note/", False), ("/note/", True), ("/rotate/", False), ("/rotate/", True), ("/meanwhile/", True)],
)
def test_an_end_while_the_view_runs_is_no_error_and_no_way_back(
    signed_in: Browser, clock: Time, settings: Any, path: str, always: bool
):
    settings.SESSION_SAVE_EVERY_REQUEST = always
    key = signed_in.key
    http_site.during.append(lambda _: monitor.end(record().pk, Reason.REVOKED, clock.now))
    http_site.during.append(lambda _: tick(clock))
    assert signed_in.visit(path).status_code == 200
    http_site.during.clear()
    assert signed_in.key is None
    signed_in.key = key
    assert signed_in.poll("/api/").headers["Idlewatch-Ended"] == "revoked"


@pytest.mark.rule("R9")
def test_an_answer_that_lands_after_the_logout_brings_nothing_back(signed_in: Browser, clock: Time):
    key, other = signed_in.key, Browser()
    other.key = key
    http_site.during.append(lambda _: other.submit("/logout/"))
    assert signed_in.visit("/note/").status_code == 200
    http_site.during.clear()
    assert signed_in.key is None
    for browser in (signed_in, other):
        browser.key = key
        assert browser.poll("/api/").headers["Idlewatch-Ended"] == "logout"
    assert phase(clock) is Phase.ENDED


@pytest.mark.rule("R23")
def test_the_key_of_a_session_is_known_where_the_server_keeps_it(signed_in: Browser, engine: str):
    key = None if engine == "signed_cookies" else signed_in.key
    watched = stores.current().sessions.get(record().pk)
    assert watched is not None
    assert watched.key == key
    assert record().session_digest == django_sessions.digest(key)
