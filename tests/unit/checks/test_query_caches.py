"""Packages that answer queries from a cache of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project

ALL = {"ops": "all", "timeout": 60}


@pytest.fixture
def install(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Install an app that has a package's name."""

    def install(package: str) -> None:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path)
        settings.INSTALLED_APPS = [*project.INSTALLED_APPS, package]

    return install


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["E055"]),
        ({"CACHALOT_UNCACHABLE_TABLES": ["idlewatch_watchedsession"]}, ["E055"]),
        ({"CACHALOT_ONLY_CACHABLE_APPS": ["auth", "idlewatch"]}, ["E055"]),
        ({"CACHALOT_UNCACHABLE_APPS": ["idlewatch"]}, []),
        ({"CACHALOT_ONLY_CACHABLE_TABLES": ["auth_user"]}, []),
        ({"CACHALOT_ENABLED": False}, []),
    ],
)
def test_cachalot_on_the_tables_of_idlewatch_is_an_error(found, install, changes: dict[str, Any], expected: list[str]):
    install("cachalot")
    messages = found(**changes)
    assert list(messages) == expected
    assert all("CACHALOT_UNCACHABLE_APPS" in message.hint for message in messages.values())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"CACHEOPS": {"*.*": ALL}}, ["E056"]),
        ({"CACHEOPS": {"IDLEWATCH.WatchedSession": ALL}}, ["E056"]),
        ({"CACHEOPS": {"*.*": {"timeout": 60}}, "CACHEOPS_DEFAULTS": {"ops": {"get"}}}, ["E056"]),
        ({"CACHEOPS": {"*.*": ALL, "idlewatch.*": None}}, []),
        ({"CACHEOPS": {"auth.user": ALL, "*.*": {"timeout": 60}}}, []),
        ({"CACHEOPS": {"*.*": ALL}, "CACHEOPS_ENABLED": False}, []),
        ({}, []),
    ],
)
def test_cacheops_on_the_models_of_idlewatch_is_an_error(found, install, changes: dict[str, Any], expected: list[str]):
    install("cacheops")
    messages = found(**changes)
    assert list(messages) == expected
    assert all("'idlewatch.*': None" in message.hint for message in messages.values())


def test_their_settings_alone_are_none(found):
    assert not found(CACHEOPS={"*.*": ALL}, CACHALOT_ENABLED=True)
