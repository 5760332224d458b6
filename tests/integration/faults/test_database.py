"""Ten seconds without a database, while Redis is there."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator

import pytest

from tests.integration.faults.life import recorded
from tests.integration.faults.people import SLACK, Person, Watcher, Writer, gone_for_good
from tests.integration.site import IDLE, Site
from tests.support.postgres_server import PostgresServer


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of the test's own, to be stopped and started."""
    server = PostgresServer()
    server.start()
    yield server
    server.remove()


async def test_tabs_are_told_in_time_while_the_database_is_down_and_each_end_is_recorded_when_it_is_back(
    make_site, postgres: PostgresServer
):
    site: Site = make_site(database=postgres.url())
    writer, watcher, away = Writer(site, "writer", 0), Watcher(site, "watcher", 1), Person(site, "away")
    stopping = asyncio.Event()
    writing, waiting = asyncio.create_task(writer.live(stopping)), asyncio.create_task(watcher.live())
    await asyncio.sleep(2)
    await asyncio.to_thread(postgres.stop, signal.SIGQUIT)
    started = time.monotonic()
    told = await waiting
    assert told - watcher.signed_in >= IDLE - 0.1
    assert told - watcher.active <= IDLE + SLACK
    await asyncio.sleep(started + 10 - time.monotonic())
    assert not writing.done()
    assert writer.connects == 1
    await asyncio.to_thread(postgres.start)
    # Everybody by the records, the one who went on typing by the tab as well.
    await recorded(site, {"writer": "", "watcher": "idle", "away": "idle"})
    assert await writer.ask_for() == 200
    for person in (watcher, away):
        await gone_for_good(person)
    stopping.set()
    await writing
    await asyncio.sleep(max(0.0, writer.active + IDLE + SLACK - time.monotonic()))
    await gone_for_good(writer)
    await recorded(site, dict.fromkeys(("writer", "watcher", "away"), "idle"))
    assert all(times == 1 for times in site.announced().values())
