from __future__ import annotations

from unittest import mock

import pytest
from msgspec.structs import replace

from idlewatch.core.activity import Activity, Hold, Reason
from idlewatch.core.policy import Phase, Shown
from idlewatch.live import rows
from idlewatch.live.rows import NO_FIELDS, RecordFields, RecordFieldsCache, row_of
from idlewatch.store.values import Watched
from tests.unit.live.operators import POLICY

ADA = RecordFields("7", "ada", "", "", "203.0.113.7", 5.0)


def watched(**facts: object) -> Watched:
    return Watched(
        id="w1", user="7", policy=POLICY, activity=Activity(**({"logged_in_at": 0.0, "active": 10.0} | facts))
    )


def held(*holds: Hold) -> Watched:
    until = max(hold.until for hold in holds)
    named = {str(number): hold for number, hold in enumerate(holds)}
    return watched(holds=named, held_from=10.0, held_until=until, held_since=10.0)


def test_a_hold_is_told_by_its_label_while_it_lasts():
    assert row_of(held(Hold(70.0, "Uploading 3 files")), ADA, 20.0).hold == "Uploading 3 files"
    assert row_of(held(Hold(70.0, "")), ADA, 20.0).hold == ""
    assert row_of(held(Hold(70.0, "Uploading 3 files")), ADA, 71.0).hold is None
    assert row_of(watched(), ADA, 20.0).hold is None


def test_of_several_holds_the_latest_is_told():
    assert row_of(held(Hold(70.0, "video"), Hold(75.0, "upload"), Hold(15.0, "over")), ADA, 20.0).hold == "upload"


def test_the_reason_is_told_while_it_is_coming():
    shown = Shown(Phase.WARNED, Reason.IDLE, True)
    assert row_of(replace(watched(), shown=shown), ADA, 800.0).reason == "idle"
    assert row_of(watched(), ADA, 800.0).reason is None


def test_a_session_without_an_end_has_none():
    endless = replace(POLICY, idle_timeout=float("inf"), absolute_timeout=None)
    assert row_of(replace(watched(), policy=endless), ADA, 20.0).ends is None
    assert row_of(watched(), ADA, 20.0).ends == 910.0


def test_a_session_without_a_record_has_what_the_store_knows():
    row = row_of(watched(), NO_FIELDS, 20.0)
    assert (row.user, row.device, row.address, row.started) == ("", "", "", 0.0)


def test_a_probe_of_the_site_is_named_with_and_without_a_record():
    probe = replace(watched(), id="probe:9Qw2")
    assert [row_of(probe, record, 20.0).device for record in (ADA, NO_FIELDS)] == ["Check of this site"] * 2


async def no_more() -> list[Watched]:
    return []


@pytest.mark.django_db(transaction=True)
class TestRecordFields:
    async def test_each_is_asked_of_the_database_once_and_the_last_that_were_shown_are_remembered(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(rows, "FIELDS_CACHE_SIZE", 2)
        cache = RecordFieldsCache()
        with mock.patch.object(rows, "read_fields", side_effect=lambda ids: dict.fromkeys(ids, ADA)) as read:
            for ids in (["a", "b"], ["a"], ["a", "b", "c"], ["b", "c"], ["a"]):
                assert await cache.get([replace(watched(), id=each) for each in ids], no_more) == dict.fromkeys(
                    ids, ADA
                )
        assert [call.args[0] for call in read.call_args_list] == [["a", "b"], ["c"], ["a"]]

    async def test_one_in_which_an_operator_acts_as_another_user_is_asked_for_again(self):
        cache, bob = RecordFieldsCache(), ADA._replace(owner="8", user="bob", impersonator="ada")
        with mock.patch.object(rows, "read_fields", side_effect=[{"w1": ADA}, {"w1": bob}]):
            for user, fields in (("7", ADA), ("8", bob), ("8", bob)):
                assert await cache.get([replace(watched(), user=user)], no_more) == {"w1": fields}

    async def test_one_that_is_not_there_yet_is_asked_for_again(self):
        cache = RecordFieldsCache()
        with mock.patch.object(rows, "read_fields", side_effect=[{}, {"w1": ADA}]):
            assert await cache.get([watched()], no_more) == {}
            assert await cache.get([watched()], no_more) == {"w1": ADA}

    async def test_those_that_may_be_shown_next_are_read_with_what_has_to_be_read(self):
        sessions = {each: replace(watched(), id=each) for each in "abcd"}

        async def find_next() -> list[Watched]:
            return [sessions[each] for each in "bcd"]

        cache = RecordFieldsCache()
        with mock.patch.object(rows, "read_fields", side_effect=lambda ids: dict.fromkeys(ids, ADA)) as read:
            for ids in ("ab", "bc", "cd"):
                assert await cache.get([sessions[each] for each in ids], find_next) == dict.fromkeys(ids, ADA)
        read.assert_called_once_with(["a", "b", "c", "d"])
