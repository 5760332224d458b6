from __future__ import annotations

import asyncio
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from autobahn.exception import Disconnected
from django.apps import apps
from django.contrib.sessions.models import Session
from django.http import HttpRequest

from idlewatch.consumers import tab as consumers
from idlewatch.core.activity import Reason
from idlewatch.core.events import Requested, TabClosed, TabOpened, TabsCounted
from idlewatch.core.protocol import MAX_BAD_MESSAGES, TAB_PATH, Close
from idlewatch.http.key_rotation import OriginalSession
from idlewatch.http.page_tokens import token_of
from idlewatch.models import WatchedSession
from idlewatch.monitor import django_sessions, heartbeats, stores
from idlewatch.monitor import service as monitor
from idlewatch.monitor.store_lease import StoreLease
from idlewatch.process import current_process
from idlewatch.runtime.runtime import Runtime, runtime_of
from tests.conftest import Time
from tests.support.asgi import application
from tests.support.processes import give_store_away, lose_store
from tests.support.sockets import Signed, Tab, errors, sign_in, until

pytestmark = pytest.mark.django_db(transaction=True)

LIMITS = {
    "IDLE_TIMEOUT": 100,
    "WARN_BEFORE": 20,
    "ABSOLUTE_TIMEOUT": 1000,
    "CLOSE_GRACE": 30,
    "HOLD_LIMIT": 300,
    "HEARTBEAT": 5,
}


@pytest.fixture(autouse=True)
def site(settings: Any) -> Any:
    settings.IDLEWATCH = dict(LIMITS)
    return settings


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer works when the test says so, and not beside it."""

    def start(self: Runtime) -> None:
        self.timer.membership.owns_store = True

    monkeypatch.setattr(Runtime, "start", start)


@pytest.fixture
async def signed(site: Any) -> Signed:
    return await sign_in()


@pytest.fixture
async def tab(signed: Signed) -> Tab:
    return await Tab.open(signed)


async def push(clock: Time) -> None:
    await runtime_of(current_process()).timer.push(clock.now)


def hub_tabs() -> int:
    return sum(runtime_of(current_process()).hub.tabs().values())


class TestConnecting:
    async def test_tells_the_state_and_counts_the_tab_and_is_no_activity(self, clock: Time, signed: Signed):
        active = signed.watched.activity.active
        clock.pass_(50)
        tab = await Tab.open(signed)
        assert (tab.first["type"], tab.first["phase"], tab.first["idle_timeout"]) == ("state", "active", 100.0)
        assert (await tab.sync())["remaining"] == pytest.approx(50, abs=1)
        other = await Tab.open(signed)
        assert signed.watched.activity.tabs == {current_process().name: 2}
        await other.leave()
        assert signed.watched.activity.tabs == {current_process().name: 1}
        assert signed.watched.activity.active == active

    async def test_tells_a_warning_that_no_timer_has_settled_and_what_came_of_it_is_told_again(
        self, clock: Time, signed: Signed
    ):
        # As while a store that lost its data waits for reports: activity comes first, and there is nothing to settle.
        clock.pass_(90)
        tab = await Tab.open(signed)
        assert tab.first["phase"] == "warned"
        await stores.current().sessions.aapply(signed.watch_id, Requested(), clock.now)
        await runtime_of(current_process()).timer.publisher.tell_missed(stores.current().sessions)
        assert (await tab.frame())["phase"] == "active"

    @pytest.mark.parametrize("key", [None, "", "unknown", "\N{GREEK SMALL LETTER ALPHA}" * 32, "a" * 5000])
    async def test_a_key_of_no_session_has_no_reason(self, key: str | None):
        assert await ended(Tab(key)) is None

    async def test_a_session_that_is_in_no_table_is_logged_once(self, caplog: pytest.LogCaptureFixture):
        for key in ("unknown", "other"):
            assert await ended(Tab(key)) is None
        (message,) = [message for message in caplog.messages if "A tab connected with a session cookie" in message]
        assert "#tenants" in message

    async def test_an_anonymous_session_has_no_reason(self):
        session = django_sessions.engine()()
        await session.acreate()
        assert await ended(Tab(session.session_key)) is None
        assert await session.aexists(session.session_key)

    @pytest.mark.rule("R9")
    async def test_an_ended_session_is_told_why_also_when_its_row_and_the_store_are_gone(
        self, clock: Time, signed: Signed
    ):
        await monitor.aend(signed.watch_id, Reason.REPLACED, clock.now)
        tab = Tab(signed.key)
        assert await ended(tab) == "replaced"
        await tab.leave(4401)
        assert signed.watched.activity.tabs == {}
        assert hub_tabs() == 0
        await Session.objects.all().adelete()
        assert await ended(Tab(signed.key)) == "replaced"
        lose_store()
        assert await ended(Tab(signed.key)) == "replaced"

    async def test_an_ended_session_is_told_why_where_the_store_knows_nothing_else_of_it(
        self, clock: Time, signed: Signed
    ):
        lose_store()
        await stores.current().sessions.aend(signed.watch_id, Reason.REVOKED, clock.now)
        assert await ended(Tab(signed.key)) == "revoked"

    async def test_at_a_process_without_the_store_it_is_sent_back(
        self, clock: Time, signed: Signed, tab: Tab, monkeypatch: pytest.MonkeyPatch
    ):
        await sync_to_async(give_store_away)(clock.now)
        monkeypatch.setattr(StoreLease, "is_doubtful", True)
        await tab.say("extend")
        assert await tab.close_code() == Close.GOING_AWAY
        refused = Tab(signed.key)
        assert await refused.is_accepted()
        assert await refused.close_code() == Close.GOING_AWAY

    @pytest.mark.rule("R1")
    async def test_a_session_past_its_limit_is_refused_though_its_end_was_not_recorded(
        self, clock: Time, signed: Signed
    ):
        clock.pass_(101)
        assert await ended(Tab(signed.key)) == "idle"

    @pytest.mark.rule("R9", "R11")
    @pytest.mark.parametrize("missing", [Session, WatchedSession])
    async def test_a_session_whose_row_or_record_was_deleted_is_lost(self, missing: Any, signed: Signed):
        await missing.objects.all().adelete()
        if missing is WatchedSession:
            lose_store()
        assert await ended(Tab(signed.key)) == "lost"

    @pytest.mark.parametrize("is_done", [False, True], ids=["while a request rotates it", "afterwards"])
    async def test_a_key_that_was_replaced_opens_nothing_and_ends_nothing(self, is_done: bool, signed: Signed):
        """No reason is given for it: the page asks again, with the cookie it has by then."""

        old, session = signed.key, django_sessions.engine()(signed.key)
        original = OriginalSession(session, old, signed.watch_id)
        await session.acycle_key()
        await session.asave()
        await sync_to_async(original.release)()
        if not is_done:
            assert await ended(Tab(old)) is None
        await sync_to_async(monitor.rebind)(signed.watch_id, session)
        assert await ended(Tab(old)) is None
        assert signed.watched.activity.ended is None
        tab = Tab(session.session_key)
        assert await tab.is_accepted()
        assert (await tab.frame())["phase"] == "active"

    async def test_a_session_whose_data_speaks_of_another_user_is_refused(self):
        ada, eve = await sign_in("ada"), await sign_in("eve")

        session = django_sessions.engine()(eve.key)
        await session.aset(django_sessions.WATCH_KEY, ada.watch_id)
        await session.asave()
        assert await ended(Tab(eve.key)) == "lost"
        assert ada.watched.activity.ended is None

    async def test_an_operator_whom_a_package_leaves_signed_in_has_the_tabs_of_the_user_they_act_as(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        ada, eve = await sign_in("ada"), await sign_in("eve")
        session = django_sessions.engine()(eve.key)
        await session.aset(django_sessions.WATCH_KEY, ada.watch_id)
        await session.aset("_impersonate", int(ada.watched.user))
        await session.asave()
        monkeypatch.setattr(apps, "is_installed", lambda app: app == "impersonate")
        assert (await Tab.open(eve)).first["phase"] == "active"

    async def test_a_store_that_came_back_empty_resumes_from_the_record(self, signed: Signed):
        lose_store()
        tab = await Tab.open(signed)
        assert tab.first["phase"] == "active"
        assert signed.watched.key == signed.key
        assert signed.watched.activity.tabs == {current_process().name: 1}

    @pytest.mark.parametrize("engine", ["cache", "cached_db", "file", "signed_cookies"])
    async def test_every_engine_is_read(self, engine: str, settings: Any, tmp_path: Any, clock: Time):
        settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
        settings.SESSION_FILE_PATH = str(tmp_path)
        signed = await sign_in()
        tab = await Tab.open(signed)
        assert tab.first["phase"] == "active"
        await monitor.aend(signed.watch_id, Reason.REVOKED, clock.now)
        assert await ended(Tab(signed.key)) == "revoked"

    @pytest.mark.rule("R24")
    async def test_one_tab_too_many_is_refused(self, site: Any):
        site.IDLEWATCH = {**LIMITS, "MAX_TABS": 2}
        signed = await sign_in()
        first, _ = [await Tab.open(signed) for _ in range(2)]
        third = Tab(signed.key)
        assert await third.is_accepted()
        assert await third.close_code() == 4429
        await third.leave(4429)
        assert signed.watched.activity.tabs == {current_process().name: 2}
        assert hub_tabs() == 2
        await first.leave()
        await Tab.open(signed)

    async def test_the_tab_hears_what_changes_while_it_connects(
        self, clock: Time, monkeypatch: pytest.MonkeyPatch, signed: Signed
    ):
        """Joined before the state is read, so that no change falls between."""
        look = monitor.alook

        async def slow_look(*args: Any) -> Any:
            found = await look(*args)
            stores.current().sessions.end(signed.watch_id, Reason.REVOKED, clock.now)
            await push(clock)
            return found

        monkeypatch.setattr(monitor, "alook", slow_look)
        tab = Tab(signed.key)
        assert await tab.is_accepted()
        frame = await tab.frame()
        assert (frame["phase"], frame["reason"]) == ("ended", "revoked")
        assert await tab.close_code() == 4401

    async def test_a_tab_that_daphne_cancels_at_once_stays_until_its_page_has_answered(self, tab: Tab):
        stopping = asyncio.create_task(runtime_of(current_process()).stop())
        await asyncio.sleep(0)
        tab.socket.future.cancel()
        assert await tab.close_code() == 4503
        await tab.say("activity")
        await asyncio.sleep(0.05)
        assert not stopping.done()
        await tab.leave(4503)
        await asyncio.wait_for(stopping, 1)
        assert hub_tabs() == 0

    async def test_a_tab_that_connects_just_then_is_sent_back_and_done_with(
        self, monkeypatch: pytest.MonkeyPatch, signed: Signed
    ):
        hub, authenticate = runtime_of(current_process()).hub, consumers.authenticate

        async def slowly(request: HttpRequest) -> Any:
            found = await authenticate(request)
            hub.dismissed = True
            return found

        monkeypatch.setattr(consumers, "authenticate", slowly)
        tab = Tab(signed.key)
        assert await tab.is_accepted()
        assert await tab.close_code() == 4503
        # Nothing reads the page's answer, so it is not waited for.
        await tab.socket.wait()
        assert hub_tabs() == 0
        assert signed.watched.activity.tabs == {}

    async def test_a_tab_that_is_being_closed_keeps_its_code_when_the_server_goes_away(self, tab: Tab):
        for _ in range(MAX_BAD_MESSAGES):
            assert (await tab.ask("nonsense"))["type"] == "error"
        assert await tab.close_code() == Close.BAD_MESSAGES
        stopping = asyncio.create_task(runtime_of(current_process()).hub.dismiss())
        assert await tab.socket.receive_nothing()
        await tab.leave(4400)
        await stopping


@pytest.mark.rule("R24")
async def test_a_tab_whose_client_does_not_read_is_closed_and_told_no_more(tab: Tab, signed: Signed):
    (consumer,) = runtime_of(current_process()).hub._tabs[signed.watch_id]
    await consumer.drop()
    assert await tab.close_code() == Close.TOO_SLOW
    await consumer.tell("{}", ended=True)
    assert await tab.socket.receive_nothing(0.02)


async def ended(tab: Tab) -> str | None:
    """Return the reason with which a tab is sent away: accepted, informed, closed with 4401."""
    assert await tab.is_accepted()
    frame = await tab.frame()
    assert (frame["type"], frame["phase"], frame["remaining"]) == ("state", "ended", 0.0)
    assert (frame["extendable"], frame["held"]) == (False, False)
    assert frame["login_url"] == "/login/"
    assert type(frame["version"]) is int
    assert await tab.close_code() == 4401
    reason: str | None = frame["reason"]
    return reason


class TestMessages:
    async def test_activity_is_credited_to_when_the_user_acted_and_has_no_reply(self, clock: Time, tab: Tab):
        clock.pass_(60)
        await tab.say("activity", ago=12.5)
        # What comes next answers what was asked next.
        frame = await tab.sync()
        assert (frame["type"], frame["remaining"]) == ("state", pytest.approx(87.5, abs=1))
        assert frame["version"] >= tab.first["version"]
        assert await tab.socket.receive_nothing(0.02)

    async def test_extend_answers_the_sender_and_the_others_hear_of_it(self, clock: Time, signed: Signed):
        tabs = [await Tab.open(signed) for _ in range(3)]
        clock.pass_(85)
        await push(clock)
        for tab in tabs:
            frame = await tab.frame()
            assert (frame["phase"], frame["reason"]) == ("warned", "idle")
        reply = await tabs[0].ask("extend")
        assert (reply["phase"], reply["remaining"]) == ("active", pytest.approx(100, abs=1))
        await push(clock)
        for tab in tabs:
            frame = await tab.frame()
            assert (frame["phase"], frame["reason"], frame["extendable"]) == ("active", None, True)
            assert frame["version"] >= reply["version"]
            assert await tab.socket.receive_nothing(0.01)
        assert signed.watched.activity.extensions == 1

    async def test_holds_keep_the_idle_clock_still_until_all_are_released(self, clock: Time, tab: Tab):
        await tab.ask("hold", id="upload", label="Uploading 3 files")
        await tab.ask("hold", id="video")
        clock.pass_(50)
        frame = await tab.sync()
        assert (frame["held"], frame["phase"], frame["remaining"]) == (True, "active", 100.0)
        assert (await tab.ask("release", id="upload"))["held"]
        assert not (await tab.ask("release", id="video"))["held"]
        clock.pass_(10)
        assert (await tab.sync())["remaining"] == pytest.approx(90, abs=1)

    async def test_refused_holds_are_no_bad_messages(self, site: Any):
        site.IDLEWATCH = {**LIMITS, "HOLD_LIMIT": 0}
        tab = await Tab.open(await sign_in())
        for _ in range(MAX_BAD_MESSAGES + 1):
            error = await tab.ask("hold", id="upload")
            assert (error["type"], error["code"]) == ("error", "hold_refused")
        assert not (await tab.sync())["held"]


class TestBadMessages:
    @pytest.mark.parametrize(
        ("sent", "code"),
        [
            ({"text": '{"type": "hold", "id": "\ud800"}'}, "bad_json"),
            ({"text": "x" * 100_000}, "too_large"),
            ({"binary": b'{"type": "sync"}'}, "bad_json"),
        ],
    )
    async def test_is_answered_with_its_code_and_the_socket_stays_open(self, sent: dict[str, Any], code: str, tab: Tab):
        await tab.send(**sent)
        error = await tab.frame()
        assert (error["type"], error["code"]) == ("error", code)
        assert 0 < len(error["detail"]) < 300
        assert (await tab.sync())["type"] == "state"

    @pytest.mark.rule("R24", "R26")
    async def test_the_twentieth_closes(self, signed: Signed, tab: Tab):
        for _ in range(19):
            await tab.send("bad")
            assert (await tab.frame())["type"] == "error"
            await tab.sync()
        await tab.send("bad")
        assert (await tab.frame())["type"] == "error"
        assert await tab.close_code() == 4400
        await tab.leave(4400)
        assert signed.watched.activity.closed_at is None
        assert signed.watched.activity.tabs == {}

    async def test_a_hundred_every_ten_seconds_do_not(self, clock: Time, tab: Tab):
        for _ in range(3):
            for _ in range(100):
                await tab.sync()
            clock.pass_(10)

    @pytest.mark.rule("R24", "R26")
    async def test_more_than_a_hundred_in_ten_seconds_close_and_are_not_served(self, signed: Signed, tab: Tab):
        for _ in range(150):
            await tab.say("extend")
        for _ in range(100):
            await tab.frame()
        assert await tab.close_code() == 4429
        assert await tab.socket.receive_nothing(0.05)
        assert signed.watched.activity.extensions == 100


class TestAfterTheEnd:
    @pytest.mark.rule("R1")
    @pytest.mark.parametrize("kind", ["activity", "extend", "hold", "release", "sync"])
    async def test_no_message_is_served(self, kind: str, clock: Time, signed: Signed, tab: Tab):
        clock.pass_(101)
        await tab.say(kind, **({"id": "x"} if kind in {"hold", "release"} else {}))
        frame = await tab.frame()
        assert (frame["phase"], frame["reason"], frame["login_url"]) == ("ended", "idle", "/login/")
        assert await tab.close_code() == 4401
        await tab.say("extend")
        await push(clock)
        assert await tab.socket.receive_nothing(0.02)
        facts = signed.watched.activity
        assert (facts.reason, facts.extensions, facts.holds) == (Reason.IDLE, 0, {})

    @pytest.mark.rule("R11")
    async def test_a_session_ended_elsewhere_refuses_the_next_message(self, clock: Time, signed: Signed, tab: Tab):
        await monitor.aend(signed.watch_id, Reason.REVOKED, clock.now)
        await tab.say("activity")
        assert (await tab.frame())["reason"] == "revoked"
        assert await tab.close_code() == 4401

    async def test_the_store_is_not_told_that_its_tabs_go(self, clock: Time, signed: Signed, tab: Tab):
        await monitor.aend(signed.watch_id, Reason.REVOKED, clock.now)
        await push(clock)
        assert (await tab.frame())["reason"] == "revoked"
        assert await tab.close_code() == 4401
        with mock.patch.object(
            type(stores.current().sessions), "aapply", wraps=stores.current().sessions.aapply
        ) as told:
            await tab.leave(4401)
        assert hub_tabs() == 0
        assert told.call_count == 0

    async def test_a_watch_without_facts_and_record_is_lost(self, signed: Signed, tab: Tab):
        await WatchedSession.objects.all().adelete()
        lose_store()
        await tab.say("sync")
        frame = await tab.frame()
        assert (frame["phase"], frame["reason"]) == ("ended", "lost")
        assert await tab.close_code() == 4401


class TestClosing:
    """The server notices a closed browser, and tells it from everything that looks alike."""

    @pytest.mark.parametrize(
        ("code", "arms"),
        [(1000, True), (1001, True), *((code, False) for code in (1005, 1006, None, 1011, 1012, 4000))],
    )
    async def test_the_last_clean_close_alone_arms_the_grace(
        self, code: int | None, arms: bool, clock: Time, signed: Signed, tab: Tab
    ):
        await tab.leave(code)
        assert signed.watched.activity.tabs == {}
        assert signed.watched.activity.closed_at == (clock.now if arms else None)

    @pytest.mark.parametrize("is_closed", [False, True])
    async def test_a_tab_whose_process_was_taken_for_dead_counts_again_when_its_user_acts(
        self, is_closed: bool, clock: Time, signed: Signed, tab: Tab
    ):
        sessions, name = stores.current().sessions, current_process().name
        sessions.apply(signed.watch_id, TabOpened("other", 50), clock.now)
        sessions.apply(signed.watch_id, TabsCounted(name, 0), clock.now)
        if is_closed:
            clock.pass_(1)
            sessions.apply(signed.watch_id, TabClosed("other", closed=True), clock.now)
        clock.pass_(1)
        await tab.say("activity")
        await tab.sync()
        sessions.apply(signed.watch_id, TabClosed("other", closed=True), clock.now)
        assert (signed.watched.activity.tabs, signed.watched.activity.closed_at) == ({name: 1}, None)


class TestSturdiness:
    async def test_a_handler_that_fails_gives_the_tab_back(self, monkeypatch: pytest.MonkeyPatch, signed: Signed):
        other, tab = [await Tab.open(signed) for _ in range(2)]
        monkeypatch.setattr(consumers, "parse", mock.Mock(side_effect=RuntimeError("broken")))
        await tab.say("sync")
        with pytest.raises(RuntimeError, match="broken"):
            await tab.socket.wait()
        assert signed.watched.activity.tabs == {current_process().name: 1}
        assert signed.watched.activity.closed_at is None
        assert hub_tabs() == 1
        await other.leave()

    async def test_a_tab_that_was_never_counted_is_not_taken_back(
        self, monkeypatch: pytest.MonkeyPatch, signed: Signed
    ):
        other, tab = await Tab.open(signed), Tab(signed.key)
        monkeypatch.setattr(monitor, "alook", mock.AsyncMock(side_effect=RuntimeError("store away")))
        assert await tab.is_accepted()
        with pytest.raises(RuntimeError, match="store away"):
            await tab.socket.wait()
        assert signed.watched.activity.tabs == {current_process().name: 1}
        assert hub_tabs() == 1
        await other.leave()

    async def test_a_tab_that_is_cancelled_while_it_connects_is_forgotten(
        self, monkeypatch: pytest.MonkeyPatch, signed: Signed
    ):
        held_up = asyncio.Event()

        async def stuck(*args: Any) -> None:
            held_up.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(monitor, "alook", stuck)
        tab = Tab(signed.key)
        assert await tab.is_accepted()
        await held_up.wait()
        tab.socket.future.cancel()
        await asyncio.wait([tab.socket.future])
        assert hub_tabs() == 0
        assert signed.watched.activity.tabs == {}

    async def test_a_tab_that_is_cancelled_is_given_back(self, signed: Signed, tab: Tab):
        tab.socket.future.cancel()
        await asyncio.wait([tab.socket.future])
        assert tab.socket.future.cancelled()
        assert hub_tabs() == 0
        assert signed.watched.activity.tabs == {}
        assert signed.watched.activity.closed_at is None

    async def test_a_page_that_leaves_before_it_is_told_is_given_back(self, signed: Signed):
        tab = Tab(signed.key)
        await tab.socket.send_input({"type": "websocket.connect"})
        await tab.socket.send_input({"type": "websocket.disconnect", "code": 1006})
        await tab.socket.wait(5)
        assert hub_tabs() == 0
        assert signed.watched.activity.tabs == {}


class TestAClientThatIsGone:
    """Sends fail between a browser's close and the server's notice of it."""

    @pytest.fixture(params=[OSError("gone"), Disconnected("gone")], ids=["by ASGI 2.4", "as Daphne does it"])
    def gone(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
        gone = asyncio.Event()

        async def losing(scope: Any, receive: Any, send: Any) -> None:
            async def sending(message: Any) -> None:
                if gone.is_set():
                    raise request.param
                await send(message)

            await application(scope, receive, sending)

        monkeypatch.setattr("tests.support.sockets.application", losing)
        return gone

    @pytest.mark.parametrize(("code", "arms"), [(1001, True), (1006, False)])
    async def test_what_its_close_meant_is_heard(
        self,
        code: int,
        arms: bool,
        gone: asyncio.Event,
        clock: Time,
        caplog: pytest.LogCaptureFixture,
        signed: Signed,
        tab: Tab,
    ):
        gone.set()
        await tab.say("sync")
        clock.pass_(85)
        await push(clock)
        await tab.say("extend")
        await tab.leave(code)
        await tab.socket.wait()
        assert (signed.watched.activity.closed_at is not None) is arms
        assert signed.watched.activity.tabs == {}
        # What its user did last counts.
        assert signed.watched.activity.active == pytest.approx(clock.now, abs=1)
        assert hub_tabs() == 0
        assert errors(caplog) == []

    async def test_a_server_that_sends_it_away_is_not_troubled(
        self, gone: asyncio.Event, caplog: pytest.LogCaptureFixture, signed: Signed, tab: Tab
    ):
        gone.set()
        for _ in range(MAX_BAD_MESSAGES):
            await tab.send("bad")
        await tab.leave(1001)
        await tab.socket.wait()
        assert signed.watched.activity.closed_at is not None
        assert errors(caplog) == []


class TestCost:
    async def test_a_heartbeat_is_one_store_call_and_needs_no_thread_no_layer_no_database_and_no_user(
        self, clock: Time, signed: Signed, tab: Tab
    ):
        clock.pass_(50)
        sessions = mock.Mock(wraps=stores.current().sessions)
        with pytest.MonkeyPatch.context() as patch:
            for forbidden in (
                "asgiref.sync.SyncToAsync.__call__",
                "asyncio.base_events.BaseEventLoop.run_in_executor",
                "channels.layers.get_channel_layer",
                "channels.layers.InMemoryChannelLayer.send",
                "channels.layers.InMemoryChannelLayer.receive",
                "django.contrib.auth.get_user",
                "django.db.backends.utils.CursorWrapper.execute",
            ):
                patch.setattr(forbidden, mock.Mock(side_effect=AssertionError(forbidden)))
            patch.setattr(stores.current(), "sessions", sessions)
            await tab.say("activity")
            await tab.sync()
        assert [name for name, *_ in sessions.mock_calls] == ["collect", "aget"]
        assert signed.watched.activity.active == clock.now


@pytest.mark.usefixtures("on_redis")
async def test_a_heartbeat_that_comes_before_the_timer_begins_holds_up_nothing(clock: Time):
    # Nothing tells Redis of it later, so it does not wait for others.
    tab = await Tab.open(await sign_in())
    clock.pass_(50)
    await tab.say("activity")
    assert (await tab.sync())["remaining"] == pytest.approx(100, abs=1)


@pytest.mark.usefixtures("on_redis")
async def test_a_heartbeat_of_a_session_without_a_warning_waits_for_no_others(
    clock: Time, site: Any, monkeypatch: pytest.MonkeyPatch
):
    # Another process may judge the end meanwhile, and no warning comes before it that activity would take back.
    site.IDLEWATCH = {**site.IDLEWATCH, "WARN_BEFORE": 0}
    monkeypatch.setattr(heartbeats, "COLLECTION_TIME", 60.0)
    recovery = stores.recovery_of(current_process())
    assert recovery is not None
    # As once a timer runs.
    recovery._outage.is_tended = True
    signed = await sign_in()
    tab = await Tab.open(signed)
    clock.pass_(99.99)
    await tab.say("activity")
    await until(lambda: recovery.sessions.get(signed.watch_id).activity.active == clock.now)


class TestLoginUrl:
    """In an ended frame: it is the page's, which a push to all tabs of a session knows nothing of."""

    @pytest.fixture(autouse=True)
    def multilingual(self, site: Any) -> None:
        site.ROOT_URLCONF, site.LOGIN_URL = "tests.support.multilingual_site", "login"

    async def test_each_tab_gets_that_of_its_pages_language_and_of_its_script_name(self, clock: Time, signed: Signed):
        tabs = [
            await Tab.open(signed, path=f"{TAB_PATH}?idlewatch-language=de", headers=[("accept-language", "fr")]),
            await Tab.open(signed, path=f"/app{TAB_PATH}", root_path="/app", headers=[("accept-language", "fr")]),
            await Tab.open(signed, path=f"{TAB_PATH}?idlewatch-language=xx"),
        ]
        clock.pass_(100)
        await push(clock)
        urls = [(await tab.frame())["login_url"] for tab in tabs]
        assert urls == ["/de/login/", "/app/fr/login/", "/en/login/"]

    async def test_one_that_only_requests_can_tell_is_left_to_the_page(self, clock: Time, signed: Signed, site: Any):
        site.LOGIN_URL = "of-another-urlconf"
        tab = await Tab.open(signed)
        clock.pass_(100)
        await push(clock)
        frame = await tab.frame()
        assert (frame["phase"], "login_url" in frame) == ("ended", False)


class TestPage:
    """A page may outlive its session: its address says for which it was made."""

    async def test_one_of_the_session_hears_nothing_of_it(self, clock: Time, signed: Signed):
        tab = await Tab.open(signed, path=f"{TAB_PATH}?for={token_of(signed.watched)}")
        assert "page" not in tab.first
        assert "page" not in await tab.sync()

    @pytest.mark.rule("R32")
    async def test_one_from_before_the_newest_sign_in_is_told_so_once(self, clock: Time):
        earlier, signed = await sign_in(), await sign_in()
        tab = await Tab.open(signed, path=f"{TAB_PATH}?for={token_of(earlier.watched)}")
        assert (tab.first["phase"], tab.first["page"]) == ("active", "renewed")
        assert "page" not in await tab.sync()

    async def test_one_of_another_user_is_over_and_counts_as_no_tab(self, clock: Time):
        other, signed = await sign_in("bob"), await sign_in()
        tab = await Tab.open(signed, path=f"{TAB_PATH}?for={token_of(other.watched)}")
        assert (tab.first["phase"], tab.first["reason"], tab.first["page"]) == ("ended", "logout", "foreign")
        assert await tab.close_code() == Close.ENDED
        assert signed.watched.activity.tab_count == 0

    @pytest.mark.parametrize("query", [b"for=\xff", b"for=%FF", "for=é".encode(), b"for="])
    async def test_one_with_an_unreadable_token_is_foreign(self, query: bytes):
        tab = Tab((await sign_in()).key, query_string=query)
        assert await tab.is_accepted()
        assert (await tab.frame())["page"] == "foreign"
