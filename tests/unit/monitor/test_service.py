"""The use cases where no journey passes: what is gone, undecided, or over already."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.core.events import Acted
from idlewatch.exceptions import Undecided
from idlewatch.models import WatchedSession
from idlewatch.monitor import accounts, stores
from idlewatch.monitor import service as monitor
from idlewatch.process import current_process
from idlewatch.store.values import Watched
from tests.conftest import START, Time
from tests.support.watches import arecord, asign_in, known, sign_in_many

pytestmark = pytest.mark.django_db(transaction=True)


async def test_an_event_for_a_session_that_the_store_has_lost_is_applied_once_it_is_resumed(clock: Time):
    watched = await asign_in()
    current_process().discard(stores.open_store)
    clock.pass_(5)
    looked = await monitor.alook(watched.id, clock.now, Acted())
    assert looked is not None
    assert known(watched.id).activity.active == looked.activity.active == START + 5
    assert (await arecord(watched.id)).ended is None


@pytest.mark.parametrize("undecided", [False, True])
def test_a_session_that_the_clock_has_ended_keeps_that_reason_when_it_is_ended(
    clock: Time, monkeypatch: pytest.MonkeyPatch, undecided: bool
):
    (watched,) = sign_in_many(1)
    clock.pass_(watched.policy.idle_timeout + 1)
    if undecided:
        monkeypatch.setattr(monitor, "look", mock.Mock(side_effect=Undecided))
    assert monitor.end(watched.id, Reason.REVOKED, clock.now).activity.reason is Reason.IDLE
    record = WatchedSession.objects.get()
    assert record.reason == "idle"
    assert record.ended == as_datetime(START + watched.policy.idle_timeout)


def test_a_session_whose_state_is_undecided_has_not_ended(clock: Time):
    with mock.patch.object(monitor, "look", side_effect=Undecided):
        assert not monitor.has_ended("w1", clock.now)


def test_a_session_without_a_record_is_lost():
    assert monitor.lost_or_account("unknown") is Reason.LOST


def test_a_user_without_an_auth_hash_has_not_changed_the_password():
    assert accounts.has_auth_digest(mock.Mock(spec=["pk", "is_active"]), "any")


def test_a_session_that_cannot_be_ended_keeps_none_of_the_same_user_alive(monkeypatch: pytest.MonkeyPatch):
    sessions, end = sign_in_many(3), monitor.end

    def failing_end(watch_id: str, *args: Any) -> Watched:
        if watch_id == sessions[0].id:
            raise ValueError("a flaw")
        return end(watch_id, *args)

    monkeypatch.setattr(monitor, "end", failing_end)
    with pytest.raises(ValueError, match="a flaw"):
        monitor.end_all([each.id for each in sessions], Reason.ACCOUNT, START)
    assert [known(each.id).activity.reason for each in sessions] == [None, Reason.ACCOUNT, Reason.ACCOUNT]
