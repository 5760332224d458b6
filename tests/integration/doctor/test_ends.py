"""How probes end where the doctor does not run to its end, on real sites."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import pytest

from tests.integration.server.visitors import FETCH, Visitor
from tests.integration.site import Site, until
from tests.support.serving import ROOT, Server

LIVE = "SELECT id FROM idlewatch_watchedsession WHERE id LIKE 'probe:%' AND ended IS NULL AND username = ?"
ENDED = "SELECT reason FROM idlewatch_watchedsession WHERE id LIKE 'probe:%' AND ended IS NOT NULL AND username = ?"
SESSIONS = "SELECT session_key FROM django_session WHERE session_key NOT IN (SELECT ?)"
ABANDON = """
import json, sys
from django.contrib.auth.models import User
from msgspec.structs import replace
from idlewatch.monitor import probes
from idlewatch.process import now
limits = replace(probes.limits(idle_timeout=60, warn_before=10), absolute_timeout=LIFETIME)
probe = probes.begin(User.objects.get(username=NAME), limits, now())
print(json.dumps(dict(probe.cookies)))
"""
"""Begins a probe of which the process knows nothing more, as one that is killed."""
LIFETIME = 10
WITHIN = 30.0
"""Seconds until the end of a probe that no process has seen is recorded: records are compared every 15 seconds."""


def ask(server: Server, query: str, *values: str) -> list[str]:
    path = server.environ["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=20)) as database:
        return [row[0] for row in database.execute(query, values)]


def account(server: Server, name: str) -> str:
    """Make an account, without a session."""
    visitor = Visitor(server, name)
    assert visitor.post("/accounts/logout/").status == 302
    return name


@contextmanager
def doctor(server: Server, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the doctor until it has a probe of this account."""
    command = [sys.executable, "manage.py", "idlewatch", "doctor", "--url", server.url(), "--user", name]
    # As in a terminal: in the background, interrupts may be ignored.
    ready = {"preexec_fn": lambda: [signal.signal(each, signal.SIG_DFL) for each in (signal.SIGINT, signal.SIGHUP)]}
    process = subprocess.Popen(
        command, cwd=ROOT, env=server.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **ready
    )
    try:
        until(lambda: ask(server, LIVE, name), within=WITHIN)
        yield process
        process.communicate(timeout=WITHIN)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it(shared: Server, how: signal.Signals):
    name = account(shared, f"stopped-{how.value}")
    with doctor(shared, name) as process:
        process.send_signal(how)
    assert process.returncode == 128 + how
    assert ask(shared, LIVE, name) == []
    assert ask(shared, ENDED, name)
    assert ask(shared, SESSIONS, "") == []


def test_so_does_a_reader_that_has_seen_enough(shared: Server):
    name = account(shared, "headed")
    with doctor(shared, name) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
    assert process.returncode == 2
    assert ask(shared, LIVE, name) == []
    assert ask(shared, SESSIONS, "") == []


def abandon(server: Server, name: str) -> Mapping[str, str]:
    """Begin a probe that nothing ends, with a life of seconds; return its cookie."""
    program = ABANDON.replace("LIFETIME", str(LIFETIME)).replace("NAME", repr(name))
    return json.loads(server.manage("shell", "-c", program).splitlines()[-1])  # type: ignore[no-any-return]


def use(server: Server, cookies: Mapping[str, str]) -> int:
    visitor = Visitor(server)
    visitor.cookies.update(cookies)
    return visitor.get("/idlewatch/state/", FETCH).status


@pytest.mark.parametrize("store", ["memory", "redis"])
def test_one_whose_doctor_was_killed_is_over_by_its_limits(store: str, request: pytest.FixtureRequest):
    """Both where a process of the site has seen it, and where none has."""
    server: Server = request.getfixturevalue("server") if store == "memory" else one_of(request.getfixturevalue("site"))
    names = [account(server, name) for name in ("unused", "used")]
    cookies = {name: abandon(server, name) for name in names}
    assert use(server, cookies["used"]) == 200
    until(lambda: ask(server, ENDED, "used"), within=LIFETIME + WITHIN)
    until(lambda: ask(server, ENDED, "unused"), within=WITHIN)
    assert {*ask(server, ENDED, "used"), *ask(server, ENDED, "unused")} == {"absolute"}
    # Of the one that no process has seen, none knows the key: its session expires.
    until(lambda: ask(server, SESSIONS, "") == list(cookies["unused"].values()))
    assert [use(server, each) for each in cookies.values()] == [401, 401]


def one_of(site: Site) -> Server:
    return site.webs[0]
