from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Iterator

import django
import pytest
from django.apps import apps
from django.core.checks import INFO, WARNING

from idlewatch.checks.extras import ASGI_SERVERS, TESTED_DJANGO
from idlewatch.conf import extras
from idlewatch.conf.extras import MODULES, Extra
from tests.support.serving import ROOT

TOKEN = "0123456789abcdefghij"
PROJECT = (ROOT / "pyproject.toml").read_text()


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Have modules look as if they were not installed."""

    def hide(*modules: str) -> None:
        for module in modules:
            monkeypatch.setitem(sys.modules, module, None)
        extras.is_installed.cache_clear()

    yield hide
    monkeypatch.undo()
    extras.is_installed.cache_clear()


@pytest.fixture
def no_drafts_app(monkeypatch: pytest.MonkeyPatch) -> None:
    really = apps.is_installed
    monkeypatch.setattr(apps, "is_installed", lambda name: name != "idlewatch.drafts" and really(name))


def test_every_extra_is_declared_in_the_project_file():
    declared = tomllib.loads(PROJECT)["project"]["optional-dependencies"]
    assert MODULES.keys() == set(Extra)
    for extra, module in MODULES.items():
        names = {re.split(r"[^\w-]", package)[0] for package in declared[extra]}
        assert module.replace("_", "-") in names
    assert declared["all"] == [f"idlewatch[{','.join(extra for extra in Extra if extra is not Extra.BROWSER)}]"]


def test_a_version_of_django_that_was_not_tested_is_a_warning(found, monkeypatch):
    monkeypatch.setattr(django, "VERSION", (6, 2, 0, "alpha", 1))
    ((identifier, message),) = found().items()
    assert (identifier, message.level) == ("W025", WARNING)
    assert "was tested with 5.2 to 6.1." in message.msg


@pytest.mark.parametrize("version", TESTED_DJANGO)
def test_versions_of_django_that_were_tested_get_no_message(found, monkeypatch, version):
    monkeypatch.setattr(django, "VERSION", (*version, 9, "final", 0))
    assert found() == {}
    assert f'"Framework :: Django :: {version[0]}.{version[1]}"' in PROJECT


@pytest.mark.parametrize(
    ("modules", "expected", "extra"),
    [
        (["cryptography"], "W026", "drafts"),
        (["prometheus_client"], "W028", "metrics"),
        (ASGI_SERVERS, "W029", "daphne"),
    ],
)
def test_a_feature_without_its_package_is_a_warning(found, without, modules, expected, extra):
    without(*modules)
    ((identifier, message),) = found().items()
    assert (identifier, message.level) == (expected, WARNING)
    assert f'pip install "idlewatch[{extra}]"' in message.hint


def test_an_age_of_drafts_without_their_app_is_a_warning(found, no_drafts_app):
    ((identifier, message),) = found(IDLEWATCH={"DRAFT_AGE": 3600}, deploy=True).items()
    assert (identifier, message.level) == ("W027", WARNING)
    assert found(IDLEWATCH={"DRAFT_AGE": 0}) == {}
    assert found(IDLEWATCH={}) == {}


def test_drafts_and_metrics_that_are_not_used_need_no_package(found, without):
    without("cryptography", "prometheus_client")
    urls = "tests.unit.checks.urls"
    assert found(ROOT_URLCONF=urls, IDLEWATCH={"DRAFT_AGE": 0}) == {}
    assert list(found(ROOT_URLCONF=urls, IDLEWATCH={"DRAFT_AGE": 0, "METRICS_TOKEN": TOKEN})) == ["W028"]


def test_devices_without_their_parser_are_mentioned_before_a_deployment(found, without):
    without("ua_parser")
    assert found() == {}
    ((identifier, message),) = found(deploy=True).items()
    assert (identifier, message.level) == ("I001", INFO)
    assert "Unknown device" in message.msg
    assert 'pip install "idlewatch[devices]"' in message.hint
    assert found(deploy=True, IDLEWATCH={"KEEP_USER_AGENT": False}) == {}
