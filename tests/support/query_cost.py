"""Measures what a database reads for each question that a request or a round asks, in a table without statistics.

Run as `python -m tests.support.query_cost`; prints for each question what it reads among few rows, and among many.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.support.serving import ROOT, clean_environment

FEW, DOUBLINGS = 1_000, 7
"""Rows at first, and how often they are doubled: PostgreSQL reads a smaller table by an index in any case."""
SLACK = 200
"""Rows, or hundreds of steps of SQLite, by which a question may read more among many: levels of an index."""
USERS = 50
LIVE_EVERY = 20
"""One record in so many is of a live session."""
KNOWN = "the-key-of-record-7"


def measure(database: str) -> dict[str, tuple[int, int]]:
    """Measure on a database, as `cost_settings` names it; return what each question reads among few rows and many."""
    command = [sys.executable, "-m", "tests.support.query_cost"]
    environ = clean_environment(DJANGO_SETTINGS_MODULE="tests.support.cost_settings", COST_DATABASE=database)
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return {question: (few, many) for question, (few, many) in json.loads(done.stdout).items()}


def growing(costs: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Return the questions whose cost grows with the number of rows."""
    return {question: (few, many) for question, (few, many) in costs.items() if many > 2 * few + SLACK}


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    _without_statistics()
    _fill()
    costs = {question: [_read_by(ask)] for question, ask in _questions().items()}
    for letter in "abcdefghijklmnopqrstuvwxyz"[:DOUBLINGS]:
        _double(letter)
    for question, ask in _questions().items():
        costs[question].append(_read_by(ask))
    print(json.dumps(costs))


def _without_statistics() -> None:
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for table in ("idlewatch_watchedsession", "idlewatch_drafts_draft"):
                cursor.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")


def _fill() -> None:
    from django.contrib.auth.models import User
    from django.utils import timezone

    from idlewatch.drafts.models import Draft
    from idlewatch.models import WatchedSession
    from idlewatch.monitor import django_sessions

    User.objects.bulk_create(User(username=f"user{number}", password="x") for number in range(USERS))
    users, now = list(User.objects.order_by("pk")), timezone.now()
    records, drafts = [], []
    for number in range(FEW):
        user, began = users[number % USERS], now - timedelta(minutes=number)
        is_live = number % LIVE_EVERY == 0
        records.append(
            WatchedSession(
                id=f"w{number}",
                user=user,
                username=user.username,
                session_digest=django_sessions.digest(KNOWN if number == 7 else f"key{number}"),
                started=began,
                signed_in=began,
                last_active=began,
                limits={},
                ended=None if is_live else began,
                reason="" if is_live else "idle",
            )
        )
        draft = Draft(user=user, page_digest=f"p{number}", form="f", kind="draft", ciphertext="x", saved_at=now)
        drafts.append(draft)
    WatchedSession.objects.bulk_create(records, batch_size=500)
    Draft.objects.bulk_create(drafts, batch_size=500)


def _double(letter: str) -> None:
    """Add a copy of each row that is past, and of another user than the one who is asked about."""
    from django.db import connection

    from idlewatch.drafts.models import Draft
    from idlewatch.models import WatchedSession

    joined = "CONCAT('{}', SUBSTR({}, 1, {}))" if connection.vendor == "mysql" else "'{}' || SUBSTR({}, 1, {})"
    other = f"CASE WHEN user_id = {_user().pk} THEN user_id + 1 ELSE user_id END"
    digest = joined.format(letter, "session_digest", 63)
    record = {"id": joined.format(letter, "id", 31), "session_digest": digest, "ended": "started", "reason": "'idle'"}
    draft = {"page_digest": joined.format(letter, "page_digest", 63)}
    for model, changed in ((WatchedSession, record), (Draft, draft)):
        columns = [field.column for field in model._meta.concrete_fields if field.column != "id" or "id" in changed]
        values = [{"user_id": other, **changed}.get(column, column) for column in columns]
        table = model._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table}")


def _user() -> Any:
    from django.contrib.auth.models import User

    return User.objects.get(username="user40")


def _questions() -> dict[str, Callable[[], Any]]:
    """Return what is asked, by a name that says when."""
    from idlewatch.core.activity import Reason
    from idlewatch.doctor.backends import replicas
    from idlewatch.doctor.sections import database
    from idlewatch.drafts import service as drafts
    from idlewatch.models import WatchedSession
    from idlewatch.monitor import attempts, login, record_keys, records, resumption
    from idlewatch.process import now
    from idlewatch.runtime import membership

    at = now()
    user = _user()
    mine = WatchedSession.objects.filter(user=user).values_list("pk", flat=True)[0]
    objects = WatchedSession.objects
    middle = objects.get(pk=f"w{FEW // 2}")
    part = (middle.started - timedelta(minutes=100), ""), (middle.started, middle.pk)
    return {
        "an unknown cookie": lambda: record_keys.find_by_key("unknown-key"),
        "the cookie of a session that ended": lambda: record_keys.find_by_key(KNOWN),
        "whether an unknown session was succeeded": lambda: record_keys.was_succeeded("unknown-key"),
        "a record": lambda: objects.find(mine),
        "an unknown record": lambda: objects.find("unknown-key"),
        "a page of active sessions, or a user who is deleted": lambda: list(objects.live().used_by(user.pk)),
        "other sessions after a new password": lambda: records.count_others(str(user.pk), mine, at - 60),
        "what the user revoked": lambda: records.revoked_by(user.pk, {mine: at}),
        "the sessions beyond the limit": lambda: login._replace_oldest(user, at),
        "an attempt at a password": lambda: attempts.count(mine, 5, 60.0, at),
        "failed attempts": lambda: attempts.count_failed(mine, 60.0, at),
        "the end of an attempt": lambda: attempts.reset(mine),
        "a new key": lambda: (record_keys.expect_rotation(mine), record_keys.rebind(mine, "new", "x")),
        "an end": lambda: records.close(mine, Reason.LOGOUT, at),
        "a draft": lambda: drafts.save(user, "/page/", "f", [("note", "text")], at),
        "the drafts of a page": lambda: drafts.find(user, "/page/", at),
        "whether there is a rejected form": lambda: drafts.has_rejected_form(user, at),
        "no draft": lambda: drafts.delete(user, "/other/", "f"),
        "what others ended, once a round": lambda: membership._take_over(at, at),
        "unknown sessions, in a round": lambda: resumption.live_after(None),
        "all live sessions, from the middle": lambda: resumption.live_after((middle.started, middle.pk)),
        "where a part of the live sessions ends": lambda: resumption._places_after((middle.started, middle.pk), 1),
        "a part of the live sessions": lambda: resumption._read_part(resumption._encode_range(part).decode()),
        "a batch of checks": lambda: objects.in_bulk([mine]),
        "what is overdue, for the doctor": lambda: database._find_overdue(at),
        "the latest accounts and records, for the doctor": lambda: replicas._newest("default"),
    }


def _read_by(ask: Callable[[], Any]) -> int:
    """Return how many rows the database reads for a question; with SQLite, the hundreds of steps of its machine."""
    from django.db import connection, transaction

    with transaction.atomic():
        before = _read(connection)
        steps = _counted_steps(connection) if connection.vendor == "sqlite" else [0]
        ask()
        if connection.vendor == "sqlite":
            connection.connection.set_progress_handler(None, 0)
        after = _read(connection)
        transaction.set_rollback(True)
    return steps[0] + after - before


def _counted_steps(connection: Any) -> list[int]:
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    connection.connection.set_progress_handler(count, 100)
    return steps


def _read(connection: Any) -> int:
    if connection.vendor == "postgresql":
        question = (
            "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables WHERE relname LIKE 'idlewatch%%'"
        )
    elif connection.vendor == "mysql":
        question = (
            "SELECT sum(VARIABLE_VALUE) FROM information_schema.SESSION_STATUS"
            " WHERE VARIABLE_NAME IN ('HANDLER_READ_NEXT', 'HANDLER_READ_PREV', 'HANDLER_READ_FIRST',"
            " 'HANDLER_READ_RND_NEXT', 'HANDLER_READ_KEY', 'HANDLER_READ_LAST', 'HANDLER_READ_RND')"
        )
    else:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(question)
        return int(cursor.fetchone()[0])


if __name__ == "__main__":
    main()
