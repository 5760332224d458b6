from __future__ import annotations

import logging
import re
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from channels.layers import InMemoryChannelLayer
from channels_redis.core import RedisChannelLayer
from django.apps import apps
from django.conf import settings as site
from django.core.checks import ERROR, WARNING, CheckMessage, run_checks

import idlewatch.asgi
import idlewatch.checks
from idlewatch.checks.registry import CHECKED, TAG
from idlewatch.conf.settings import KEYS
from idlewatch.middleware import IdleWatchMiddleware
from idlewatch.store.memory import MemoryStore

IDLEWATCH = "idlewatch.middleware.IdleWatchMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
LOCALE = "django.middleware.locale.LocaleMiddleware"
LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"


class OwnMiddleware(IdleWatchMiddleware):
    """A site's own."""


class OwnStore(MemoryStore):
    """A site's own."""


def own(*_: object) -> None:
    """Be found by a dotted path."""


def found(settings, /, *, deploy: bool = False, **changes: object) -> dict[str, CheckMessage]:
    """Return what the checks say of the tests' site with some settings changed, by id."""
    for name, value in changes.items():
        setattr(settings, name, value)
    messages = run_checks(tags=[TAG], include_deployment_checks=deploy)
    return {str(message.id).removeprefix("idlewatch."): message for message in messages}


def test_site_that_is_right_gets_no_message(settings):
    assert found(settings) == {}


def test_site_that_is_right_may_be_deployed(settings):
    assert found(settings, deploy=True) == {}


def test_ids_are_unique_and_each_stands_once_in_the_code():
    source = "".join(path.read_text() for path in Path(idlewatch.checks.__file__).parent.glob("*.py"))
    ids = re.findall(r'id="(idlewatch\.[EW]\d{3})"', source)
    assert len(ids) == source.count("id=")
    assert sorted(ids) == sorted(set(ids))
    # Without a gap: a new check takes the next number, and none is used again.
    for letter in "EW":
        numbers = sorted(int(it[-3:]) for it in ids if letter in it)
        assert numbers == list(range(1, len(numbers) + 1))


def test_every_key_has_a_check():
    assert set(CHECKED) == KEYS


@pytest.mark.parametrize("given", [None, 900, "IDLE_TIMEOUT", ["IDLE_TIMEOUT"], True])
def test_setting_that_is_no_dict_is_the_only_finding(settings, given):
    messages = found(settings, deploy=True, IDLEWATCH=given)
    assert list(messages) == ["E001"]
    assert repr(given) in messages["E001"].msg


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("IDLE_TIMOUT", "Did you mean 'IDLE_TIMEOUT'?"),
        ("idle_timeout", "Did you mean 'IDLE_TIMEOUT'?"),
        ("MAX_TAB", "Did you mean 'MAX_TABS'?"),
        ("QUUX", "The keys are ABSOLUTE_TIMEOUT, "),
        (7, "The keys are ABSOLUTE_TIMEOUT, "),
    ],
)
def test_unknown_key_is_an_error_that_tells_the_likely_one(settings, key, hint):
    (message,) = found(settings, IDLEWATCH={key: 1}).values()
    assert (message.id, message.level) == ("idlewatch.E002", ERROR)
    assert repr(key) in message.msg
    assert str(message.hint).startswith(hint)


SPANS = {
    "IDLE_TIMEOUT": "E003",
    "WARN_BEFORE": "E004",
    "ABSOLUTE_TIMEOUT": "E006",
    "CLOSE_GRACE": "E007",
    "HOLD_LIMIT": "E008",
    "HEARTBEAT": "E009",
    "CHECKPOINT": "E011",
    "DRAFT_AGE": "E037",
}
NO_SPANS = ["900", True, -1, timedelta(days=-1), float("nan"), float("inf"), float("-inf"), 10**400, [1], {}, 1j, b"1"]


@pytest.mark.parametrize(("key", "expected"), SPANS.items())
@pytest.mark.parametrize("value", NO_SPANS)
def test_limit_that_is_no_span_is_an_error(settings, key, expected, value):
    _is_the_one_error(found(settings, deploy=True, IDLEWATCH={key: value}), expected, key, value)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("IDLE_TIMEOUT", 0, "E003"),
        ("IDLE_TIMEOUT", None, "E003"),
        ("WARN_BEFORE", None, "E004"),
        ("ABSOLUTE_TIMEOUT", 0, "E006"),
        ("HOLD_LIMIT", None, "E008"),
        ("HEARTBEAT", 0, "E009"),
        ("HEARTBEAT", None, "E009"),
        ("ACTIVITY_EXTENDS_WARNING", 1, "E010"),
        ("ACTIVITY_EXTENDS_WARNING", "False", "E010"),
        ("ACTIVITY_EXTENDS_WARNING", None, "E010"),
        ("CHECKPOINT", 0, "E011"),
        ("CHECKPOINT", None, "E011"),
        ("DRAFT_AGE", None, "E037"),
        ("DRAFT_AGE", 31_536_001, "E037"),
        ("DRAFT_AGE", 1e300, "E037"),
        ("COUNT_BACKGROUND_REQUESTS", 0, "E012"),
        ("COUNT_BACKGROUND_REQUESTS", None, "E012"),
        ("CLEAR_SITE_DATA", "storage", "E036"),
        ("CLEAR_SITE_DATA", None, "E036"),
        ("KEEP_ADDRESS", "no", "E038"),
        ("KEEP_USER_AGENT", None, "E039"),
        ("POLICY", own, "E013"),
        ("POLICY", "nowhere.at.all", "E013"),
        ("POLICY", "no dots", "E013"),
        ("POLICY", f"{__name__}.IDLEWATCH", "E013"),
        ("PASSIVE_PATHS", "^/poll/", "E014"),
        ("PASSIVE_PATHS", None, "E014"),
        ("PASSIVE_PATHS", {"^/poll/": 1}, "E014"),
        ("PASSIVE_PATHS", (b"^/poll/",), "E014"),
        ("PASSIVE_URL_NAMES", "public", "E015"),
        ("PASSIVE_URL_NAMES", [None], "E015"),
        ("ENDED_RESPONSE", f"{__name__}.nothing", "E016"),
        ("ENDED_RESPONSE", 7, "E016"),
        ("MAX_SESSIONS_PER_USER", 0, "E017"),
        ("MAX_SESSIONS_PER_USER", -1, "E017"),
        ("MAX_SESSIONS_PER_USER", True, "E017"),
        ("MAX_SESSIONS_PER_USER", 1.0, "E017"),
        ("MAX_SESSIONS_PER_USER", "1", "E017"),
        ("MAX_TABS", 0, "E018"),
        ("MAX_TABS", None, "E018"),
        ("MAX_TABS", "50", "E018"),
        ("BASELINE", "pci_dss", "E019"),
        ("BASELINE", "", "E019"),
        ("BASELINE", 4, "E019"),
        ("BASELINE", [], "E019"),
        ("CLIENT_IP", "", "E021"),
        ("CLIENT_IP", f"{__name__}.nothing", "E021"),
    ],
)
def test_value_that_cannot_be_used_is_an_error(settings, key, value, expected):
    _is_the_one_error(found(settings, deploy=True, IDLEWATCH={key: value}), expected, key, value)


@pytest.mark.rule("R23")
@pytest.mark.parametrize(
    "value", ["guessable", "with blanks in the midst of it", "", 7, b"a-token-that-nobody-guesses"]
)
def test_token_that_will_not_do_is_an_error_that_does_not_show_it(settings, value):
    (message,) = found(settings, IDLEWATCH={"METRICS_TOKEN": value}).values()
    assert message.id == "idlewatch.E040"
    assert "expected one of 16 or more" in message.msg
    assert not isinstance(value, str) or not value or value not in message.msg


def test_expression_that_cannot_be_compiled_is_an_error_that_names_it(settings):
    (message,) = found(settings, IDLEWATCH={"PASSIVE_PATHS": [r"^/fine/", r"^/(broken"]}).values()
    assert message.id == "idlewatch.E014"
    assert "'^/(broken'" in message.msg


@pytest.mark.parametrize(
    "value",
    [
        None,
        "idlewatch.store.memory.MemoryStore",
        {},
        {"BACKEND": None},
        {"BACKEND": MemoryStore},
        {"BACKEND": "nowhere.Store"},
        {"BACKEND": "idlewatch.store.memory.store.Nothing"},
        {"BACKEND": f"{__name__}.own"},
        {"BACKEND": "idlewatch.store.base.Store"},
        {"BACKEND": f"{__name__}.OwnMiddleware"},
        {"BACKEND": f"{__name__}.OwnStore", "LOCATION": 6379},
        {"BACKEND": f"{__name__}.OwnStore", "OPTIONS": "db=1"},
        {"BACKEND": f"{__name__}.OwnStore", "OPTION": {}},
    ],
)
def test_store_that_cannot_be_made_is_an_error(settings, value):
    (message,) = found(settings, IDLEWATCH={"STORE": value}).values()
    assert message.id == "idlewatch.E020"
    assert "IDLEWATCH['STORE']" in message.msg
    assert message.hint


def test_module_that_raises_on_import_is_a_finding(settings, tmp_path, monkeypatch):
    (tmp_path / "raises_on_import.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    path = "raises_on_import.thing"
    given = {"POLICY": path, "ENDED_RESPONSE": path, "CLIENT_IP": path, "STORE": {"BACKEND": path}}
    messages = found(settings, IDLEWATCH=given, ASGI_APPLICATION=path)
    assert set(messages) == {"E013", "E016", "E020", "E021"}
    assert all("ZeroDivisionError" in message.msg for message in messages.values())


def test_everything_that_is_allowed_gets_no_message(settings):
    path = f"{__name__}.own"
    given = {
        "IDLE_TIMEOUT": timedelta(minutes=10),
        "WARN_BEFORE": 60.5,
        "ABSOLUTE_TIMEOUT": timedelta(hours=8),
        "CLOSE_GRACE": None,
        "HOLD_LIMIT": 0,
        "HEARTBEAT": 5,
        "ACTIVITY_EXTENDS_WARNING": True,
        "COUNT_BACKGROUND_REQUESTS": True,
        "POLICY": path,
        "PASSIVE_PATHS": [r"^/poll/", r"(?i:\.json)$"],
        "PASSIVE_URL_NAMES": ("public", "admin:index", "idlewatch:state"),
        "ENDED_RESPONSE": path,
        "MAX_SESSIONS_PER_USER": 1,
        "MAX_TABS": 1,
        "CHECKPOINT": 0.5,
        "DRAFT_AGE": timedelta(days=2),
        "BASELINE": "nist-aal3",
        "CLEAR_SITE_DATA": True,
        "KEEP_ADDRESS": False,
        "KEEP_USER_AGENT": False,
        "METRICS_TOKEN": "a-token-that-nobody-guesses",
        "STORE": {"BACKEND": f"{__name__}.OwnStore", "LOCATION": "here", "OPTIONS": {}},
        "CLIENT_IP": path,
    }
    assert set(given) == KEYS
    assert found(settings, deploy=True, IDLEWATCH=given) == {}
    nothing = dict.fromkeys(("POLICY", "ENDED_RESPONSE", "MAX_SESSIONS_PER_USER", "BASELINE", "CLIENT_IP"))
    assert found(settings, deploy=True, IDLEWATCH=nothing) == {}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"IDLE_TIMEOUT": 120, "WARN_BEFORE": 120}, ["E005"]),
        ({"WARN_BEFORE": timedelta(hours=1)}, ["E005"]),
        ({"IDLE_TIMEOUT": 120}, ["W001"]),
        ({"IDLE_TIMEOUT": 121, "HEARTBEAT": 0.5}, []),
        ({"IDLE_TIMEOUT": 60, "WARN_BEFORE": 40}, []),
        ({"IDLE_TIMEOUT": 55, "WARN_BEFORE": 40}, ["W003"]),
        ({"HEARTBEAT": 780}, ["W003"]),
        ({"ABSOLUTE_TIMEOUT": 899}, ["W004"]),
        ({"ABSOLUTE_TIMEOUT": 900}, []),
        ({"CLOSE_GRACE": 4.9}, ["W005"]),
        ({"CLOSE_GRACE": 0}, ["W005"]),
        ({"CLOSE_GRACE": 5}, []),
        ({"PASSIVE_URL_NAMES": ["public", "pubic", "admin:public"]}, ["W006"]),
        ({"IDLE_TIMEOUT": 60, "WARN_BEFORE": 60, "ABSOLUTE_TIMEOUT": 30, "CLOSE_GRACE": 1}, ["E005", "W004", "W005"]),
    ],
)
def test_limits_that_contradict_or_harm_each_other_are_found(settings, given, expected):
    messages = found(settings, IDLEWATCH=given)
    assert sorted(messages) == expected
    assert all(message.hint and "; expected" in message.msg for message in messages.values())


@pytest.mark.rule("R30")
@pytest.mark.parametrize(("seconds", "expected"), [(0, ["W002"]), (19.9, ["W002"]), (20, [])])
def test_warning_shorter_than_wcag_allows_is_a_warning(settings, seconds, expected):
    assert list(found(settings, IDLEWATCH={"WARN_BEFORE": seconds})) == expected


def test_name_that_no_url_has_comes_with_the_likely_one(settings):
    (message,) = found(settings, IDLEWATCH={"PASSIVE_URL_NAMES": ["idlewatch:stat"]}).values()
    assert "'idlewatch:stat'" in message.msg
    assert message.hint == "Did you mean 'idlewatch:state'?"


BASE = [SESSION, AUTHENTICATION]


@pytest.mark.parametrize(
    ("middleware", "expected"),
    [
        ([*BASE, IDLEWATCH], []),
        ((*BASE, f"{__name__}.OwnMiddleware"), []),
        ([*BASE, IDLEWATCH, LOGIN_REQUIRED], []),
        (BASE, ["E022"]),
        ([*BASE, LOGIN_REQUIRED], ["E022"]),
        ([], ["E022"]),
        ([SESSION, IDLEWATCH, AUTHENTICATION], ["E023"]),
        ([IDLEWATCH, SESSION, AUTHENTICATION], ["E023"]),
        ([SESSION, IDLEWATCH], ["E023"]),
        ([*BASE, LOGIN_REQUIRED, IDLEWATCH], ["E024"]),
        ([*BASE, "nowhere.Middleware", IDLEWATCH], []),
        ([*BASE, f"{__name__}.own", IDLEWATCH], []),
    ],
)
def test_middleware_missing_or_in_the_wrong_place_is_an_error(settings, middleware, expected):
    messages = found(settings, MIDDLEWARE=middleware)
    assert sorted(messages) == expected
    assert all(message.level == ERROR and message.hint for message in messages.values())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"SESSION_COOKIE_AGE": 43199}, ["E026"]),
        ({"SESSION_COOKIE_AGE": 43200}, []),
        ({"SESSION_COOKIE_AGE": 8099, "IDLEWATCH": {"ABSOLUTE_TIMEOUT": None}}, ["E026"]),
        ({"SESSION_COOKIE_AGE": 8100, "IDLEWATCH": {"ABSOLUTE_TIMEOUT": None}}, []),
        ({"SESSION_EXPIRE_AT_BROWSER_CLOSE": False}, ["W007"]),
        ({"SESSION_SAVE_EVERY_REQUEST": True}, ["W008"]),
        ({"ROOT_URLCONF": (), "LOGIN_URL": "https://login.example/"}, ["E027", "W022"]),
        ({"ROOT_URLCONF": "nowhere.urls"}, []),
        ({"LOGIN_URL": "nowhere"}, ["E028"]),
        ({"LOGIN_URL": "/nowhere/"}, ["W012"]),
        ({"LOGIN_URL": "/nowhere/", "MIDDLEWARE": [*site.MIDDLEWARE, LOCALE]}, []),
        ({"LOGIN_URL": "login"}, []),
        ({"LOGIN_URL": "/login"}, []),
        ({"LOGIN_URL": "/login/?from=here"}, []),
        ({"LOGIN_URL": "https://login.example/"}, []),
        ({"LOGIN_REDIRECT_URL": "/accounts/profile/"}, []),
        ({"LOGIN_REDIRECT_URL": None}, ["W022"]),
        ({"LOGIN_REDIRECT_URL": ""}, ["W022"]),
        ({"LOGIN_REDIRECT_URL": "nowhere"}, ["W022"]),
        ({"LOGIN_REDIRECT_URL": "/nowhere/"}, ["W022"]),
        ({"LOGIN_REDIRECT_URL": "/nowhere/", "MIDDLEWARE": [*site.MIDDLEWARE, LOCALE]}, []),
        ({"LOGIN_REDIRECT_URL": "login"}, []),
        ({"LOGIN_REDIRECT_URL": "/private?from=here"}, []),
        ({"LOGIN_REDIRECT_URL": "https://start.example/"}, []),
        ({"TEMPLATES": []}, ["W013"]),
        ({"TEMPLATES": [{**site.TEMPLATES[0], "OPTIONS": {}}]}, ["W013"]),
        ({"TEMPLATES": [{**site.TEMPLATES[0], "OPTIONS": {}}, site.TEMPLATES[0]]}, []),
    ],
)
def test_settings_of_the_site_that_do_not_fit_are_found(settings, changes, expected):
    messages = found(settings, **changes)
    assert sorted(messages) == expected
    assert all(message.hint for message in messages.values())


def test_times_without_a_zone_are_an_error(settings):
    settings.USE_TZ = False
    (message,) = found(settings).values()
    assert message.id == "idlewatch.E041"


@pytest.mark.parametrize("app", ["django.contrib.auth", "django.contrib.sessions"])
def test_app_that_is_missing_is_an_error(settings, monkeypatch, app):
    monkeypatch.setattr(apps, "is_installed", lambda name: name != app)
    (message,) = found(settings).values()
    assert message.id == "idlewatch.E025"
    assert repr(app) in message.msg


def test_sessions_that_need_no_table_need_no_app(settings, monkeypatch):
    monkeypatch.setattr(apps, "is_installed", lambda name: name != "django.contrib.sessions")
    assert found(settings, SESSION_ENGINE="django.contrib.sessions.backends.cache") == {}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (None, "W009"),
        ("", "W009"),
        ("nowhere.application", "W010"),
        ("tests.support.urls.public", "W011"),
    ],
)
def test_site_whose_sockets_are_not_served_gets_a_warning(settings, monkeypatch, path, expected):
    monkeypatch.setattr(idlewatch.asgi, "is_watched", lambda: False)
    (message,) = found(settings, ASGI_APPLICATION=path).values()
    assert message.id == f"idlewatch.{expected}"
    assert repr(path) in message.msg


def test_application_is_imported_to_see_that_it_is_watched(settings):
    assert found(settings, ASGI_APPLICATION="tests.support.asgi.application") == {}


BASELINE_ERRORS = [
    ("pci-dss", {"IDLE_TIMEOUT": 900, "HOLD_LIMIT": 0, "ABSOLUTE_TIMEOUT": 80000}, []),
    ("pci-dss", {"IDLE_TIMEOUT": 901, "HOLD_LIMIT": 0}, ["IDLE_TIMEOUT"]),
    ("pci-dss", {"IDLE_TIMEOUT": 600, "HOLD_LIMIT": 301}, ["HOLD_LIMIT"]),
    ("pci-dss", {}, ["HOLD_LIMIT"]),
    ("nist-aal2", {"HOLD_LIMIT": 2700}, []),
    ("nist-aal2", {"HOLD_LIMIT": 2700, "ABSOLUTE_TIMEOUT": None}, ["ABSOLUTE_TIMEOUT"]),
    ("nist-aal3", {"HOLD_LIMIT": 0, "ABSOLUTE_TIMEOUT": 43201}, ["ABSOLUTE_TIMEOUT"]),
    ("nist-aal3", {"IDLE_TIMEOUT": 3600, "ABSOLUTE_TIMEOUT": None}, ["IDLE_TIMEOUT", "HOLD_LIMIT", "ABSOLUTE_TIMEOUT"]),
]


@pytest.mark.rule("R8")
@pytest.mark.parametrize(("name", "given", "keys"), BASELINE_ERRORS)
def test_limits_looser_than_the_baseline_fail_the_deployment(settings, name, given, keys):
    settings.IDLEWATCH = {**given, "BASELINE": name}
    messages = [
        message for message in run_checks(tags=[TAG], include_deployment_checks=True) if message.id == "idlewatch.E029"
    ]
    assert [key for message in messages for key in KEYS if message.msg.startswith(f"IDLEWATCH[{key!r}]")] == keys
    assert all(message.level == ERROR and name in message.msg for message in messages)
    assert "E029" not in found(settings)


@pytest.mark.rule("R33")
@pytest.mark.parametrize(("seconds", "expected"), [(0, []), (1, ["W021"]), (72000, ["W021"]), (72001, [])])
def test_drafts_that_go_sooner_than_wcag_asks_for_are_reported_before_a_deployment(settings, seconds, expected):
    assert found(settings, IDLEWATCH={"DRAFT_AGE": seconds}) == {}
    assert list(found(settings, deploy=True, IDLEWATCH={"DRAFT_AGE": seconds})) == expected


@pytest.mark.rule("R8")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"IDLE_TIMEOUT": 7200}, ["W014"]),
        ({"IDLE_TIMEOUT": 1801}, ["W014"]),
        ({"IDLE_TIMEOUT": 1800}, []),
        ({"HOLD_LIMIT": 7201}, ["W015"]),
        ({"ABSOLUTE_TIMEOUT": None}, ["W016"]),
        ({"ABSOLUTE_TIMEOUT": timedelta(days=2)}, ["W016"]),
        ({"ABSOLUTE_TIMEOUT": timedelta(days=1)}, []),
    ],
)
def test_deviation_from_common_limits_is_reported_before_a_deployment(settings, given, expected):
    messages = found(settings, deploy=True, IDLEWATCH=given)
    assert sorted(messages) == expected
    assert all("deviation" in str(message.hint) for message in messages.values())
    assert found(settings) == {}


@pytest.mark.rule("R22")
@pytest.mark.parametrize(("same_site", "expected"), [("None", ["W017"]), (False, ["W017"]), ("Strict", [])])
def test_cookie_that_other_sites_can_use_is_reported(settings, same_site, expected):
    assert list(found(settings, deploy=True, SESSION_COOKIE_SAMESITE=same_site)) == expected


@pytest.mark.rule("R28")
def test_a_log_that_takes_no_events_is_reported_before_a_deployment(settings, caplog):
    with caplog.at_level(logging.WARNING, logger="idlewatch"):
        assert found(settings) == {}
        assert list(found(settings, deploy=True)) == ["W024"]


def test_signed_cookies_come_with_a_note(settings):
    messages = found(settings, deploy=True, SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
    assert list(messages) == ["W018"]


@pytest.mark.parametrize("key", sorted(KEYS))
def test_no_value_makes_the_checks_raise(settings, key):
    values = [None, True, "", "..", "\ud800", b"", [[]], [None], ["("], {}, {1: 2}, {None}, object(), 1j, own, int]
    for value in values:
        assert all(str(message) for message in found(settings, deploy=True, IDLEWATCH={key: value}).values())


@pytest.mark.parametrize("name", ["MIDDLEWARE", "TEMPLATES", "LOGIN_URL", "SESSION_COOKIE_AGE", "SESSION_ENGINE"])
@pytest.mark.parametrize("value", [None, 7, "", "..", [None]])
def test_no_setting_of_the_site_makes_the_checks_raise(settings, name, value):
    found(settings, deploy=True, **{name: value})


def test_one_mistake_hides_no_other(settings):
    given = {"IDLE_TIMEOUT": "soon", "MAX_TABS": 0, "WARN": 1, "BASELINE": "none"}
    messages = found(settings, deploy=True, IDLEWATCH=given, MIDDLEWARE=[], LOGIN_URL="nowhere")
    assert sorted(messages) == ["E002", "E003", "E018", "E019", "E022", "E028"]


def _is_the_one_error(messages: dict[str, CheckMessage], expected: str, key: str, value: object) -> None:
    assert list(messages) == [expected]
    message = messages[expected]
    assert message.level == ERROR
    assert message.hint
    assert f"IDLEWATCH[{key!r}] is {value!r}" in message.msg
    assert "expected" in message.msg or "can't be imported" in message.msg


REDIS = {"BACKEND": "idlewatch.store.redis.RedisStore"}
LAYER = {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer"}
SILENT = [{"address": "redis://127.0.0.1:1/0", "socket_timeout": None}]
IN_MEMORY = {"BACKEND": "channels.layers.InMemoryChannelLayer"}


class OwnLayer(InMemoryChannelLayer):
    """A site's own."""


def shared(settings, store: object = None, layer: object = None, **changes: object) -> dict[str, CheckMessage]:
    """Return what the checks say of the tests' site where several processes serve it."""
    layers = {"default": {**LAYER, "CONFIG": {"hosts": SILENT}} if layer is None else layer}
    given = {"IDLEWATCH": {"STORE": {**REDIS, **(store or {})}}, "CHANNEL_LAYERS": layers}
    return found(settings, **(given | changes))


def test_site_of_several_processes_that_is_right_gets_no_message(settings):
    assert shared(settings) == {}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"LOCATION": "http://:hunter2@127.0.0.1/0"}, "LOCATION is no URL"),
        ({"LOCATION": "127.0.0.1:6379"}, "LOCATION is no URL"),
        ({"LOCATION": "redis://:hunter2@127.0.0.1:port/0"}, "LOCATION is no URL"),
        ({"OPTIONS": {"PREFIX": "idlewatch:", "password": "hunter2"}}, "PREFIX is 'idlewatch:'"),
        ({"OPTIONS": {"PREFIX": "{}:"}}, "PREFIX is '{}:'"),
        ({"OPTIONS": {"PREFIX": None}}, "PREFIX is None"),
        ({"OPTIONS": {"sockettimeout": 1, "password": "hunter2"}}, "'sockettimeout'"),
        ({"OPTIONS": {"decode_responses": True}}, "decode_responses"),
        ({"OPTIONS": {"SENTINELS": 7, "password": "hunter2"}}, "TypeError"),
    ],
)
def test_store_that_refuses_what_it_is_given_is_an_error_that_shows_no_password(settings, given, told):
    (message,) = shared(settings, given).values()
    assert (message.id, message.level) == ("idlewatch.E031", ERROR)
    assert told in message.msg
    assert message.hint
    assert "hunter2" not in f"{message.msg}{message.hint}"


@pytest.mark.parametrize(
    "given",
    [
        {"LOCATION": None},
        {"LOCATION": "rediss://user:hunter2@cache.example:6380/3", "OPTIONS": {"ssl_cert_reqs": "required"}},
        {"LOCATION": "unix:///run/redis.sock", "OPTIONS": None},
        {"OPTIONS": {"SENTINELS": [("127.0.0.1", 26379)], "MASTER": "main", "PREFIX": "own:{tag}:"}},
    ],
)
def test_ways_to_redis_that_can_be_taken_get_no_message_and_no_connection(settings, given):
    assert shared(settings, given) == {}


@pytest.mark.parametrize("error", [OSError, ValueError, RuntimeError])
def test_what_another_store_raises_is_told_by_its_kind_alone(settings, monkeypatch, error):
    def refuse(*_: object) -> None:
        raise error("redis://:hunter2@127.0.0.1")

    monkeypatch.setattr(OwnStore, "__init__", refuse)
    (message,) = found(settings, IDLEWATCH={"STORE": {"BACKEND": f"{__name__}.OwnStore"}}).values()
    assert message.id == "idlewatch.E031"
    assert error.__name__ in message.msg
    assert "hunter2" not in message.msg


def test_redis_store_without_its_package_names_what_to_install(settings, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("idlewatch.store.redis")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    (message,) = shared(settings).values()
    assert (message.id, message.level) == ("idlewatch.E030", ERROR)
    assert "idlewatch[redis]" in str(message.hint)


def test_redis_store_without_its_fast_parser_gets_a_warning(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "hiredis", None)
    (message,) = shared(settings).values()
    assert (message.id, message.level) == ("idlewatch.W019", WARNING)
    assert "idlewatch[redis]" in str(message.hint)
    assert found(settings, IDLEWATCH={}) == {}


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ({}, "E032"),
        (None, "E032"),
        ({"other": LAYER}, "E032"),
        ({"default": {}}, "E032"),
        ({"default": IN_MEMORY}, "E032"),
        ({"default": {"BACKEND": f"{__name__}.OwnLayer"}}, "E032"),
        ({"default": {"BACKEND": "channels_redis.pubsub.Nothing", "CONFIG": {"hosts": SILENT}}}, "E033"),
        ({"default": {"BACKEND": "nowhere.Layer"}}, "E033"),
    ],
)
def test_layer_that_reaches_one_process_beside_a_store_of_several_is_an_error(settings, layers, expected):
    (message,) = shared(settings, CHANNEL_LAYERS=layers).values()
    assert (message.id, message.level) == (f"idlewatch.{expected}", ERROR)
    assert "channels_redis.pubsub.RedisPubSubChannelLayer" in str(message.hint)
    # One process alone reaches all its tabs by itself.
    assert found(settings, IDLEWATCH={}) == {}


class OwnCoreLayer(RedisChannelLayer):
    """A site's own."""


@pytest.mark.parametrize("backend", ["channels_redis.core.RedisChannelLayer", f"{__name__}.OwnCoreLayer"])
@pytest.mark.parametrize(
    ("hosts", "in_redis_py_7", "in_redis_py_8"),
    [
        (None, 0, 1),
        ([], 0, 1),
        (["redis://:hunter2@127.0.0.1:6379/0"], 0, 1),
        ([("127.0.0.1", 6379), {"address": "redis://127.0.0.1"}], 0, 2),
        ([{"host": "127.0.0.1", "socket_timeout": None}, "redis://127.0.0.1"], 0, 1),
        ([{"sentinels": [("127.0.0.1", 26379)], "master_name": "main"}], 0, 1),
        ([{"address": "redis://127.0.0.1", "socket_timeout": 1}], 1, 1),
        ([{"address": "redis://127.0.0.1", "socket_timeout": 60}], 0, 0),
        (SILENT, 0, 0),
    ],
)
def test_layer_that_takes_silence_for_an_outage_is_an_error(
    settings, monkeypatch, backend, hosts, in_redis_py_7, in_redis_py_8
):
    layer = {"BACKEND": backend, "CONFIG": {"hosts": hosts}}
    for installed, expected in (("7.4.1", in_redis_py_7), ("8.0.0b1", in_redis_py_8)):
        monkeypatch.setattr("idlewatch.checks.multiprocess.version", lambda _, installed=installed: installed)
        shared(settings, layer=layer)
        messages = run_checks(tags=[TAG])
        assert [message.id for message in messages] == ["idlewatch.E034"] * expected
        assert all("socket_timeout" in str(message.hint) for message in messages)
        assert "hunter2" not in str(messages)
        # The other layer asks anew before any limit.
        assert shared(settings, layer=layer | LAYER) == {}


@pytest.mark.parametrize(
    ("engine", "backend", "expected"),
    [
        ("cache", "locmem.LocMemCache", ["E035"]),
        ("cached_db", "locmem.LocMemCache", ["E035"]),
        ("cache", "dummy.DummyCache", ["E035"]),
        ("cache", "redis.RedisCache", []),
        ("cached_db", "db.DatabaseCache", []),
        ("db", "locmem.LocMemCache", []),
        ("signed_cookies", "locmem.LocMemCache", []),
    ],
)
def test_sessions_that_one_process_sees_beside_a_store_of_several_are_an_error(settings, engine, backend, expected):
    caches = {"default": IN_MEMORY, "sessions": {"BACKEND": f"django.core.cache.backends.{backend}"}}
    changes = {"CACHES": caches, "SESSION_ENGINE": f"django.contrib.sessions.backends.{engine}"}
    messages = shared(settings, SESSION_CACHE_ALIAS="sessions", **changes)
    assert list(messages) == expected
    assert all(message.hint and "'sessions'" in message.msg for message in messages.values())
    assert found(settings, IDLEWATCH={}) == {}


def test_sqlite_beside_a_store_of_several_processes_is_reported_before_a_deployment(settings, monkeypatch):
    messages = shared(settings, deploy=True)
    assert list(messages) == ["W020"]
    assert messages["W020"].level == WARNING
    monkeypatch.setattr(site, "DATABASES", {"default": {"ENGINE": "django.db.backends.postgresql"}})
    assert shared(settings, deploy=True) == {}


@pytest.mark.parametrize("name", ["CHANNEL_LAYERS", "CACHES", "SESSION_CACHE_ALIAS", "DATABASES", "SESSION_ENGINE"])
@pytest.mark.parametrize("value", [None, 7, "", "..", [None], {"default": None}, {"default": {"BACKEND": 7}}])
def test_no_setting_of_the_site_makes_the_checks_of_many_processes_raise(settings, monkeypatch, name, value):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    shared(settings)
    # Whoever listens for changes of some of these settings would raise.
    monkeypatch.setattr(site, name, value)
    run_checks(tags=[TAG], include_deployment_checks=True)
