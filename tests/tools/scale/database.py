"""The database of a site with many sessions: users with a live session each, and the records of those that ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.tools.bench import sessions

EXPIRED = 2_000
"""Records that are older than `RETENTION_DAYS`."""
RETENTION_DAYS = 400
FIRST, LAST = "20 minutes", "390 days"
"""When the others ended: from then until then ago."""
TABLE = "idlewatch_watchedsession"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
REASON = "CASE WHEN n % 50 = 0 THEN 'revoked' WHEN n % 5 = 0 THEN 'logout' WHEN n % 7 = 0 THEN 'closed' ELSE 'idle' END"
PAST = f"""
INSERT INTO {TABLE} (id, user_id, username, session_digest, previous_digest, auth_digest, address, user_agent,
  started, signed_in, last_active, limits, facts, warnings, extensions, held_seconds, failed_attempts, ended, reason,
  ended_by_id, ended_by_name, impersonator_name, impersonator_digest)
SELECT 'past' || md5(n::text || %(salt)s)::varchar(28), u.id, u.username, md5(n::text) || md5((-n)::text),
  CASE WHEN n %% 10 = 0 THEN md5('p' || n) || md5('q' || n) ELSE '' END, md5('a' || u.id) || md5('b' || u.id),
  '192.0.2.' || n %% 256, '{AGENT}', ended - interval '1 hour', ended - interval '1 hour',
  ended - interval '15 minutes', %(limits)s::jsonb, '{{}}', n %% 3, n %% 2, 0, 0, ended, {REASON.replace("%", "%%")},
  CASE WHEN n %% 50 = 0 THEN u.id END, '', '', ''
FROM (SELECT n, now() - %(first)s::interval - n::float8 / %(count)s * (%(last)s::interval - %(first)s::interval)
        AS ended FROM generate_series(1, %(count)s) AS n) AS past
JOIN auth_user u ON u.id = %(user)s + n::bigint * 7919 %% %(users)s
"""
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexdef NOT LIKE 'CREATE UNIQUE%%'"
PRIMARY_KEY = f"{TABLE}_pkey"


def fill(count: int, records: int) -> tuple[Sequence[str], Sequence[str]]:
    """Fill a new database on PostgreSQL; return the keys and the watch ids of the live sessions."""
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    keys, watch_ids = sessions.fill(count)
    with connection.cursor() as cursor:
        # No day begins with all sign-ins at one moment.
        cursor.execute(f"UPDATE {TABLE} SET started = started - random() * interval '8 hours'")
        # Indexes that are made afterwards take a fraction of the time, and so do keys that are not looked up.
        cursor.execute(INDEXES, [TABLE])
        indexes = cursor.fetchall()
        cursor.execute(f"ALTER TABLE {TABLE} DROP CONSTRAINT {PRIMARY_KEY}")
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        cursor.execute("SET session_replication_role = replica")
        _add_past(cursor, records, FIRST, LAST, "past")
        _add_past(cursor, min(EXPIRED, records), f"{RETENTION_DAYS + 1} days", f"{RETENTION_DAYS + 9} days", "old")
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)")
        for _, definition in indexes:
            cursor.execute(definition)
        # As autovacuum does in time.
        cursor.execute("VACUUM ANALYZE")
    return keys, watch_ids


def _add_past(cursor: Any, count: int, first: str, last: str, salt: str) -> None:
    from django.contrib.auth import get_user_model
    from msgspec.json import encode

    from idlewatch.conf import conf

    users = get_user_model().objects.order_by("pk")
    values = {
        "first": first,
        "last": last,
        "count": count,
        "salt": salt,
        "limits": encode(conf.policy).decode(),
        "user": users.values_list("pk", flat=True)[0],
        "users": users.count(),
    }
    cursor.execute(PAST, values)
