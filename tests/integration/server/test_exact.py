"""`MAX_SESSIONS_PER_USER` to the letter, however many sign in at once, and wherever."""

from __future__ import annotations

import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex
from threading import Barrier

import psycopg
import pytest

from idlewatch.core.activity import Reason
from tests.integration.server.visitors import FETCH, Visitor
from tests.integration.site import Site, running
from tests.support.postgres_server import shared_postgres
from tests.support.serving import Server

MOST, LOGINS, ROUNDS = 2, 12, 3
WITHIN = 10.0
RECORDS = """
    SELECT CASE WHEN ended IS NULL THEN 'live' ELSE reason END FROM idlewatch_watchedsession
    WHERE username = %s ORDER BY signed_in, id
"""


class Browser(Visitor):
    """A user who signs in, and whose session may be replaced before the response arrives."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.cookies: dict[str, str] = {}
        # Django's own answer, 400, is to whose session went while the answer was on its way.
        assert self.get(f"/enter/{name}/").status in {302, 400}


def sign_in_at_once(site: Site, name: str) -> list[Browser]:
    """Sign a user in from many browsers at once, on all processes."""
    barrier = Barrier(LOGINS)

    def sign_in(number: int) -> Browser:
        web = site.webs[number % len(site.webs)]
        barrier.wait()
        return Browser(web, name)

    with ThreadPoolExecutor(LOGINS) as people:
        return list(people.map(sign_in, range(LOGINS)))


def records(database: str, name: str) -> list[str]:
    """Return how each of a user's records stands, the one signed in first before the others."""
    with psycopg.connect(database) as connection:
        return [how for (how,) in connection.execute(RECORDS, [name])]


@pytest.mark.rule("R17")
def test_of_many_that_sign_in_at_once_on_several_processes_exactly_the_newest_stay(tmp_path: Path):
    database = shared_postgres().database(f"exact_{token_hex(4)}")
    limit = {"IDLEWATCH_MAX_SESSIONS_PER_USER": str(MOST), "IDLEWATCH_IDLE_TIMEOUT": "600"}
    with running(tmp_path, {}, {}, {}, database=database, **limit) as site:
        # The account itself is made once.
        Visitor(site.webs[0], "many")
        for turn in range(1, ROUNDS + 1):
            browsers = sign_in_at_once(site, "many")
            expected = ["replaced"] * (1 + LOGINS * turn - MOST) + ["live"] * MOST
            deadline = time.monotonic() + WITHIN
            while (found := records(database, "many")) != expected:
                assert time.monotonic() < deadline, found
                time.sleep(0.1)

            told = Counter(standing(browser, site) for browser in browsers)
            assert told == {"live": MOST, "replaced": LOGINS - MOST}
            assert records(database, "many") == expected
        # Two threads may write into one line.
        announced = Counter(re.findall(rf"announced ([\w-]{{22}}) ({'|'.join(Reason)})", site.log))
        assert len(announced) == 1 + LOGINS * ROUNDS - MOST
        assert set(announced.values()) == {1}
        assert {reason for _, reason in announced} == {"replaced"}
        assert not re.search(r'" 500 | ERROR ', site.log)


def standing(browser: Browser, site: Site) -> str:
    """Return how a browser's session stands, for every process alike."""
    if not browser.key:
        return "replaced"
    cookies, found = dict(browser.cookies), set()
    for web in site.webs:
        browser.server, browser.cookies = web, dict(cookies)
        answer = browser.get("/demo/clock/", FETCH)
        found.add("live" if answer.status == 200 else answer.headers["Idlewatch-Ended"])
    (how,) = found
    return str(how)
