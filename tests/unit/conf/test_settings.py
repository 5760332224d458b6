from __future__ import annotations

import logging
import re
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from msgspec.structs import replace

from idlewatch.conf.settings import KEYS, POLICY_KEYS, conf, fitted
from idlewatch.core.policy import Policy

SPANS = sorted(set(POLICY_KEYS) - {"ACTIVITY_EXTENDS_WARNING"})


def callable_for_tests(*_: object) -> None:
    """Be found by a dotted path."""


HERE = f"{__name__}.callable_for_tests"


def test_defaults_are_those_of_the_contract(settings):
    settings.IDLEWATCH = {}
    assert conf.policy == Policy(
        idle_timeout=900,
        warn_before=120,
        absolute_timeout=43200,
        close_grace=300,
        hold_limit=7200,
        heartbeat=15,
        activity_extends_warning=False,
        checkpoint=60,
    )
    assert conf.count_background_requests is False
    assert (conf.passive_paths, conf.passive_url_names) == (None, frozenset())
    assert (conf.policy_callable, conf.ended_response, conf.client_ip) == (None, None, None)
    assert (conf.max_sessions_per_user, conf.max_tabs, conf.baseline) == (None, 50, None)
    assert (conf.keep_address, conf.keep_user_agent) == (True, True)
    assert conf.store["BACKEND"] == "idlewatch.store.memory.MemoryStore"


def test_setting_may_be_missing_altogether(settings):
    del settings.IDLEWATCH
    assert conf.policy == Policy()


def test_change_of_the_setting_is_seen_at_once(settings):
    settings.IDLEWATCH = {"MAX_TABS": 3}
    assert conf.max_tabs == 3
    settings.IDLEWATCH = {"MAX_TABS": 4}
    assert conf.max_tabs == 4


@pytest.mark.parametrize("key", SPANS)
@pytest.mark.parametrize("written", [77, 77.0, timedelta(minutes=1, seconds=17)])
def test_span_is_a_number_of_seconds_or_a_timedelta(settings, key, written):
    settings.IDLEWATCH = {key: written}
    assert getattr(conf.written, POLICY_KEYS[key]) == 77.0


@pytest.mark.parametrize("key", ["ABSOLUTE_TIMEOUT", "CLOSE_GRACE"])
def test_limit_may_be_none_where_that_means_no_limit(settings, key):
    settings.IDLEWATCH = {key: None}
    assert getattr(conf.policy, POLICY_KEYS[key]) is None


@pytest.mark.parametrize("key", [*SPANS, "CHECKPOINT"])
@pytest.mark.parametrize(
    "written", [-1, -0.5, timedelta(seconds=-1), True, "900", float("nan"), float("inf"), 10**400, [900], b"9"]
)
def test_span_that_cannot_be_used_names_itself(settings, key, written):
    settings.IDLEWATCH = {key: written}
    with pytest.raises(ImproperlyConfigured, match=re.escape(f"IDLEWATCH[{key!r}] is {written!r}; expected ")):
        assert conf.policy


@pytest.mark.parametrize("key", ["IDLE_TIMEOUT", "WARN_BEFORE", "HOLD_LIMIT", "HEARTBEAT"])
def test_none_is_refused_where_a_limit_must_be(settings, key):
    settings.IDLEWATCH = {key: None}
    with pytest.raises(ImproperlyConfigured, match=key):
        assert conf.policy


@pytest.mark.parametrize("key", ["IDLE_TIMEOUT", "ABSOLUTE_TIMEOUT", "HEARTBEAT", "CHECKPOINT"])
def test_zero_is_refused_where_nothing_would_work(settings, key):
    settings.IDLEWATCH = {key: 0}
    with pytest.raises(ImproperlyConfigured, match="more than 0 seconds"):
        assert conf.policy


@pytest.mark.parametrize("key", ["WARN_BEFORE", "CLOSE_GRACE", "HOLD_LIMIT"])
def test_zero_is_taken_where_it_means_none_of_it(settings, key):
    settings.IDLEWATCH = {key: 0}
    assert getattr(conf.policy, POLICY_KEYS[key]) == 0.0


@pytest.mark.parametrize("given", [None, 900, "900", ["IDLE_TIMEOUT"]])
def test_setting_that_is_no_dict_names_itself(settings, given):
    settings.IDLEWATCH = given
    with pytest.raises(ImproperlyConfigured, match=r"IDLEWATCH is .*; expected a dict"):
        assert conf.policy


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("COUNT_BACKGROUND_REQUESTS", "False"),
        ("CLEAR_SITE_DATA", "storage"),
        ("KEEP_ADDRESS", "no"),
        ("KEEP_USER_AGENT", 0),
        ("PASSIVE_PATHS", "^/poll/"),
        ("PASSIVE_PATHS", [1]),
        ("PASSIVE_PATHS", ["(unclosed"]),
        ("PASSIVE_PATHS", ["^/a", "(?i)^/b"]),
        ("PASSIVE_URL_NAMES", "poll"),
        ("MAX_TABS", 0),
        ("MAX_TABS", None),
        ("MAX_TABS", 2.5),
        ("MAX_SESSIONS_PER_USER", 0),
        ("MAX_SESSIONS_PER_USER", True),
        ("CHECKPOINT", None),
        ("BASELINE", "pci"),
        ("BASELINE", ["pci-dss"]),
        ("STORE", "memory"),
        ("STORE", {}),
        ("STORE", {"BACKEND": "idlewatch.store.memory.MemoryStore", "LOCATIN": ""}),
        ("STORE", {"BACKEND": "idlewatch.store.memory.MemoryStore", "OPTIONS": []}),
        ("ENDED_RESPONSE", callable_for_tests),
        ("ENDED_RESPONSE", "nowhere"),
        ("ENDED_RESPONSE", "nowhere.at.all"),
        ("CLIENT_IP", f"{__name__}.HERE"),
    ],
)
def test_value_that_cannot_be_used_names_its_key(settings, key, written):
    settings.IDLEWATCH = {key: written}
    with pytest.raises(ImproperlyConfigured, match=re.escape(f"IDLEWATCH[{key!r}]")):
        assert getattr(conf, key.lower())


@pytest.mark.parametrize("key", ["POLICY", "ENDED_RESPONSE", "CLIENT_IP"])
def test_dotted_path_leads_to_its_callable(settings, key):
    settings.IDLEWATCH = {key: HERE}
    found = conf.policy_callable if key == "POLICY" else getattr(conf, key.lower())
    assert found.__name__ == "callable_for_tests"


def test_error_about_the_store_shows_nothing_it_holds(settings):
    settings.IDLEWATCH = {"STORE": {"BACKEND": "x.Y", "LOCATION": ["redis://:secret@host"]}}
    with pytest.raises(ImproperlyConfigured) as raised:
        assert conf.store
    assert "secret" not in str(raised.value)


def test_path_is_passive_where_any_expression_is_found(settings):
    settings.IDLEWATCH = {"PASSIVE_PATHS": [r"^/poll/", r"\.json$|^/ping$"]}
    assert conf.passive_paths is not None
    found = [bool(conf.passive_paths.search(path)) for path in ("/poll/1", "/a.json", "/ping", "/pings", "/x/poll/")]
    assert found == [True, True, True, False, False]


class TestPolicyWith:
    def test_answers_replace_the_limits_of_the_site(self, settings):
        settings.IDLEWATCH = {"IDLE_TIMEOUT": 600, "HOLD_LIMIT": 60}
        answers = {"IDLE_TIMEOUT": timedelta(minutes=5), "ABSOLUTE_TIMEOUT": None, "ACTIVITY_EXTENDS_WARNING": True}
        expected = replace(
            conf.policy, idle_timeout=300, absolute_timeout=None, activity_extends_warning=True, checkpoint=30
        )
        assert conf.policy_with(answers) == expected

    @pytest.mark.parametrize("answers", [None, {}])
    def test_answer_that_says_nothing_leaves_the_limits_of_the_site(self, settings, answers):
        settings.IDLEWATCH = {"IDLE_TIMEOUT": 600}
        assert conf.policy_with(answers) == conf.policy

    @pytest.mark.parametrize(
        "answers",
        [{"IDLE": 1}, {"MAX_TABS": 1}, {1: 2}, {"IDLE_TIMEOUT": "1h"}, {"IDLE_TIMEOUT": -1}, [900], "IDLE_TIMEOUT"],
    )
    def test_answer_that_cannot_be_used_names_the_policy(self, settings, answers):
        settings.IDLEWATCH = {}
        with pytest.raises(ImproperlyConfigured, match=r"What POLICY answered .*expected "):
            conf.policy_with(answers)

    def test_answer_looser_than_the_baseline_is_clamped_with_one_log_line(self, settings, caplog):
        settings.IDLEWATCH = {"BASELINE": "nist-aal3", "HOLD_LIMIT": 0}
        with caplog.at_level(logging.INFO, "idlewatch"):
            policy = conf.policy_with({"IDLE_TIMEOUT": 3600, "HOLD_LIMIT": 600, "ABSOLUTE_TIMEOUT": None})
        assert (policy.idle_timeout, policy.hold_limit, policy.absolute_timeout) == (900, 0, 43200)
        (record,) = caplog.records
        assert (record.name, record.levelname) == ("idlewatch", "WARNING")
        assert record.getMessage() == (
            "BASELINE nist-aal3: clamped IDLE_TIMEOUT from 3600.0 to 900 s, HOLD_LIMIT from 600.0 to 0 s, "
            "ABSOLUTE_TIMEOUT from None to 43200 s."
        )

    def test_answer_within_the_baseline_is_kept_without_a_word(self, settings, caplog):
        settings.IDLEWATCH = {"BASELINE": "pci-dss", "HOLD_LIMIT": 0}
        assert conf.policy_with({"IDLE_TIMEOUT": 60 * 14}).idle_timeout == 840
        assert not caplog.records

    def test_limits_of_the_site_are_clamped_too(self, settings):
        settings.IDLEWATCH = {"BASELINE": "pci-dss"}
        assert (conf.written.hold_limit, conf.policy.hold_limit) == (7200, 0)


class TestFitted:
    def test_limits_that_work_together_stand(self):
        assert fitted(Policy()) == Policy()

    def test_record_is_never_staler_than_a_tenth_of_the_idle_limit(self):
        assert fitted(Policy(idle_timeout=300)).checkpoint == 30

    def test_session_is_not_warned_from_its_start(self):
        policy = fitted(Policy(idle_timeout=60, warn_before=120))
        assert (policy.warn_before, policy.heartbeat) == (30, 15)

    def test_pages_report_before_the_warning_comes(self):
        policy = fitted(Policy(idle_timeout=20, warn_before=10, heartbeat=15))
        assert (policy.warn_before, policy.heartbeat) == (10, 5)


def test_keys_are_those_of_the_contract():
    assert set(POLICY_KEYS) < KEYS
