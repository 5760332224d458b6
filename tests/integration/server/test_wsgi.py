from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.integration.conftest import on
from tests.support.serving import ROOT, migrated

SERVE = """
import time
from io import BytesIO
from project.wsgi import application

def call(path):
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80",
               "wsgi.url_scheme": "http", "wsgi.input": BytesIO()}
    list(application(environ, lambda status, headers: print(status)))

call("/enter/steady/")

from idlewatch.monitor import stores
from idlewatch.process import current_process, now
from idlewatch.core.events import Extended
from idlewatch.models import WatchedSession
from idlewatch.runtime.runtime import running_runtime

deadline = time.monotonic() + 5
while not ((runtime := running_runtime(current_process())) and runtime.timer.owns_store):
    assert time.monotonic() < deadline
    time.sleep(0.02)
stores.current().sessions.apply(WatchedSession.objects.get().pk, Extended(), now())
"""


def test_a_process_that_ends_writes_down_how_far_the_sessions_came(tmp_path: Path):
    database = Path(shutil.copy(migrated(), tmp_path / "db.sqlite3"))
    environ = on(database, tmp_path).environ
    done = subprocess.run(
        [sys.executable, "-c", SERVE], env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "302 Found\n"), done.stderr
    assert "Traceback" not in done.stderr
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT extensions FROM idlewatch_watchedsession").fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM idlewatch_storeowner").fetchone() == (0,)
