from __future__ import annotations

import asyncio
import json
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import OperationalError
from django.utils.translation import get_language

from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted, Held, TabOpened
from idlewatch.core.protocol import MAX_BAD_MESSAGES, MAX_MESSAGES
from idlewatch.exceptions import BadMessage
from idlewatch.live import authorization, search
from idlewatch.live.consumer import LiveConsumer
from idlewatch.live.query import parse
from idlewatch.live.reader import ROUND_INTERVAL, reader_of
from idlewatch.models import WatchedSession
from idlewatch.monitor import service as monitor
from idlewatch.monitor import stores
from idlewatch.process import current_process, now
from idlewatch.runtime.runtime import runtime_of
from tests.support.sockets import WITHIN, Signed
from tests.unit.live.operators import Operator, apeople, astaff, pass_time, watching

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_timer", "advanced")]


async def refused_with(operator: Operator) -> int:
    assert await operator.is_accepted()
    code = await operator.close_code()
    await operator.leave(code)
    return code


class TestTheDoor:
    @pytest.mark.rule("R14")
    @pytest.mark.parametrize(("is_staff", "permitted"), [(False, False), (True, False), (False, True)])
    async def test_without_the_permission_it_is_closed_as_forbidden(
        self, is_staff: bool, permitted: bool, caplog: pytest.LogCaptureFixture
    ):
        signed = await astaff(is_staff=is_staff, permitted=permitted)
        assert await refused_with(Operator(signed.key)) == 4403
        # Before it has joined the reader, which would find out too.
        assert [each.getMessage().split()[0] for each in caplog.records] == ["live_page_refused"]

    async def test_without_a_live_session_it_is_closed_as_ended(self, signed: Signed):
        assert await refused_with(Operator("unknown")) == 4401
        await monitor.aend(signed.watch_id, Reason.REVOKED, now())
        assert await refused_with(Operator(signed.key)) == 4401

    @pytest.mark.rule("R21")
    async def test_another_sites_page_is_refused_at_the_handshake(self, signed: Signed):
        assert not await Operator(signed.key, origin="http://evil.test").is_accepted()

    async def test_while_the_database_is_away_pages_are_sent_back(self, signed: Signed):
        with mock.patch("idlewatch.live.consumer.find_operator", side_effect=OperationalError):
            assert await refused_with(Operator(signed.key)) == 4503

    async def test_watching_is_no_activity_and_no_tab(self, signed: Signed):
        before = await sync_to_async(lambda: signed.watched.activity)()
        async with watching(signed.key) as operator:
            await operator.ask()
            await operator.ask(sort="user")
            assert await sync_to_async(lambda: signed.watched.activity)() == before
        assert await sync_to_async(lambda: signed.watched.activity)() == before


class TestWhatIsShown:
    async def test_a_row_has_every_field_and_no_other(self, operator: Operator):
        (person,) = await apeople(1)
        await stores.current().sessions.aapply(person.id, TabOpened("p", 5), now())
        await stores.current().sessions.aapply(person.id, Held("u", "Uploading <b>3</b> files"), now())
        page = await operator.ask()
        rows = {row["user"]: row for row in page["rows"]}
        row, own = rows["user000000"], rows["op"]
        known = await stores.current().sessions.aget(person.id)
        assert known is not None
        assert row == {
            "id": person.id,
            "user": "user000000",
            "impersonator": "",
            "device": "Firefox 128 on Linux",
            "address": "10.0.0.0",
            "started": pytest.approx(person.activity.logged_in_at, abs=0.01),
            "seen": pytest.approx(known.activity.active, abs=0.01),
            "tabs": 1,
            "hold": "Uploading <b>3</b> files",
            "phase": "active",
            "reason": None,
            "ends": pytest.approx(known.verdict(now()).ends_at, abs=0.01),
            "mine": False,
        }
        assert own["mine"] is True
        assert (page["total"], page["page"], page["pages"], page["bounded"]) == (2, 1, 1, False)
        assert page["counts"] == {"active": 2, "warned": 0, "connected": 1}
        assert page["now"] == pytest.approx(now(), abs=5)

    @pytest.mark.parametrize(("asked", "given"), [("de-AT", "de"), ("tlh", "en-us"), ("", "en-us"), ("\x00/", "en-us")])
    async def test_the_words_are_in_the_language_of_the_page(self, asked: str, given: str):
        signed = await astaff()
        await apeople(1)
        seen = set()
        with mock.patch("idlewatch.live.rows.device_name", side_effect=lambda *_: seen.add(get_language()) or ""):
            async with watching(signed.key, headers=[("accept-language", "fr")]) as operator:
                await operator.ask(language=asked)
        # Before it asks by its language, it has asked without.
        assert seen == {given, "en-us"}


class TestWhatChanges:
    async def test_a_session_appears_and_leaves_by_itself_and_once(self, operator: Operator):
        await operator.ask()
        assert await operator.is_told_nothing(2.5)
        (person,) = await apeople(1)
        await operator.until(lambda page: person.id in page.order)
        assert operator.page["total"] == 2
        await monitor.aend(person.id, Reason.REVOKED, now())
        await operator.until(lambda page: person.id not in page.order)
        assert operator.page["total"] == 1
        assert await operator.is_told_nothing()
        assert sum(person.id in frame.get("order", ()) for frame in operator.frames) == 1

    async def test_who_acts_comes_first_by_activity_before_the_records_know(
        self, operator: Operator, monkeypatch: pytest.MonkeyPatch
    ):
        # So few are named by the store, in its own order; of more, the records have it.
        monkeypatch.setattr(search, "WINDOW_SIZE", 2)
        await apeople(3)
        await operator.ask(sort="-seen")
        first, second, *others = operator.order
        await stores.current().sessions.aapply(second, Acted(0.0), now())
        await operator.until(lambda page: page.order[0] != first)
        assert operator.order == [second, first, *others]

    async def test_what_changes_often_is_told_once_a_second(self, operator: Operator):
        (person,) = await apeople(1)

        async def act() -> None:
            while True:
                await stores.current().sessions.aapply(person.id, Acted(0.0), now())
                await current_process().clock.sleep(0.02)

        acting = asyncio.create_task(act())
        # An answer comes at once, at any moment of the reader's second.
        for turn in range(5):
            await pass_time(0.2 * turn)
            await operator.ask(sort="user")
            for _ in range(2):
                assert (await operator.next())["type"] == "changes"
            answer, first, second = operator.arrived[-3:]
            assert first - answer > 0.6
            assert second - first > 0.9
        acting.cancel()

    async def test_what_changed_meanwhile_comes_as_one_difference(self, operator: Operator):
        people = await apeople(3)
        await operator.ask(sort="user")
        await stores.current().sessions.aapply(people[0].id, Acted(0.0), now())
        unseen = await operator.frame()
        operator.work_in(unseen)
        for other in (0, unseen["frame"] + 1):
            await operator.say("seen", frame=other)
        for person in people:
            await stores.current().sessions.aapply(person.id, Acted(0.0), now())
            await pass_time(0.3)
        await monitor.aend(people[2].id, Reason.REVOKED, now())
        assert await operator.is_told_nothing()
        await operator.say("seen", frame=unseen["frame"])
        frame = await operator.next()
        assert frame["frame"] == unseen["frame"] + 1
        assert set(frame["rows"]) == {people[0].id, people[1].id}
        assert people[2].id not in frame["order"]
        assert await operator.is_told_nothing()


class TestStaying:
    @pytest.mark.rule("R14")
    @pytest.mark.parametrize("lost", ["is_staff", "is_active", "permission"])
    async def test_a_permission_that_is_lost_closes_the_page_within_five_seconds(
        self, operator: Operator, signed: Signed, lost: str
    ):
        assert authorization.PERMISSION_CHECK_INTERVAL + ROUND_INTERVAL <= 5
        await operator.ask()
        if lost == "permission":
            await sync_to_async(signed.user.user_permissions.clear)()
        else:
            await User.objects.filter(username="op").aupdate(**{lost: False})
        revoked_at = now()
        assert await operator.closed_at() == 4403
        assert now() - revoked_at <= 5.2

    @pytest.mark.rule("R25")
    async def test_the_end_of_the_session_closes_the_page_at_once(self, operator: Operator, signed: Signed):
        await operator.ask()
        await monitor.aend(signed.watch_id, Reason.LOGOUT, now())
        assert await operator.closed_at() == 4401

    @pytest.mark.rule("R25")
    async def test_a_page_whose_permission_cannot_be_checked_for_long_is_sent_away(
        self, operator: Operator, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ):
        monkeypatch.setattr(authorization, "PERMISSION_CHECK_INTERVAL", 0.1)
        await operator.ask()
        away = mock.patch("idlewatch.live.authorization.permitted_users", side_effect=OperationalError)
        with away:
            assert await operator.is_told_nothing(authorization.TRUST_PERIOD - ROUND_INTERVAL)
        assert (await operator.ask())["total"] == 1
        assert await operator.is_told_nothing()
        with away:
            assert await operator.closed_at() == 4503
        assert [each.getMessage() for each in caplog.records if "permissions" in each.getMessage()] == [
            "The operators' permissions cannot be checked (OperationalError)."
        ] * 2

    async def test_the_server_that_goes_away_says_so_also_to_who_comes_then(self, operator: Operator, signed: Signed):
        await operator.ask()
        stopping = asyncio.create_task(runtime_of(current_process()).hub.dismiss())
        assert await operator.closed_at() == 4503
        await operator.leave(4503)
        await stopping
        # The server turned to stopping only after the handshake had been routed.
        with mock.patch("idlewatch.asgi._send_back", LiveConsumer.as_asgi()):
            late = Operator(signed.key)
            assert await late.is_accepted()
            assert await late.close_code() == 4503
        assert not reader_of(current_process()).is_running


class TestBadMessages:
    @pytest.mark.parametrize(
        ("text", "code"),
        [
            (None, "bad_json"),
            ("ping", "bad_json"),
            ('{"type": "watch"}', "bad_message"),
            ('{"type": "sync"}', "bad_message"),
            ('{"type": "watch", "query": 1, "more": 1}', "bad_message"),
            ('{"type": "watch", "query": -1}', "bad_value"),
            ('{"type": "watch", "query": 1, "page": 0}', "bad_value"),
            ('{"type": "watch", "query": 1, "page": 1e300}', "bad_value"),
            ('{"type": "watch", "query": 1, "size": 1000}', "bad_value"),
            ('{"type": "watch", "query": 1, "sort": "password"}', "bad_value"),
            ('{"type": "watch", "query": 1, "phase": "ended"}', "bad_value"),
            ('{"type": "watch", "query": 1, "search": "a\\u0000b"}', "bad_value"),
            (json.dumps({"type": "watch", "query": 1, "search": "a" * 101}), "bad_value"),
            ('{"type": "watch", "query": 1}'.ljust(2049), "too_large"),
        ],
    )
    def test_they_have_an_error_code(self, text: str | None, code: str):
        with pytest.raises(BadMessage) as raised:
            parse(text)
        assert raised.value.code == code

    @pytest.mark.rule("R24")
    async def test_they_are_refused_and_too_many_of_them_close_the_socket(self, operator: Operator):
        await operator.send(binary=b"{}")
        assert (await operator.frame())["code"] == "bad_json"
        assert (await operator.ask())["total"] == 1
        for _ in range(MAX_BAD_MESSAGES - 1):
            await operator.send("ping")
        assert await operator.closed_at() == 4400
        # Until its client has answered the close.
        await operator.say("watch", query=2)
        await apeople(1)
        assert await operator.is_told_nothing()

    @pytest.mark.rule("R24")
    async def test_a_flood_closes_the_socket(self, operator: Operator):
        for number in range(MAX_MESSAGES + 1):
            await operator.say("seen", frame=number)
        assert await operator.closed_at() == 4429


class TestSharing:
    async def test_operators_who_ask_the_same_share_one_reading(self):
        first, second = await astaff("op1"), await astaff("op2")
        (person,) = await apeople(1)
        statistics = stores.current().statistics
        async with watching(first.key) as one, watching(second.key) as other:
            await one.ask()
            await other.ask()
            with mock.patch.object(statistics, "list", wraps=statistics.list) as listing:
                await stores.current().sessions.aapply(person.id, Acted(0.0), now())
                seen = await one.next(), await other.next()
            assert [frame["type"] for frame in seen] == ["changes", "changes"]
            assert 1 <= listing.await_count <= 2
            assert [page.rows[first.watch_id]["mine"] for page in (one, other)] == [True, False]

    async def test_the_reader_works_only_while_a_page_is_open(self):
        signed = await astaff()
        assert not reader_of(current_process()).is_running
        async with watching(signed.key) as operator:
            await operator.ask()
            async with watching(signed.key) as another:
                await another.ask()
            assert reader_of(current_process()).is_running
            assert len(runtime_of(current_process()).hub._guests) == 1
            reading = list(reader_of(current_process())._tasks)
        assert not reader_of(current_process()).is_running
        assert runtime_of(current_process()).hub._guests == set()
        assert runtime_of(current_process()).hub.tabs() == {}
        await asyncio.wait(reading, timeout=WITHIN)
        assert all(task.cancelled() for task in reading)
        async with watching(signed.key) as operator:
            assert (await operator.ask())["total"] == 1


class TestTrouble:
    @pytest.mark.parametrize(
        ("error", "level"), [(RuntimeError("a bug"), "ERROR"), (OperationalError("no such host"), "WARNING")]
    )
    async def test_an_error_is_reported_logged_once_and_over(
        self, operator: Operator, error: Exception, level: str, caplog: Any
    ):
        await operator.ask()
        with mock.patch("idlewatch.live.search_cache.find", side_effect=error):
            assert (await operator.next())["type"] == "unavailable"
            assert await operator.is_told_nothing()
        assert (await operator.next())["type"] == "page"
        assert (await operator.ask())["total"] == 1
        (logged,) = [each for each in caplog.records if "updated" in each.getMessage()]
        assert logged.levelname == level
        assert bool(logged.exc_info) == (level == "ERROR")

    async def test_a_session_whose_record_is_not_there_yet_is_shown_and_named_later(self, operator: Operator):
        (person,) = await apeople(1)
        row = await WatchedSession.objects.aget(pk=person.id)
        await WatchedSession.objects.filter(pk=person.id).adelete()
        await operator.ask()
        assert operator.rows[person.id]["user"] == ""
        await row.asave(force_insert=True)
        await operator.until(lambda page: page.rows[person.id]["user"] == "user000000")
