"""Checks of the databases: tables exist where routers send their rows, and writers wait for each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import Error, Warning  # noqa: A004 - Django's own names
from django.db import DEFAULT_DB_ALIAS, router
from django.db.models import Model

from idlewatch.checks.registry import Messages, check
from idlewatch.models import WatchedSession

WRITING_MODES = frozenset({"IMMEDIATE", "EXCLUSIVE"})
"""Modes in which SQLite waits for other writers when a transaction begins."""


@check()
def tables_are_migrated() -> Messages:
    """Check that `migrate` makes the tables in the database where routers send their rows."""
    for model in _models():
        database = _database_of(model)
        if database is not None and not router.allow_migrate_model(database, model):
            message = (
                f"DATABASE_ROUTERS write {model._meta.label} to {database!r}, and do not let it be migrated there; "
                "expected both to agree."
            )
            hint = "`migrate` then reports success and makes no table, and no user can sign in."
            yield Error(message, hint=hint, id="idlewatch.E060")


@check()
def records_are_beside_the_users() -> Messages:
    """Check that records are in the database of the users, to whom they have foreign keys."""
    records, users = _database_of(WatchedSession), _database_of(get_user_model())
    if records is not None and users is not None and records != users:
        message = (
            f"DATABASE_ROUTERS write {WatchedSession._meta.label} to {records!r} and {get_user_model()._meta.label} to "
            f"{users!r}; expected the same database."
        )
        hint = "A record has a foreign key to its user. Sessions themselves may be elsewhere."
        yield Error(message, hint=hint, id="idlewatch.E061")


@check()
def views_can_write_beside_the_timer() -> Messages:
    """Check that the transaction of a view on SQLite begins as that of a writer: a reader can't always become one."""
    alias = _database_of(WatchedSession) or DEFAULT_DB_ALIAS
    databases = settings.DATABASES if isinstance(settings.DATABASES, Mapping) else {}
    database = databases.get(alias)
    if not isinstance(database, Mapping) or database.get("ENGINE") != "django.db.backends.sqlite3":
        return
    options = database.get("OPTIONS")
    mode = options.get("transaction_mode") if isinstance(options, Mapping) else None
    if database.get("ATOMIC_REQUESTS") and str(mode).upper() not in WRITING_MODES:
        message = (
            f"DATABASES[{alias!r}] is SQLite with ATOMIC_REQUESTS, and its 'transaction_mode' is {mode!r}; expected "
            "'IMMEDIATE' in OPTIONS."
        )
        hint = (
            "The timer writes once a second. If it does so between the reads and the writes of a view, as most "
            "sign-ins have them, the view fails with “database is locked”."
        )
        yield Warning(message, hint=hint, id="idlewatch.W054")


def _models() -> Iterator[type[Model]]:
    """Yield the models that have a table of their own."""
    for label in ("idlewatch", "idlewatch_drafts"):
        if label in apps.app_configs:
            yield from (model for model in apps.get_app_config(label).get_models() if not model._meta.proxy)


def _database_of(model: type[Model]) -> str | None:
    try:
        return router.db_for_write(model)
    except Exception:  # noqa: BLE001 - another check reports a router that needs a request
        return None
