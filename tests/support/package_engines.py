"""Session engines as packages have them: for a session that is gone, their key is not None."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from django.contrib.sessions.backends import db


class KeepingKeys(db.SessionStore):
    """That of django-redis-sessions keeps the key."""

    def load(self) -> dict[str, Any]:
        key, data = self.session_key, super().load()
        self._session_key = key
        return data


class MakingKeys(db.SessionStore):
    """That of django-user-sessions makes another session."""

    def load(self) -> dict[str, Any]:
        data = super().load()
        if self.session_key is None:
            self.create()
        return data


@pytest.fixture(params=[KeepingKeys, MakingKeys])
def package_engine(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Install one of them."""
    engine = ModuleType("engine_of_a_package")
    vars(engine)["SessionStore"] = request.param
    monkeypatch.setitem(sys.modules, engine.__name__, engine)
    settings.SESSION_ENGINE = engine.__name__
    return engine.__name__
