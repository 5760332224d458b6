"""The threads of the live pages, on a real clock: a search that hangs keeps its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from idlewatch.live import authorization, reader
from idlewatch.live.search import Results, Search
from tests.unit.live.operators import apeople, astaff, watching

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_timer")]


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database that does not answer a search by user."""
    going, by_database = threading.Event(), Search._by_database

    def stuck(self: Search, *args: Any) -> Results:
        if self._query.sort == "user":
            going.wait(30)
        return by_database(self, *args)

    monkeypatch.setattr(Search, "_by_database", stuck)
    yield
    going.set()


@pytest.mark.usefixtures("hanging")
async def test_a_slow_search_delays_no_other_page(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reader, "ROUND_INTERVAL", 0.2)
    monkeypatch.setattr(authorization, "PERMISSION_CHECK_INTERVAL", 0.1)
    monkeypatch.setattr(authorization, "TRUST_PERIOD", 1.0)
    signed = await astaff()
    async with watching(signed.key) as stuck, watching(signed.key) as other:
        await other.ask()
        await stuck.say("watch", query=1, sort="user")
        # The fields of a new session are read; and for longer than the trust lasts, so are the permissions of both.
        for number in range(3):
            (person,) = await apeople(1, start=number)
            name = f"user{person.id[1:]}"
            await other.until(lambda page, person=person, name=name: page.rows.get(person.id, {}).get("user") == name)
            await asyncio.sleep(0.4)
        assert await stuck.is_told_nothing(0.1)
