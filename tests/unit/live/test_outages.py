"""The live page while the shared store is away: a Redis that is really killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from idlewatch.core.activity import Reason
from idlewatch.monitor import service as monitor
from idlewatch.process import now
from tests.conftest import Time
from tests.support.outages import Outage, outage
from tests.support.sockets import sign_in
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


async def test_a_store_that_is_away_is_reported_and_the_page_goes_on_afterwards_with_what_others_write(
    kept: Outage, caplog: Any
):
    process, other = kept.process("one"), kept.process("two")
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
            with other.entered():
                person = await sign_in("ada")
                await operator.until(lambda page: person.watch_id in page.order)
                await monitor.aend(person.watch_id, Reason.REVOKED, now())
            await operator.until(lambda page: person.watch_id not in page.order)
        for each in (process, other):
            await each.store.aclose()
    logged = [each for each in caplog.records if "updated" in each.getMessage()]
    assert [each.levelname for each in logged] == ["WARNING"]
