from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.core.checks import ERROR

from idlewatch.conf.settings import LIMITS

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
def test_limits_looser_than_the_baseline_fail_the_deployment(run, name, given, keys):
    given = {**given, "BASELINE": name}
    messages = [message for message in run(deploy=True, IDLEWATCH=given) if message.id == "idlewatch.E029"]
    assert [key for message in messages for key in LIMITS if message.msg.startswith(f"IDLEWATCH[{key!r}]")] == keys
    assert all(message.level == ERROR and name in message.msg for message in messages)
    assert not run()


@pytest.mark.rule("R33")
@pytest.mark.parametrize(("seconds", "expected"), [(0, []), (1, ["W021"]), (72000, ["W021"]), (72001, [])])
def test_drafts_that_go_sooner_than_wcag_asks_for_are_reported_before_a_deployment(found, seconds, expected):
    assert found(IDLEWATCH={"DRAFT_AGE": seconds}) == {}
    assert list(found(deploy=True, IDLEWATCH={"DRAFT_AGE": seconds})) == expected


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
def test_deviation_from_common_limits_is_reported_before_a_deployment(found, given, expected):
    messages = found(deploy=True, IDLEWATCH=given)
    assert sorted(messages) == expected
    assert all("deviation" in str(message.hint) for message in messages.values())
    assert found() == {}


@pytest.mark.rule("R22")
@pytest.mark.parametrize(("same_site", "expected"), [("None", ["W017"]), (False, ["W017"]), ("Strict", [])])
def test_cookie_that_other_sites_can_use_is_reported(found, same_site, expected):
    assert list(found(deploy=True, SESSION_COOKIE_SAMESITE=same_site)) == expected


@pytest.mark.rule("R28")
def test_a_log_that_takes_no_events_is_reported_before_a_deployment(found, caplog):
    with caplog.at_level(logging.WARNING, logger="idlewatch"):
        assert found() == {}
        assert list(found(deploy=True)) == ["W024"]


def test_signed_cookies_come_with_a_note(found):
    messages = found(deploy=True, SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
    assert list(messages) == ["W018"]
