from __future__ import annotations

import sys
from types import ModuleType

import pytest
from django.conf import settings as project

MODULES = {
    "session_security.middleware.SessionSecurityMiddleware": "W038",
    "django_auto_logout.middleware.auto_logout": "W039",
    "django_session_timeout.middleware.SessionTimeoutMiddleware": "W040",
}


@pytest.mark.parametrize(("path", "expected"), MODULES.items())
def test_package_that_ends_sessions_too_is_found_by_its_middleware(found, path: str, expected: str):
    (message,) = found(MIDDLEWARE=[*project.MIDDLEWARE, path]).values()
    assert message.id == f"idlewatch.{expected}"
    assert repr(path) in message.msg


def test_it_is_found_by_its_app(found, monkeypatch: pytest.MonkeyPatch, tmp_path):
    (tmp_path / "session_security").mkdir()
    (tmp_path / "session_security" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert list(found(INSTALLED_APPS=[*project.INSTALLED_APPS, "session_security"])) == ["W038"]


def test_it_is_found_by_a_middleware_that_extends_its_own(found, monkeypatch: pytest.MonkeyPatch):
    theirs = type("SessionTimeoutMiddleware", (), {"__module__": "django_session_timeout.middleware"})
    mine = ModuleType("mine")
    mine.Timeout = type("Timeout", (theirs,), {"__module__": "mine"})
    monkeypatch.setitem(sys.modules, "mine", mine)
    assert list(found(MIDDLEWARE=[*project.MIDDLEWARE, "mine.Timeout"])) == ["W040"]
