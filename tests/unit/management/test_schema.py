"""A database from before the first release is refused by `migrate`; `make run` moves the demo's aside."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from idlewatch.management.schema import FORMER_MIGRATIONS, is_outdated
from tests.support.serving import ROOT, clean_environment, free_port

FORMER_SCHEMA = Path(__file__).with_name("former_schema.sql").read_text()


def make_former(database: Path) -> None:
    with closing(sqlite3.connect(database)) as former:
        former.executescript(FORMER_SCHEMA)


def tables(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as found:
        return {name for (name,) in found.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def manage(command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    done = [sys.executable, "manage.py", command]
    environment = clean_environment(DEBUG="1", **environ)
    return subprocess.run(done, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.server
def test_migrate_stops_with_a_sentence_of_advice_that_works(tmp_path: Path):
    database = tmp_path / "db.sqlite3"
    make_former(database)
    before = tables(database)
    done = manage("migrate", DATABASE_URL=f"sqlite:///{database}")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("CommandError: The database 'default' has tables of an unreleased idlewatch")
    assert line.endswith("and migrate again.")
    assert tables(database) == before
    with sqlite3.connect(database) as former:
        for table in sorted(each for each in tables(database) if each.startswith("idlewatch_")):
            former.execute(f"DROP TABLE {table}")
        former.execute("DELETE FROM django_migrations WHERE app = 'idlewatch'")
    former.close()
    done = manage("migrate", DATABASE_URL=f"sqlite:///{database}")
    assert done.returncode == 0, done.stderr
    assert {"idlewatch_watchedsession", "idlewatch_drafts_draft"} <= tables(database)


@pytest.mark.django_db
def test_a_present_database_is_migrated_again_and_a_former_one_refused():
    assert not is_outdated()
    call_command("migrate", verbosity=0)
    MigrationRecorder(connection).record_applied("idlewatch", "0002_draft")
    assert is_outdated()
    with pytest.raises(CommandError, match="use a new database"):
        call_command("migrate", verbosity=0)


def test_no_migration_has_a_former_name():
    names = {name for name in MigrationLoader(None).disk_migrations if name[0].startswith("idlewatch")}
    assert {app for app, _ in names} == {"idlewatch", "idlewatch_drafts"}
    assert FORMER_MIGRATIONS.isdisjoint(names)


@pytest.mark.server
class TestMakeRun:
    """What `make run` does once everything is installed: scripts/run."""

    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Path:
        """A checkout with a database of its own."""
        for name in ("project", "scripts"):
            shutil.copytree(ROOT / name, tmp_path / name)
        shutil.copy(ROOT / "manage.py", tmp_path)
        for name in ("idlewatch", "static", ".venv"):
            (tmp_path / name).symlink_to(ROOT / name)
        make_former(tmp_path / "db.sqlite3")
        return tmp_path

    def run(self, checkout: Path, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["scripts/run"],
            cwd=checkout,
            env=clean_environment(PORT=str(free_port()), **environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def test_moves_the_demo_s_database_aside_and_says_so(self, checkout: Path):
        served = self.run(checkout)
        assert served.stdout
        try:
            first = served.stdout.readline()
            rest = next(line for line in served.stdout if line.startswith("Serving"))
        finally:
            os.killpg(served.pid, signal.SIGTERM)
            served.communicate()
        [aside] = checkout.glob("db.sqlite3.old-*")
        assert first == f"db.sqlite3 has tables of an older idlewatch: it is kept as {aside.name}, and made again.\n"
        assert rest
        assert "idlewatch_keptsample" in tables(aside)
        assert "idlewatch_drafts_draft" in tables(checkout / "db.sqlite3")

    def test_stops_where_the_database_is_one_s_own(self, checkout: Path):
        own = checkout / "own.sqlite3"
        make_former(own)
        served = self.run(checkout, DATABASE_URL=f"sqlite:///{own}")
        out, err = served.communicate(timeout=60)
        assert (served.returncode, out, len(err.splitlines())) == (1, "", 1)
        assert "use a new database" in err
        assert not list(checkout.glob("*.old-*"))
