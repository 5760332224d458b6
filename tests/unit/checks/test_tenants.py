"""State that a middleware sets for each request is found before sockets and the timer fail for want of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User, UserManager
from django.db.models import QuerySet

DJANGO = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"]


class NeedsTenant:
    """A router that asks for the tenant of the request."""

    def db_for_read(self, model: type, **_: object) -> str:
        raise LookupError("no tenant")


class ScopedManager(UserManager):
    def get_queryset(self) -> QuerySet:
        raise LookupError("no scope")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"TENANT_APPS": ["shop", "idlewatch.apps.IdleWatchConfig"]}, "'idlewatch'"),
        ({"TENANT_APPS": ["idlewatch.drafts"]}, "'idlewatch.drafts'"),
        ({"TENANT_APPS": DJANGO}, "'django.contrib.auth', 'django.contrib.sessions'"),
        ({"TENANTS": {"public": {"APPS": []}, "default": {"APPS": ["idlewatch"]}}}, "'idlewatch'"),
    ],
)
def test_tables_that_each_tenant_has_are_an_error(found: Any, settings: Any, changes: dict[str, Any], named: str):
    messages = found(**changes)
    assert list(messages) == ["E050"]
    assert named in messages["E050"].msg
    assert "SHARED_APPS" in messages["E050"].hint


@pytest.mark.parametrize(
    "changes",
    [
        {"TENANT_APPS": ["shop", "nowhere"], "SHARED_APPS": ["idlewatch", *DJANGO]},
        {"TENANTS": {"public": {"APPS": ["idlewatch", *DJANGO]}, "default": {"APPS": ["shop"]}}},
        {"TENANT_APPS": ["django.contrib.sessions"], "SESSION_ENGINE": "django.contrib.sessions.backends.cache"},
    ],
)
def test_shared_tables_are_fine(found: Any, settings: Any, changes: dict[str, Any]):
    assert found(**changes) == {}


def test_a_router_that_needs_a_request_is_an_error(run: Any):
    messages = run(DATABASE_ROUTERS=[f"{__name__}.NeedsTenant"])
    assert {message.id for message in messages} == {"idlewatch.E051"}
    assert any("idlewatch.WatchedSession" in message.msg and "no tenant" in message.msg for message in messages)


@pytest.mark.parametrize(("kind", "is_needed"), [("base_manager", True), ("default_manager", False)])
def test_so_is_the_base_manager_of_users(found: Any, monkeypatch: pytest.MonkeyPatch, kind: str, is_needed: bool):
    manager = ScopedManager()
    manager.model = User
    monkeypatch.setitem(vars(User._meta), kind, manager)
    messages = found()
    assert ("E051" in messages) == is_needed
    assert not is_needed or "no scope" in messages["E051"].msg
