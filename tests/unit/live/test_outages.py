"""The live page while the shared store is away: a Redis that is really killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async

from idlewatch.core.activity import Reason
from idlewatch.live.reader import reader_of
from idlewatch.monitor import service as monitor
from idlewatch.process import current_process
from tests.conftest import Time
from tests.support.outages import Outage, outage
from tests.support.sockets import Signed, sign_in
from tests.unit.live.operators import astaff, watching

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_timer", "advanced"),
    pytest.mark.redis,
]


@pytest.fixture
def kept(tmp_path: Path, clock: Time) -> Iterator[Outage]:
    with outage(tmp_path, clock, persistent=True) as made:
        yield made


async def test_a_store_that_is_away_is_reported_and_the_page_goes_on_afterwards(kept: Outage, caplog: Any):
    process = kept.process("one")
    with process.entered():
        signed = await astaff()
        async with watching(signed.key) as operator:
            await operator.ask()
            await sync_to_async(kept.redis.stop)()
            assert (await operator.next())["type"] == "unavailable"
            # Once; and the operator, whose session is live by the records, stays.
            assert await operator.is_told_nothing(3)
            # A page asks again to find out whether its connection works: each question has an answer.
            await operator.say("watch", query=8, sort="user")
            assert (await operator.next())["type"] == "unavailable"
            await sync_to_async(kept.redis.start)()
            frame = await operator.next()
            assert (frame["type"], frame["total"], frame["query"]) == ("page", 1, 8)
        await process.store.aclose()
    logged = [each for each in caplog.records if "updated" in each.getMessage()]
    assert [each.levelname for each in logged] == ["WARNING"]


async def test_what_one_process_changes_the_operators_of_another_see(kept: Outage, clock: Time):
    one, two = kept.process("one"), kept.process("two")
    with one.entered():
        signed: Signed = await astaff()
        async with watching(signed.key) as operator:
            await operator.ask()
            with two.entered():
                person = await sign_in("ada")
            await operator.until(lambda page: person.watch_id in page.order)
            with mock.patch.object(monitor, "store", return_value=two.store):
                await monitor.aend(person.watch_id, Reason.REVOKED, clock.now)
            await operator.until(lambda page: person.watch_id not in page.order)
        assert not reader_of(current_process()).is_running
        for process in (one, two):
            await process.store.aclose()
