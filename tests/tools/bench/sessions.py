"""A database of signed-in users, each with one watched session; `python -m tests.tools.bench.sessions` fills it."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tests.support.serving import ROOT, clean_environment, migrated

SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "tests.tools.bench.settings",
    "DEBUG": "0",
    "SECURE": "0",
    "SECRET_KEY": "for benchmarks alone, and long enough to raise no objection",
    "IDLEWATCH_IDLE_TIMEOUT": "86400",
    "IDLEWATCH_ABSOLUTE_TIMEOUT": "none",
}
"""No session ends while a run lasts."""
WARM_UP_TABS = 50
"""Sessions beside those that are measured: what a process loads for its first tabs is no cost of the later ones."""
BATCH_SIZE = 500
AGE = 3600.0
"""Seconds since the last sign-in: the first checks of sessions that go on after a restart are spread over time."""
SIGN_IN_INTERVAL = 0.001
"""Seconds from one sign-in to the next: an index by their time must not have all sessions in one place."""


class Sessions(NamedTuple):
    """A database, and what its sessions are found by."""

    database: Path
    keys: Sequence[str]
    listing: Path
    """A file with the keys and the watch ids, for servers that are to know them."""

    def environment(self, copy: Path) -> Mapping[str, str]:
        """Return the environment of a server with a copy of the database, which others don't write to."""
        for journal in ("-wal", "-shm"):
            # A server that was killed left it, and SQLite would play it into the new file.
            copy.with_name(copy.name + journal).unlink(missing_ok=True)
        shutil.copy(self.database, copy)
        return clean_environment(
            **SETTINGS, DATABASE_URL=f"sqlite:///{copy}", BENCH_SESSIONS=str(self.listing), PYTHONPATH=str(ROOT)
        )


def make_sessions(directory: Path, count: int, lead: float = 0.0, **limits: str) -> Sessions:
    """Make a database with so many sessions under other limits, and those for warming up.

    Their users will have been active at a moment that is `lead` seconds away.
    """
    database, listing = directory / "sessions.sqlite3", directory / "sessions.json"
    shutil.copy(migrated(), database)
    subprocess.run(
        [sys.executable, "-m", "tests.tools.bench.sessions", str(count + WARM_UP_TABS), str(listing), str(lead)],
        cwd=ROOT,
        env=clean_environment(**SETTINGS | limits, DATABASE_URL=f"sqlite:///{database}"),
        check=True,
    )
    return Sessions(database, json.loads(listing.read_text())["keys"], listing)


def fill(count: int, lead: float = 0.0) -> tuple[Sequence[str], Sequence[str]]:
    """Sign so many users in, in bulk, the last one an operator; return their session keys and watch ids."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session
    from django.utils import timezone
    from msgspec import to_builtins
    from msgspec.structs import replace

    from idlewatch.conf import conf
    from idlewatch.core.activity import Activity
    from idlewatch.core.clock import as_datetime
    from idlewatch.core.policy import Policy
    from idlewatch.models import WatchedSession
    from idlewatch.monitor import checkpoints, django_sessions
    from idlewatch.store.values import Watched

    # Short limits would have the sessions checked every few seconds.
    policy = replace(conf.policy, checkpoint=max(conf.checkpoint, Policy().checkpoint))
    users = get_user_model().objects
    users.bulk_create((users.model(username=f"user{number}", password="!") for number in range(count - 1)), BATCH_SIZE)
    users.create_superuser("operator")
    now = timezone.now() + timedelta(seconds=lead)
    expires = now + timedelta(days=14)
    sessions, records = [], []
    for number, user in enumerate(users.order_by("pk")):
        at = now.timestamp()
        signed_in = at - AGE - number * SIGN_IN_INTERVAL
        key, watch_id = secrets.token_hex(16), secrets.token_urlsafe(16)
        data = {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
            HASH_SESSION_KEY: user.get_session_auth_hash(),
            django_sessions.WATCH_KEY: watch_id,
            django_sessions.SIGNED_IN_KEY: signed_in,
            "_session_security": datetime.now().isoformat(),  # noqa: DTZ005 - as the peer has it
        }
        sessions.append(Session(session_key=key, session_data=SessionStore().encode(data), expire_date=expires))
        watched = Watched(
            id=watch_id, user=str(user.pk), policy=policy, activity=Activity(logged_in_at=signed_in, active=at)
        )
        records.append(
            WatchedSession(
                id=watch_id,
                user=user,
                username=user.get_username(),
                session_digest=django_sessions.digest(key),
                auth_digest=django_sessions.auth_digest(user.get_session_auth_hash()),
                started=as_datetime(signed_in),
                signed_in=as_datetime(signed_in),
                limits=to_builtins(policy),
                **checkpoints.progress_of(watched, at),
            )
        )
    Session.objects.bulk_create(sessions, BATCH_SIZE)
    WatchedSession.objects.bulk_create(records, BATCH_SIZE)
    return [session.session_key for session in sessions], [record.pk for record in records]


def main(count: str, listing: str, lead: str) -> None:
    """Fill the database of the environment."""
    import django
    from django.db import connection

    django.setup()
    keys, watch_ids = fill(int(count), float(lead))
    with connection.cursor() as cursor:
        # The file alone is copied.
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    Path(listing).write_text(json.dumps({"keys": keys, "watch_ids": watch_ids}))


if __name__ == "__main__":
    main(*sys.argv[1:])
