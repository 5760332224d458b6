from __future__ import annotations

import pytest
from django.apps import apps


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"SESSION_COOKIE_AGE": 43199}, ["E026"]),
        ({"SESSION_COOKIE_AGE": 86400, "IDLEWATCH": {"RECORD_RETENTION": 86399}}, ["E064"]),
        ({"SESSION_COOKIE_AGE": 86400, "IDLEWATCH": {"RECORD_RETENTION": 86400}}, []),
        ({"SESSION_COOKIE_AGE": 43200}, []),
        ({"SESSION_COOKIE_AGE": 8099, "IDLEWATCH": {"ABSOLUTE_TIMEOUT": None}}, ["E026"]),
        ({"SESSION_COOKIE_AGE": 8100, "IDLEWATCH": {"ABSOLUTE_TIMEOUT": None}}, []),
        ({"SESSION_EXPIRE_AT_BROWSER_CLOSE": False}, ["W007"]),
        ({"SESSION_SAVE_EVERY_REQUEST": True}, ["W008"]),
    ],
)
def test_session_settings_that_do_not_fit_are_found(found, changes, expected):
    messages = found(**changes)
    assert list(messages) == expected
    assert all(message.hint for message in messages.values())


def test_long_times_are_told_to_the_second(found):
    (message,) = found(SESSION_COOKIE_AGE=1_209_601, IDLEWATCH={"RECORD_RETENTION": 1_209_600}).values()
    assert "is 1209600 s; expected at least SESSION_COOKIE_AGE, 1209601 s." in message.msg


def test_times_without_a_zone_are_an_error(found):
    assert list(found(USE_TZ=False)) == ["E041"]


@pytest.mark.parametrize("app", ["django.contrib.auth", "django.contrib.sessions"])
def test_app_that_is_missing_is_an_error(found, monkeypatch, app):
    really = apps.is_installed
    monkeypatch.setattr(apps, "is_installed", lambda name: name != app and really(name))
    (message,) = found().values()
    assert message.id == "idlewatch.E025"
    assert repr(app) in message.msg


def test_sessions_that_need_no_table_need_no_app(found, monkeypatch):
    really = apps.is_installed
    monkeypatch.setattr(apps, "is_installed", lambda name: name != "django.contrib.sessions" and really(name))
    assert found(SESSION_ENGINE="django.contrib.sessions.backends.cache") == {}
