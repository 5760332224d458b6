"""A site whose requests are transactions: some views must not be enclosed in one."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections
from django.test import Client

from idlewatch import urls
from idlewatch.decorators import outside_transactions

TOKEN = "a-token-that-cannot-be-guessed"


@pytest.fixture(autouse=True)
def atomic_requests(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


def test_health_does_not_depend_on_the_database():
    there = type(connections[DEFAULT_DB_ALIAS])
    with mock.patch.object(there, "ensure_connection", side_effect=OperationalError("no such host")):
        assert Client().get("/healthz").status_code == 200


def test_readiness_and_metrics_are_shown(settings: Any):
    assert set(Client().get("/readyz").json()) == {"ready", "problems"}
    settings.IDLEWATCH = {"METRICS_TOKEN": TOKEN}
    assert Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_view_is_kept_from_the_transactions_of_every_database(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(connections.settings, "people", connection.settings_dict)

    @outside_transactions
    def view(request: object) -> None: ...

    assert view._non_atomic_requests == {"default", "people"}  # type: ignore[attr-defined]


def test_no_view_that_writes_is_in_one():
    """Under REPEATABLE READ it would be refused what others write to the same record."""
    enclosed = {
        each.name for each in urls.urlpatterns if "default" not in getattr(each.callback, "_non_atomic_requests", ())
    }
    # They write no more than what waits for the commit.
    assert enclosed == {"logout", "page"}
