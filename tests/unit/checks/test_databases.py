from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as project
from django.db import router as routers
from django.db.models import Model


class Listed:
    """A router that lets only the apps be migrated that it lists, as many projects have one."""

    def allow_migrate(self, db: str, app_label: str, **_: object) -> bool | None:
        return None if app_label in {"auth", "sessions"} else False


class Apart:
    """A router that keeps the sessions and what is recorded of them elsewhere."""

    def __init__(self, *apps: str) -> None:
        self.apps = apps

    def db_for_write(self, model: type[Model], **_: object) -> str | None:
        return "audit" if model._meta.app_label in self.apps else None


SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        (SQLITE | {"ATOMIC_REQUESTS": True}, ["W054"]),
        (SQLITE | {"ATOMIC_REQUESTS": True, "OPTIONS": {"transaction_mode": "DEFERRED"}}, ["W054"]),
        (SQLITE | {"ATOMIC_REQUESTS": True, "OPTIONS": {"transaction_mode": "immediate"}}, []),
        (SQLITE, []),
        ({"ENGINE": "django.db.backends.postgresql", "ATOMIC_REQUESTS": True}, []),
        (None, []),
    ],
)
def test_transactions_of_views_that_can_not_wait_for_the_timer_are_found(
    found: Any, monkeypatch: pytest.MonkeyPatch, database: object, expected: list[str]
):
    # pytest-django's settings would warn of it.
    monkeypatch.setattr(project, "DATABASES", {"default": database})
    assert list(found()) == expected


@pytest.mark.parametrize(
    ("router", "expected"),
    [(Listed(), "E060"), (Apart("idlewatch"), "E061"), (Apart("sessions"), None), (Apart("idlewatch", "auth"), None)],
)
def test_a_router_that_parts_what_belongs_together_is_found(
    found: Any, monkeypatch: pytest.MonkeyPatch, router: Any, expected: str | None
):
    monkeypatch.setattr(routers, "routers", [router])
    assert list(found()) == ([] if expected is None else [expected])
