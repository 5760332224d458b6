from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from msgspec.structs import replace

from idlewatch.conf.settings import LIMITS, SETTINGS, Conf, conf
from idlewatch.core.policy import Policy

HERE = f"{__name__}.callable_for_tests"


def callable_for_tests(*_: object) -> None:
    """Be imported by a dotted path."""


PROVE = "idlewatch.http.reauthentication"

# What SPEC has, key by key: the default, values at the edge of what is allowed, and values just beyond it.
CONTRACT: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "IDLE_TIMEOUT": (900, [0.5, timedelta(minutes=10)], [0, None]),
    "WARN_BEFORE": (120, [0, timedelta(minutes=1)], [-1, None]),
    "ABSOLUTE_TIMEOUT": (43200, [0.5, timedelta(hours=8), None], [0]),
    "CLOSE_GRACE": (300, [0, timedelta(minutes=1), None], [-1]),
    "HOLD_LIMIT": (7200, [0, timedelta(minutes=1)], [-1, None]),
    "HEARTBEAT": (15, [0.5], [0, None]),
    "ACTIVITY_EXTENDS_WARNING": (False, [True], [1, "False", None]),
    "COUNT_BACKGROUND_REQUESTS": (False, [True], [0, "False", None]),
    "POLICY": (None, [HERE], [callable_for_tests, "nowhere.at.all", f"{__name__}.HERE"]),
    "PASSIVE_PATHS": ((), [["^/poll/", r"(?i:\.json)$"]], ["^/poll/", ["(unclosed"], None]),
    "PASSIVE_URL_NAMES": ((), [("public", "admin:index")], ["poll", [None], None]),
    "ENDED_RESPONSE": (None, [HERE], [7, f"{__name__}.nothing"]),
    "MAX_SESSIONS_PER_USER": (None, [1, None], [0, True]),
    "MAX_TABS": (50, [1], [0, None]),
    "CHECKPOINT": (60, [0.5], [0, None]),
    "RECORD_RETENTION": (None, [1, timedelta(days=365), None], [0, 946_080_001, "90d"]),
    "GC_THRESHOLDS": (
        None,
        [(10_000, 100, 2), [0, 0, 2**31 - 1]],
        [700, (700, 10), (700, 10, -1), (2**31, 10, 10), (True, 10, 10), ("700", 10, 10)],
    ),
    "DRAFT_AGE": (86400, [0, timedelta(days=365)], [-1, 31_536_001, None]),
    "BASELINE": (None, ["pci-dss", "nist-aal2", "nist-aal3"], ["pci", ["pci-dss"]]),
    "CLEAR_SITE_DATA": (False, [True], ["storage", None]),
    "KEEP_ADDRESS": (True, [False], ["no", None]),
    "KEEP_USER_AGENT": (True, [False], [0, None]),
    "METRICS_TOKEN": (None, ["a-token-that-cannot-be-guessed"], ["guessable", 7]),
    "STORE": ({"BACKEND": "idlewatch.store.memory.MemoryStore"}, [{"BACKEND": "x.Y", "OPTIONS": {}}], [{}, None]),
    "CLIENT_IP": (None, [HERE], ["", "nowhere"]),
    "REAUTHENTICATE": (f"{PROVE}.Password", [f"{PROVE}.Allauth"], [HERE, "nowhere", None]),
}


def read(key: str) -> object:
    return getattr(conf, SETTINGS[key].name)


def test_keys_are_those_of_the_contract():
    assert SETTINGS.keys() == CONTRACT.keys()


def test_limits_are_what_a_policy_has():
    assert {limit.name for limit in LIMITS.values()} == set(Policy.__struct_fields__) - {"checkpoint"}


@pytest.mark.parametrize("key", CONTRACT)
def test_default_is_that_of_the_contract(settings, key):
    settings.IDLEWATCH = {}
    expected = read(key)
    settings.IDLEWATCH = {key: CONTRACT[key][0]}
    assert read(key) == expected


def test_policy_by_default_is_that_of_the_core(settings):
    settings.IDLEWATCH = {}
    assert conf.policy == conf.written == Policy()
    del settings.IDLEWATCH
    assert conf.policy == Policy()


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in CONTRACT for value in CONTRACT[key][1]])
def test_value_of_the_contract_is_allowed(settings, key, value):
    settings.IDLEWATCH = {key: value}
    read(key)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in CONTRACT for value in CONTRACT[key][2]])
def test_value_beyond_the_contract_is_refused_by_its_key(settings, key, value):
    settings.IDLEWATCH = {key: value}
    with pytest.raises(ImproperlyConfigured) as raised:
        read(key)
    assert str(raised.value).startswith(f"IDLEWATCH[{key!r}] is ")


@pytest.mark.parametrize("key", [key for key, limit in LIMITS.items() if key != "ACTIVITY_EXTENDS_WARNING"])
def test_limit_of_a_policy_is_in_seconds(settings, key):
    settings.IDLEWATCH = {key: timedelta(minutes=1, seconds=17)}
    assert getattr(conf.written, LIMITS[key].name) == 77.0


def test_value_is_parsed_once_and_again_when_the_setting_changes(settings):
    settings.IDLEWATCH = {"PASSIVE_PATHS": ["^/poll/"]}
    assert conf.passive_paths is conf.passive_paths is vars(conf)["passive_paths"] is not None
    settings.IDLEWATCH = {}
    assert conf.passive_paths is None


@pytest.mark.parametrize("given", [None, 900, "900", ["IDLE_TIMEOUT"]])
def test_setting_that_is_no_dict_is_refused(settings, given):
    settings.IDLEWATCH = given
    with pytest.raises(ImproperlyConfigured, match=r"IDLEWATCH is .*; expected a dict"):
        _ = conf.policy


class TestPolicyWith:
    def test_answer_replaces_the_limits_of_the_project(self, settings):
        settings.IDLEWATCH = {"IDLE_TIMEOUT": 600, "HOLD_LIMIT": 60}
        answer = {"IDLE_TIMEOUT": timedelta(minutes=5), "ABSOLUTE_TIMEOUT": None, "ACTIVITY_EXTENDS_WARNING": True}
        expected = replace(
            conf.policy, idle_timeout=300, absolute_timeout=None, activity_extends_warning=True, checkpoint=30
        )
        assert conf.policy_with(answer) == expected
        assert conf.policy_with(None) == conf.policy_with({}) == conf.policy

    @pytest.mark.parametrize(
        "answer",
        [{"IDLE": 1}, {"MAX_TABS": 1}, {1: 2}, {"IDLE_TIMEOUT": "1h"}, {"IDLE_TIMEOUT": -1}, [900], "IDLE_TIMEOUT"],
    )
    def test_answer_that_cannot_be_used_is_refused(self, settings, answer):
        settings.IDLEWATCH = {}
        with pytest.raises(ImproperlyConfigured, match=r"^The answer of POLICY .*; expected "):
            conf.policy_with(answer)

    def test_answer_looser_than_the_baseline_is_clamped_with_one_log_line(self, settings, caplog):
        settings.IDLEWATCH = {"BASELINE": "nist-aal3", "HOLD_LIMIT": 0}
        assert conf.policy_with({"IDLE_TIMEOUT": 60 * 14}).idle_timeout == 840
        assert not caplog.records
        with caplog.at_level(logging.INFO, "idlewatch"):
            policy = conf.policy_with({"IDLE_TIMEOUT": 3600, "HOLD_LIMIT": 600, "ABSOLUTE_TIMEOUT": None})
        assert (policy.idle_timeout, policy.hold_limit, policy.absolute_timeout) == (900, 0, 43200)
        (record,) = caplog.records
        assert (record.name, record.levelname) == ("idlewatch", "WARNING")
        assert record.getMessage() == (
            "BASELINE nist-aal3: clamped IDLE_TIMEOUT from 3600.0 to 900 s, HOLD_LIMIT from 600.0 to 0 s, "
            "ABSOLUTE_TIMEOUT from None to 43200 s."
        )

    def test_limits_of_the_project_are_clamped_too(self, settings):
        settings.IDLEWATCH = {"BASELINE": "pci-dss"}
        assert (conf.written.hold_limit, conf.policy.hold_limit) == (7200, 0)


def test_setting_of_the_class_is_its_declaration():
    assert Conf.max_tabs.key == "MAX_TABS"
    assert Conf.max_tabs.default == 50
