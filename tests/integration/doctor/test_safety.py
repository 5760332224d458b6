"""What the doctor leaves alone, on sites that are right: other sessions, the site's load, and every secret."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.integration.server.visitors import Visitor
from tests.integration.site import running
from tests.support.redis_server import RedisServer
from tests.support.serving import ROOT, Server

PASSWORD = "r3disS3cret"
USER = "probe"
TIMEOUT = 100.0
RECORDS = "SELECT id, ended, limits, warnings, extensions FROM idlewatch_watchedsession WHERE id"


class GuardedRedis(RedisServer):
    """A Redis that asks for a password."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, "--requirepass", PASSWORD)

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"


class Examined(NamedTuple):
    """A site, and what came of a run of the doctor."""

    server: Server
    out: str
    err: str
    code: int
    secrets: Sequence[str]

    @property
    def findings(self) -> dict[str, str]:
        return {each["trial"]: each["outcome"] for each in json.loads(self.out)["findings"]}


def examine(server: Server, path: Path, *options: str) -> Examined:
    command = [sys.executable, "-m", "tests.integration.doctor.tapped", str(path), "--url", server.url(), *options]
    done = subprocess.run(
        command, cwd=ROOT, env=server.environ, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert path.exists(), done.stderr
    return Examined(server, done.stdout, done.stderr, done.returncode, json.loads(path.read_text()))


def rows(server: Server, query: str) -> list[Any]:
    with closing(sqlite3.connect(server.environ["DATABASE_URL"].removeprefix("sqlite:///"), timeout=20)) as database:
        return database.execute(query).fetchall()


@pytest.fixture(scope="module")
def redis_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    directory = tmp_path_factory.mktemp("guarded")
    limits = {"IDLEWATCH_IDLE_TIMEOUT": "900", "IDLEWATCH_WARN_BEFORE": "120", "IDLEWATCH_CLOSE_GRACE": "300"}
    with running(directory, redis=GuardedRedis, **limits) as site:
        Visitor(site.webs[0], USER)
        yield site


@pytest.mark.parametrize("output", [["--json"], []])
def test_no_secret_is_printed_or_logged(redis_site: Any, output: list[str], tmp_path: Path):
    server = redis_site.webs[0]
    examined = examine(server, tmp_path / "secrets", "--user", USER, *output)
    # Keys and auth hashes of probes, cookies and tokens of CSRF, and the page's token.
    assert len(examined.secrets) >= 8
    # A page's token is in the URLs of its client, as with any browser.
    log = re.sub(r"\bfor=[\w-]+", "", redis_site.log)
    for text in (examined.out, examined.err, log):
        assert not [each for each in [*examined.secrets, PASSWORD] if each in text]
    assert "foreign-origin" in examined.out
    assert " DEBUG " in examined.err


async def test_other_sessions_get_nothing_and_go_on(redis_site: Any, tmp_path: Path):
    """Those of the same account, and of others."""
    server = redis_site.webs[0]
    visitors = [Visitor(server, name) for name in (USER, "ann")]
    tabs = [await visitor.open_tab() for visitor in visitors]
    query = f"{RECORDS} NOT LIKE 'probe:%' ORDER BY id"
    before = rows(server, query)
    examined = examine(server, tmp_path / "secrets", "--user", USER, "--json")
    trials = ("activity", "activity-elsewhere", "fallback", "warning", "extension", "end")
    assert {examined.findings[trial] for trial in trials} == {"ok"}
    assert rows(server, query) == before
    for visitor, tab in zip(visitors, tabs, strict=True):
        # The answer is the first frame since the tab was opened.
        assert (await tab.ask("sync"))["phase"] == "active"
        assert visitor.get("/").status == 200
        tab.drop()
    assert rows(server, f"{RECORDS} LIKE 'probe:%' AND ended IS NULL") == []
    # One of them ended by its limits; its record has the reason that its tabs were told.
    assert rows(server, f"{RECORDS} LIKE 'probe:%' AND reason = 'idle'")


def test_a_run_sends_a_few_dozen_requests_and_takes_seconds(redis_site: Any, tmp_path: Path):
    examined = examine(redis_site.webs[0], tmp_path / "secrets", "--user", USER, "--json")
    summary = json.loads(examined.out)
    assert 20 < summary["requests"] < 120
    assert summary["seconds"] < 25
