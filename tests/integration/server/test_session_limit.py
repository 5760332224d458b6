"""`MAX_SESSIONS_PER_USER` to the letter, however many sign in at once, and wherever."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex
from threading import Barrier

import psycopg
import pytest

from tests.integration.server.visitors import FETCH, Visitor
from tests.integration.site import Site, running, until
from tests.support.postgres_server import shared_postgres

LIMIT, LOGINS, ROUNDS = 2, 12, 3
RECORDS = """
    SELECT CASE WHEN ended IS NULL THEN 'live' ELSE reason END FROM idlewatch_watchedsession
    WHERE username = 'many' ORDER BY signed_in, id
"""


def sign_in_at_once(site: Site) -> list[Visitor]:
    """Sign a user in from many browsers at once, on all processes."""
    barrier = Barrier(LOGINS)

    def sign_in(number: int) -> Visitor:
        visitor = Visitor(site.webs[number % len(site.webs)])
        barrier.wait()
        # Django itself answers 400 where the session went while the answer was on its way.
        assert visitor.get("/enter/many/").status in {302, 400}
        return visitor

    with ThreadPoolExecutor(LOGINS) as people:
        return list(people.map(sign_in, range(LOGINS)))


def standing(visitor: Visitor, site: Site) -> str:
    """Return how a browser's session stands, for every process alike."""
    if not visitor.key:
        return "replaced"
    cookies, found = dict(visitor.cookies), set()
    for web in site.webs:
        visitor.server, visitor.cookies = web, dict(cookies)
        answer = visitor.get("/demo/clock/", FETCH)
        found.add("live" if answer.status == 200 else answer.headers["Idlewatch-Ended"])
    (how,) = found
    return str(how)


@pytest.mark.rule("R17")
def test_of_many_that_sign_in_at_once_on_several_processes_exactly_the_newest_stay(tmp_path: Path):
    database = shared_postgres().database(f"limit_{token_hex(4)}")
    limits = {"IDLEWATCH_MAX_SESSIONS_PER_USER": str(LIMIT), "IDLEWATCH_IDLE_TIMEOUT": "600"}
    with running(tmp_path, {}, {}, {}, database=database, **limits) as site, psycopg.connect(database) as connection:
        connection.autocommit = True
        # The account itself is made once.
        Visitor(site.webs[0], "many")
        for turn in range(1, ROUNDS + 1):
            visitors = sign_in_at_once(site)
            replaced = 1 + LOGINS * turn - LIMIT
            expected = [("replaced",)] * replaced + [("live",)] * LIMIT
            until(lambda: connection.execute(RECORDS).fetchall() == expected)  # noqa: B023
            assert Counter(standing(each, site) for each in visitors) == {"live": LIMIT, "replaced": LOGINS - LIMIT}
            assert connection.execute(RECORDS).fetchall() == expected
        announced = site.announced()
        assert len(announced) == replaced
        assert {reason for _, reason in announced} == {"replaced"}
        assert set(announced.values()) == {1}
        assert not re.search(r'" 500 | ERROR ', site.log)
