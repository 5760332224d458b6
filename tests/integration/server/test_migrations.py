"""Migrations on PostgreSQL of a table that is written to all the time."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

from tests.support.postgres_server import shared_postgres
from tests.support.serving import run_program

PROGRAM = """
import json, os
os.environ.update(DATABASE_URL={database!r}, ISOLATION="READ_COMMITTED", ENGINE="db")
import django; django.setup()
import threading, time
from django.core.management import call_command
from django.db import OperationalError, connection, connections, transaction
from idlewatch.core.clock import as_datetime
from idlewatch.models import WatchedSession

INDEX = "idlewatch_reason_started"
found = {{}}

def index():
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [INDEX])
        return cursor.fetchall()

def migrate(name):
    call_command("migrate", "idlewatch", name, verbosity=0)
    connections.close_all()

def is_waited_for():
    with connection.cursor() as cursor:
        cursor.execute("SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return any(INDEX in query for query, in cursor.fetchall())

def write_while(migrating, name):
    "Write in another transaction while the migration waits for the end of this one."
    entered, go_on = threading.Event(), threading.Event()
    def work_on():
        with transaction.atomic():
            WatchedSession.objects.update(warnings=1)
            entered.set()
            go_on.wait(30)
        connections.close_all()
    working = threading.Thread(target=work_on)
    working.start()
    entered.wait(30)
    thread = threading.Thread(target=migrating, args=[name])
    thread.start()
    while not is_waited_for():
        time.sleep(0.01)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '1s'")
    try:
        WatchedSession.objects.create(id=name, username="", started=at, signed_in=at, last_active=at, limits={{}})
        return True
    except OperationalError:
        return False
    finally:
        go_on.set()
        working.join()
        thread.join()

at = as_datetime(1.9e9)
call_command("migrate", verbosity=0)
found["written while it is removed"] = write_while(migrate, "0001")
found["removed"] = index()
found["written while it is made"] = write_while(migrate, "0002")
found["made"] = index()
# As a migration leaves it that was stopped.
call_command("migrate", "idlewatch", "0001", verbosity=0, fake=True)
with connection.cursor() as cursor:
    cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(%s)", [INDEX])
migrate("0002")
found["made again"] = index()
migrate("0001")
with transaction.atomic():
    call_command("migrate", "idlewatch", verbosity=0)
found["made in a transaction"] = index()
with connection.cursor() as cursor:
    # Each index is written with each checkpoint.
    cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'idlewatch_watchedsession'")
    indexes = [sql for sql, in cursor.fetchall()]
    found["used by no query"] = [sql for sql in indexes if "pattern_ops" in sql or "(user_id)" in sql]
    found["without what is empty"] = [sql for sql in indexes if "WHERE" in sql]
    found["with what is empty"] = [sql for sql in indexes if sql.endswith(("_digest)", "_by_id)", "or_id)"))]
print(json.dumps(found))
"""


def test_an_index_is_made_and_removed_beside_writes_also_after_it_was_left_unfinished():
    database = shared_postgres().database(f"migrated_{token_hex(4)}")
    found: dict[str, Any] = run_program(PROGRAM.format(database=database), "tests.support.isolated")
    assert len(found.pop("without what is empty")) == 3
    (key,) = found.pop("with what is empty")
    assert "(session_digest)" in key
    assert found == {
        "written while it is removed": True,
        "removed": [],
        "written while it is made": True,
        "made": [[True]],
        "made again": [[True]],
        "made in a transaction": [[True]],
        "used by no query": [],
    }
