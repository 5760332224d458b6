"""What a process reports about itself and about a request."""

from __future__ import annotations

import string
from functools import partial
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import get_script_prefix, set_script_prefix
from msgspec.structs import replace

from idlewatch.http.challenge import HEADER, make_challenge, nonce_of
from idlewatch.monitor import session_cache
from idlewatch.ops import self_report as reports
from idlewatch.ops.self_report import COMPARED_SETTINGS, TimerReport, self_report, settings_digests, static_url
from idlewatch.process import now

FORWARDED = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "Forwarded": "for=192.0.2.1"}


def request(**extra: Any) -> HttpRequest:
    return RequestFactory().get("/idlewatch/diagnosis/", **extra)


def test_a_request_is_reported_as_it_arrived():
    report = self_report(request(headers={**FORWARDED, "Origin": "https://a.example"}, REMOTE_ADDR="192.0.2.9"))
    assert (report.scheme, report.host, report.path) == ("http", "testserver", "/idlewatch/diagnosis/")
    assert (report.peer, report.address) == ("192.0.2.9", "192.0.2.9")
    assert (report.forwarded, report.origin) == (FORWARDED, "https://a.example")
    assert (report.state_url, report.socket_url) == ("/idlewatch/state/", "/ws/idlewatch/tab/")
    assert report.interface == "wsgi"


def test_scheme_host_and_address_are_by_the_rules_of_the_site(settings: Any):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.USE_X_FORWARDED_HOST, settings.ALLOWED_HOSTS = True, ["a.example"]
    settings.IDLEWATCH = {"CLIENT_IP": "idlewatch.http.client_ip.x_forwarded_for"}
    report = self_report(request(headers={**FORWARDED, "X-Forwarded-Host": "a.example:8443"}))
    assert (report.scheme, report.host, report.address) == ("https", "a.example:8443", "192.0.2.1")


def test_a_host_that_is_not_allowed_is_reported_as_none():
    assert self_report(request(headers={"Host": "evil.example"})).host is None


def test_no_cookie_is_reported():
    assert "secret" not in repr(self_report(request(headers={"Cookie": "sessionid=secret"})).forwarded)


def test_urls_lie_below_the_script_name():
    before = get_script_prefix()
    set_script_prefix("/portal/")
    try:
        report = self_report(request())
    finally:
        set_script_prefix(before)
    assert (report.state_url, report.socket_url) == ("/portal/idlewatch/state/", "/portal/ws/idlewatch/tab/")


@pytest.mark.parametrize("error", [ValueError("Missing staticfiles manifest entry"), OSError("no bucket")])
def test_a_storage_that_fails_has_no_address(error: Exception, monkeypatch: pytest.MonkeyPatch):
    def fail(_: str) -> str:
        raise error

    assert static_url("idlewatch/idlewatch.min.js") == "/static/idlewatch/idlewatch.min.js"
    monkeypatch.setattr(reports, "static", fail)
    assert static_url("idlewatch/idlewatch.min.js") is None
    assert self_report(request()).script_url is None


class TestDigests:
    def test_are_short_and_hide_what_they_are_made_of(self, settings: Any):
        settings.CACHES = {"default": {"LOCATION": "redis://:secret@host"}}
        digests = settings_digests()
        assert digests.keys() == set(COMPARED_SETTINGS)
        assert all(len(digest) == 16 and set(digest) <= set(string.hexdigits) for digest in digests.values())

    def test_differ_by_the_key(self, settings: Any):
        before = settings_digests()
        settings.SECRET_KEY = "another"
        assert not set(before.values()) & set(settings_digests().values())

    def test_are_the_same_for_the_same_value_in_another_process(self):
        class Local:
            pass

        made = [{"a": {"y", "x"}, "b": partial(int), "c": int, "d": Local()} for _ in range(2)]
        made[1]["a"] = {"x", "y"}
        assert reports._digest(made[0]) == reports._digest(made[1])
        assert reports._digest({"a": 1}) != reports._digest({"a": 2})

    def test_are_made_of_any_value(self):
        contains_itself: list[Any] = []
        contains_itself.append(contains_itself)
        for value in ({("a", 1): 2}, {1: 2, "a": 3}, contains_itself, b"bytes", float("nan")):
            assert len(reports._digest(value)) == 16


class TestTheCacheOfTheSessions:
    @pytest.mark.parametrize(("engine", "expected"), [("cache", True), ("cached_db", True), ("db", None)])
    def test_has_what_was_put_there_for_the_challenge(self, engine: str, expected: bool | None, settings: Any):
        settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
        challenge = make_challenge(now())
        session_cache.put(nonce_of(challenge))
        assert self_report(request(headers={HEADER: challenge})).has_cached is expected
        other = self_report(request(headers={HEADER: make_challenge(now())})).has_cached
        assert other is (None if expected is None else False)


IN_TIME = TimerReport(round_age=0.4, is_listening=True)
ASGI, WSGI, SHARED = {"interface": "asgi"}, {"interface": "wsgi"}, {"is_store_shared": True}


@pytest.mark.parametrize(
    ("changes", "is_starting"),
    [
        ({**ASGI, "timer": IN_TIME}, False),
        ({**ASGI, "timer": TimerReport(round_age=None, is_listening=True)}, True),
        ({**ASGI, "timer": TimerReport(round_age=0.4, is_listening=False)}, True),
        ({**ASGI, "timer": TimerReport(round_age=None, is_listening=True), "store_owner": "process 1 on web"}, False),
        ({**ASGI, **SHARED, "timer": None}, True),
        ({**WSGI, "timer": None}, True),
        ({**WSGI, **SHARED, "timer": None}, False),
    ],
    ids=["in time", "no round", "deaf", "another's store", "no timer", "no timer under WSGI", "others may have timers"],
)
def test_a_process_may_have_started_with_the_challenge(changes: dict[str, Any], is_starting: bool):
    assert replace(self_report(request()), **changes).is_starting is is_starting
