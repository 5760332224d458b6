from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.testing import WebsocketCommunicator
from django.core import mail
from django.core.asgi import get_asgi_application
from twisted.internet.interfaces import IListeningPort
from zope.interface import directlyProvides

from idlewatch import asgi
from idlewatch.asgi import is_watched, watched
from idlewatch.core.protocol import TAB_PATH
from idlewatch.process import current_process
from idlewatch.runtime.runtime import Runtime, runtime_of
from idlewatch.runtime.timer import Timer

HTTP = {"type": "http", "path": "/page/", "headers": []}


@pytest.fixture
def project() -> mock.AsyncMock:
    """A project's application."""
    return mock.AsyncMock()


@pytest.fixture(autouse=True)
async def idle_timer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Timer]]:
    """The timers that were started; they do nothing."""
    started: list[Timer] = []

    async def run(self: Timer) -> None:
        started.append(self)
        await asyncio.Event().wait()

    monkeypatch.setattr(Timer, "run", run)
    yield started
    await here().stop()


def socket_to(path: str, application: Any) -> WebsocketCommunicator:
    headers = [(b"host", b"testserver"), (b"origin", b"http://testserver")]
    return WebsocketCommunicator(application, path, headers=headers)


async def call(application: Any, scope: dict[str, Any] = HTTP) -> None:
    await application(scope, mock.AsyncMock(), mock.AsyncMock())


def here() -> Runtime:
    return runtime_of(current_process())


class TestRouting:
    @pytest.mark.parametrize(
        "scope",
        [HTTP, {"type": "websocket", "path": "/ws/chat/", "headers": []}, HTTP | {"path": TAB_PATH}],
        ids=["http", "socket", "http-to-the-path-of-a-socket"],
    )
    async def test_what_is_the_projects_goes_to_it_untouched(self, project: mock.AsyncMock, scope: dict[str, Any]):
        receive, send = mock.AsyncMock(), mock.AsyncMock()
        await watched(project)(scope, receive, send)
        project.assert_awaited_once_with(scope, receive, send)
        assert project.await_args.args[0] is scope

    @pytest.mark.django_db(transaction=True)
    async def test_a_tabs_socket_is_served_here(self, project: mock.AsyncMock):
        tab = socket_to(TAB_PATH, watched(project))
        accepted, _ = await tab.connect()
        assert accepted
        assert (await tab.receive_json_from())["phase"] == "ended"
        project.assert_not_awaited()

    @pytest.mark.parametrize(
        "path", ["/ws/idlewatch/", "/ws/idlewatch/tabs/", "/ws/idlewatch/tab", "/ws/idlewatch/x/y"]
    )
    async def test_a_socket_of_ours_that_is_not_there_is_refused_and_never_the_projects(
        self, project: mock.AsyncMock, path: str
    ):
        """Django's application would answer each with a traceback in the log."""
        assert await socket_to(path, watched(project)).connect() == (False, 1000)
        project.assert_not_awaited()

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize(
        ("forced", "root_path", "path"),
        [
            (None, "/app", "/app" + TAB_PATH),
            (None, "/app", TAB_PATH),
            ("/app", "", "/app" + TAB_PATH),
            ("/app", "", TAB_PATH),
            # Wrapped is another application, which has Django below a path.
            (None, "", "/app" + TAB_PATH),
        ],
    )
    async def test_it_is_below_a_script_name_too_also_if_a_proxy_has_cut_that_off(
        self, project: mock.AsyncMock, settings: Any, forced: str | None, root_path: str, path: str
    ):
        settings.FORCE_SCRIPT_NAME, settings.LOGIN_URL = forced, "login"
        tab = socket_to(path, watched(project))
        tab.scope["root_path"] = root_path
        assert (await tab.connect())[0]
        assert (await tab.receive_json_from())["login_url"] == "/app/login/"
        project.assert_not_awaited()

    async def test_nothing_is_kept_of_what_was_served_or_raised(self, project: mock.AsyncMock):
        project.side_effect = [None, LookupError("of the project")]
        application = watched(project)
        await call(application)
        with pytest.raises(LookupError, match="of the project"):
            await call(application)
        assert application._serving == application._answering == set()


class TestStarting:
    async def test_the_first_scope_starts_the_timer_and_no_other_does(
        self, project: mock.AsyncMock, idle_timer: list[Timer]
    ):
        first, second = watched(project), watched(project)
        await asyncio.gather(*(call(each) for each in [first, second] * 10))
        await asyncio.sleep(0)
        assert idle_timer == [here().timer]
        assert here().runs
        assert is_watched()

    async def test_each_event_loop_has_its_own(self, project: mock.AsyncMock, idle_timer: list[Timer]):
        application = watched(project)

        async def serve() -> Runtime:
            await call(application)
            await asyncio.sleep(0)
            assert here().runs
            return here()

        this = await serve()
        there = await asyncio.to_thread(lambda: asyncio.run(serve()))
        assert idle_timer == [this.timer, there.timer]
        assert this is not there
        assert this.runs

    async def test_the_timer_knows_nothing_of_the_request_that_started_it(self, monkeypatch: pytest.MonkeyPatch):
        """Tied to that request's thread, its database work would fail when the request is over."""
        of_the_request: ContextVar[str] = ContextVar("of_the_request", default="nothing")
        seen: list[str] = []

        async def run(self: Timer) -> None:
            seen.append(of_the_request.get())

        monkeypatch.setattr(Timer, "run", run)
        of_the_request.set("something")
        await call(watched(mock.AsyncMock()))
        await asyncio.sleep(0)
        assert seen == ["nothing"]

    async def test_nothing_starts_again_while_the_server_goes(self, project: mock.AsyncMock, idle_timer: list[Timer]):
        application = watched(project)
        await call(application)
        await asyncio.sleep(0)
        await here().stop()
        await call(application)
        await asyncio.sleep(0)
        assert len(idle_timer) == 1
        assert not here().runs
        assert project.await_count == 2

    def test_the_module_can_be_imported_before_there_are_settings(self):
        """A project's `asgi.py` imports it before `get_asgi_application()` has set Django up."""
        code = "import idlewatch.asgi, sys; assert 'django.apps' not in sys.modules, 'it imports Django'"
        done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


class TestLifespan:
    """Servers other than Daphne say when they start and when they stop."""

    @staticmethod
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        """An application that does not know the protocol, and raises no error either."""

    @staticmethod
    async def late(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise LookupError("not known here")

    @pytest.mark.rule("R26")
    @pytest.mark.parametrize("application", [get_asgi_application(), silent, late], ids=["django", "silent", "late"])
    async def test_the_timer_starts_with_the_server_which_waits_for_its_end(
        self, application: Any, idle_timer: list[Timer]
    ):
        server = ApplicationCommunicator(watched(application), {"type": "lifespan"})
        await server.send_input({"type": "lifespan.startup"})
        assert await server.receive_output() == {"type": "lifespan.startup.complete"}
        assert idle_timer == [here().timer]
        hub, tab = here().hub, mock.AsyncMock()
        tab.dismiss.side_effect = lambda: hub.leave("w1", tab)
        hub.join("w1", tab)
        with mock.patch.object(Timer, "finish") as finish:
            await server.send_input({"type": "lifespan.shutdown"})
            assert await server.receive_output() == {"type": "lifespan.shutdown.complete"}
        await server.wait()
        tab.dismiss.assert_awaited_once_with()
        finish.assert_awaited_once_with()
        assert not here().runs

    @pytest.mark.parametrize("broken", [False, True])
    async def test_an_application_that_speaks_it_answers_for_itself_and_stops_last(
        self, broken: bool, monkeypatch: pytest.MonkeyPatch
    ):
        told: list[tuple[str, bool]] = []

        async def speaking(scope: Any, receive: Any, send: Any) -> None:
            for _ in range(2):
                event = (await receive())["type"]
                told.append((event, here().runs))
                await send({"type": f"{event}.complete", "by": "the project"})

        if broken:
            monkeypatch.setattr(Timer, "finish", mock.AsyncMock(side_effect=RuntimeError("of the database")))
        server = ApplicationCommunicator(watched(speaking), {"type": "lifespan"})
        for event in ("lifespan.startup", "lifespan.shutdown"):
            await server.send_input({"type": event})
            assert await server.receive_output() == {"type": f"{event}.complete", "by": "the project"}
        await server.wait()
        assert told == [("lifespan.startup", True), ("lifespan.shutdown", False)]

    async def test_a_start_that_the_application_refuses_is_taken_back(self):
        async def failing(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no licence"})
            raise LookupError("of the project")

        server = ApplicationCommunicator(watched(failing), {"type": "lifespan"})
        await server.send_input({"type": "lifespan.startup"})
        assert (await server.receive_output())["message"] == "no licence"
        assert not here().runs
        with pytest.raises(LookupError, match="of the project"):
            await server.wait()


class FakeReactor(SimpleNamespace):
    """Twisted's, as far as it matters: keeps what is to be done before it shuts down."""

    def __init__(self) -> None:
        super().__init__(triggers=[], ports=[], started=[])

    def addSystemEventTrigger(self, phase: str, event: str, trigger: Callable[[], Any]) -> None:  # noqa: N802
        assert (phase, event) == ("before", "shutdown")
        self.triggers.append(trigger)

    def callWhenRunning(self, started: Callable[[], None]) -> None:  # noqa: N802
        self.started.append(started)

    def getReaders(self) -> list[object]:  # noqa: N802
        return [SimpleNamespace(), *self.ports]

    def listen(self, **attributes: Any) -> mock.Mock:
        port = mock.Mock(**attributes)
        directlyProvides(port, IListeningPort)
        self.ports.append(port)
        return port

    async def shut_down(self) -> None:
        (trigger,) = self.triggers
        await trigger().asFuture(asyncio.get_running_loop())


@pytest.mark.rule("R26")
class TestGoing:
    @pytest.fixture
    def reactor(self, monkeypatch: pytest.MonkeyPatch) -> FakeReactor:
        reactor = FakeReactor()
        monkeypatch.setitem(sys.modules, "twisted.internet.reactor", reactor)  # type: ignore[arg-type]
        return reactor

    async def test_daphne_takes_no_more_connections_and_waits_until_the_tabs_were_sent_away(
        self, reactor: FakeReactor, project: mock.AsyncMock
    ):
        port = reactor.listen()
        await call(watched(project))
        hub, tab = here().hub, mock.AsyncMock()
        tab.dismiss.side_effect = lambda: hub.leave("w1", tab)
        hub.join("w1", tab)
        await reactor.shut_down()
        port.stopListening.assert_called_once_with()
        tab.dismiss.assert_awaited_once_with()
        assert not here().runs

    async def test_the_tabs_are_sent_away_though_daphne_ends_them_at_the_same_time(
        self, reactor: FakeReactor, project: mock.AsyncMock
    ):
        watched(project)
        tab = mock.AsyncMock()

        async def serve() -> None:
            here().hub.join("w1", tab)
            try:
                await asyncio.Event().wait()
            finally:
                here().hub.leave("w1", tab)

        serving = asyncio.create_task(serve())
        await asyncio.sleep(0)
        gone = reactor.triggers[0]()
        serving.cancel()
        await gone.asFuture(asyncio.get_running_loop())
        tab.dismiss.assert_awaited_once_with()

    async def test_a_tab_that_comes_meanwhile_is_sent_back_without_a_look_at_its_session(self, project: mock.AsyncMock):
        await here().stop()
        with mock.patch("asgiref.sync.SyncToAsync.__call__", side_effect=AssertionError("a thread hop")):
            tab = socket_to(TAB_PATH, watched(project))
            assert (await tab.connect())[0]
            assert await tab.receive_output() == {"type": "websocket.close", "code": 4503}
            await tab.wait()

    async def test_what_daphne_fails_to_cancel_is_cancelled(
        self, reactor: FakeReactor, monkeypatch: pytest.MonkeyPatch
    ):
        """Within a second of a handshake, its own attempt ends with a KeyError."""
        monkeypatch.setattr(asgi, "DRAIN_TIMEOUT", 0.05)

        async def endless(*_: Any) -> None:
            await asyncio.Event().wait()

        application = watched(endless)
        serving = [asyncio.create_task(call(application)) for _ in range(3)]
        await asyncio.sleep(0)
        await reactor.shut_down()
        assert all(task.cancelled() for task in serving)

    @pytest.mark.parametrize("tls", [False, True])
    async def test_a_page_has_time_to_answer_a_close(self, reactor: FakeReactor, project: mock.AsyncMock, *, tls: bool):
        server = mock.Mock()
        factory = SimpleNamespace(server=server)
        reactor.listen(factory=object())
        reactor.listen(factory=SimpleNamespace(wrappedFactory=factory) if tls else factory)
        watched(project)
        (started,) = reactor.started
        started()
        server.ws_factory.setProtocolOptions.assert_called_once_with(
            closeHandshakeTimeout=5, allowNullOrigin=server.ws_factory.allowNullOrigin
        )

    async def test_what_is_being_answered_is_answered(self, reactor: FakeReactor):
        answered = asyncio.Event()

        async def slow(*_: Any) -> None:
            await asyncio.sleep(0.2)
            answered.set()

        serving = asyncio.create_task(call(watched(slow)))
        await asyncio.sleep(0)
        await reactor.shut_down()
        assert answered.is_set()
        await serving

    async def test_it_does_not_wait_for_ever(
        self, reactor: FakeReactor, project: mock.AsyncMock, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(asgi, "SHUTDOWN_TIMEOUT", 0.05)
        watched(project)
        tab = mock.AsyncMock()
        tab.dismiss.side_effect = asyncio.Event().wait
        here().hub.join("w1", tab)
        with pytest.raises(TimeoutError):
            await reactor.shut_down()
        here().hub.leave("w1", tab)

    async def test_without_daphne_there_is_nothing_to_wait_for(
        self, monkeypatch: pytest.MonkeyPatch, project: mock.AsyncMock
    ):
        monkeypatch.delitem(sys.modules, "twisted.internet.reactor", raising=False)
        watched(project)
        assert "twisted.internet.reactor" not in sys.modules


class TestStopThatIsNotHeard:
    """In a mount of another application `watched` gets no `lifespan`, so that no stop of the server reaches it."""

    @pytest.mark.parametrize(("has_lifespan", "expected"), [(False, 1), (True, 0)])
    async def test_it_is_logged_once(
        self,
        project: mock.AsyncMock,
        idle_timer: list[Timer],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        has_lifespan: bool,
        expected: int,
    ):
        monkeypatch.delattr(mail, "outbox")
        application = watched(project)
        if has_lifespan:
            events = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
            await application({"type": "lifespan"}, mock.AsyncMock(side_effect=events), mock.AsyncMock())
        for _ in range(2):
            await call(application)
        assert sum("do not reach" in each.getMessage() for each in caplog.records) == expected
