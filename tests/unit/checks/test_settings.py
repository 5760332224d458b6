from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.checks import ERROR

from idlewatch.conf.settings import SETTINGS


def own(*_: object) -> None:
    """Be imported by a dotted path."""


def test_project_that_is_correct_gets_no_message_and_may_be_deployed(found):
    assert found() == found(deploy=True) == {}


@pytest.mark.parametrize("given", [None, 900, "IDLE_TIMEOUT", ["IDLE_TIMEOUT"], True])
def test_setting_that_is_no_dict_is_the_only_finding(found, given):
    messages = found(deploy=True, IDLEWATCH=given)
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
def test_unknown_key_is_an_error_that_suggests_the_likely_one(found, key, hint):
    (message,) = found(IDLEWATCH={key: 1}).values()
    assert (message.id, message.level) == ("idlewatch.E002", ERROR)
    assert repr(key) in message.msg
    assert str(message.hint).startswith(hint)


def test_module_that_raises_on_import_is_a_finding(found, tmp_path, monkeypatch):
    (tmp_path / "raises_on_import.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    path = "raises_on_import.thing"
    given = {"POLICY": path, "ENDED_RESPONSE": path, "CLIENT_IP": path, "STORE": {"BACKEND": path}}
    messages = found(IDLEWATCH=given, ASGI_APPLICATION=path)
    assert set(messages) == {"E013", "E016", "E020", "E021"}
    assert all("ZeroDivisionError" in message.msg for message in messages.values())


def test_everything_that_is_allowed_gets_no_message(found):
    path = f"{__name__}.own"
    given = {
        "IDLE_TIMEOUT": timedelta(minutes=10),
        "WARN_BEFORE": 60.5,
        "CLOSE_GRACE": None,
        "HOLD_LIMIT": 0,
        "POLICY": path,
        "PASSIVE_PATHS": [r"^/poll/", r"(?i:\.json)$"],
        "PASSIVE_URL_NAMES": ("public", "admin:index", "idlewatch:state"),
        "ENDED_RESPONSE": path,
        "BASELINE": "nist-aal3",
        "METRICS_TOKEN": "a-token-that-cannot-be-guessed",
        "CLIENT_IP": path,
    }
    assert found(deploy=True, IDLEWATCH=given) == {}


def test_every_default_written_out_gets_no_message(found):
    assert found(deploy=True, IDLEWATCH={key: setting.default for key, setting in SETTINGS.items()}) == {}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_value_that_cannot_be_used_is_the_one_error(found, setting):
    ((identifier, message),) = found(deploy=True, IDLEWATCH={setting.key: object()}).items()
    assert f"idlewatch.{identifier}" == message.id == setting.check
    assert (message.level, message.hint) == (ERROR, setting.hint)
    assert message.msg.startswith(f"IDLEWATCH[{setting.key!r}] is ")
    assert message.msg.endswith(f"; expected {setting.validator.expected}.")


def test_name_that_no_url_has_comes_with_the_likely_one(found):
    ((identifier, message),) = found(IDLEWATCH={"PASSIVE_URL_NAMES": ["public", "idlewatch:stat"]}).items()
    assert identifier == "W006"
    assert "'idlewatch:stat'" in message.msg
    assert message.hint == "Did you mean 'idlewatch:state'?"


@pytest.mark.parametrize("key", SETTINGS)
def test_no_value_makes_the_checks_raise(found, key):
    values = [None, True, "", "..", "\ud800", b"", [[]], [None], ["("], {}, {1: 2}, {None}, object(), 1j, own, int]
    for value in values:
        assert all(str(message) for message in found(deploy=True, IDLEWATCH={key: value}).values())


def test_one_mistake_hides_no_other(found):
    given = {"IDLE_TIMEOUT": "soon", "MAX_TABS": 0, "WARN": 1, "BASELINE": "none"}
    messages = found(deploy=True, IDLEWATCH=given, MIDDLEWARE=[], LOGIN_URL="nowhere")
    assert sorted(messages) == ["E002", "E003", "E018", "E019", "E022", "E028"]
