"""The channel layer, over which processes of their own listen."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest
from channels.exceptions import InvalidChannelLayerError
from channels.layers import InMemoryChannelLayer, get_channel_layer
from channels_redis.pubsub import RedisPubSubChannelLayer

from idlewatch.core.clock import Clock
from idlewatch.doctor.backends.own_store import OwnStore
from idlewatch.doctor.findings import Finding, Outcome, Trial
from idlewatch.doctor.sections import channel_layer
from idlewatch.ops.self_report import SelfReport, TimerReport
from idlewatch.process import Process
from idlewatch.runtime.bus import Bus
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.roll_call import call_roll
from idlewatch.store.redis import RedisStore
from tests.support.examined import examined, of, outcomes, report
from tests.support.redis_server import redis_url

OK, FAULT, SKIPPED = Outcome.OK, Outcome.FAULT, Outcome.SKIPPED
WITHIN = 5.0
SECRET_HOST = "redis://user:secret@127.0.0.1:1/0"


@contextmanager
def listening(name: str) -> Iterator[None]:
    """Have a process listen on an event loop of its own."""
    stopped, is_listening = asyncio.Event(), Event()

    async def listen() -> None:
        process = Process(name)
        task = asyncio.create_task(Bus(process, Hub(process)).run())
        layer = get_channel_layer()
        async with asyncio.timeout(WITHIN):
            while name not in await call_roll(layer, Clock(), "test", [name], 0.1):
                pass
        is_listening.set()
        await stopped.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await close(layer)

    loop = asyncio.new_event_loop()
    thread = Thread(target=lambda: asyncio.Runner(loop_factory=lambda: loop).run(listen()))
    thread.start()
    try:
        assert is_listening.wait(WITHIN)
        yield
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(WITHIN)
        loop.close()


class Leases:
    """The leases of processes: as they were at first, and as they are later."""

    def __init__(self) -> None:
        self.first = dict[str, float]()
        self.later = dict[str, float]()

    def renew(self, name: str) -> None:
        self.first[name], self.later[name] = 9.0, 10.0

    def leave(self, name: str) -> None:
        """Have a process die with a lease."""
        self.first[name] = self.later[name] = 9.0


@pytest.fixture
def leases(monkeypatch: pytest.MonkeyPatch) -> Leases:
    leases = Leases()

    async def inspect(_: object) -> Any:
        return SimpleNamespace(leases=leases.later)

    monkeypatch.setattr(OwnStore, "condition", SimpleNamespace(living=leases.first, leases=leases.first))
    monkeypatch.setattr(RedisStore, "inspect", inspect)
    return leases


def found(*reports: SelfReport) -> Sequence[Finding]:
    with examined(*reports) as site:
        findings = list(channel_layer.examine(site))
        with suppress(InvalidChannelLayerError):
            site.run(close(get_channel_layer()))
        return findings


async def close(layer: object) -> None:
    """Close the connections that a layer has on this event loop."""
    if isinstance(layer, RedisPubSubChannelLayer):
        # A server that is away closes none.
        with suppress(ConnectionError):
            await layer.flush()


def shared(process: str = "p1", **changes: Any) -> SelfReport:
    return report(process, is_store_shared=True, **changes)


def test_is_not_needed_for_the_memory_store():
    findings = found(report())
    assert outcomes(findings) == {Trial.LAYER: OK}
    assert "not needed" in findings[0].came


@pytest.mark.usefixtures("on_redis", "leases")
class TestDelivery:
    @pytest.fixture(autouse=True)
    def briefly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(channel_layer, "ROLL_TIMEOUT", 0.3)
        monkeypatch.setattr("idlewatch.doctor.site.START_TIMEOUT", 0.0)

    def delivery(self, *reports: SelfReport, listen: Sequence[str] = ()) -> Finding:
        with ExitStack() as stack:
            for name in listen:
                stack.enter_context(listening(name))
            findings = found(*reports)
        assert of(findings, Trial.LAYER).outcome is OK
        return of(findings, Trial.LAYER_DELIVERY)

    def test_reaches_each_process_that_answered(self):
        finding = self.delivery(shared(), shared("p2"), listen=["p1", "p2"])
        assert finding.outcome is OK
        assert finding.came.endswith(": p1, p2")

    def test_reaches_processes_that_answer_no_request(self, leases: Leases):
        leases.renew("timer")
        assert self.delivery(shared(), listen=["p1", "timer"]).outcome is OK

    def test_finds_a_listener_that_stopped(self):
        finding = self.delivery(shared(), shared("p2"), listen=["p1"])
        assert (finding.outcome, finding.came) == (FAULT, "no answer from p2; p1 answered")
        assert "listener of that process has stopped" in finding.hint

    def test_finds_that_of_a_process_with_a_lease(self, leases: Leases):
        leases.renew("timer")
        assert self.delivery(shared(), listen=["p1"]).came == "no answer from timer; p1 answered"

    def test_awaits_no_process_that_died_a_moment_ago(self, leases: Leases):
        leases.leave("dead")
        assert self.delivery(shared(), listen=["p1"]).outcome is OK
        assert self.delivery().outcome is SKIPPED

    def test_finds_the_listener_of_a_single_process(self):
        deaf = TimerReport(round_age=0.4, is_listening=False)
        assert "listener of that process has stopped" in self.delivery(shared(timer=deaf)).hint

    def test_finds_that_nothing_is_carried(self):
        finding = self.delivery(shared(), shared("p2"))
        assert (finding.outcome, finding.came) == (FAULT, "no answer from p1, p2")
        assert "carries nothing between processes" in finding.hint

    def test_finds_a_layer_of_each_process(self, settings: Any):
        settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
        finding = self.delivery(shared())
        assert finding.outcome is FAULT
        assert "Each process has a channel layer of its own" in finding.hint

    @pytest.mark.parametrize(("others", "outcome"), [(["p1", "p2"], SKIPPED), (["p2"], FAULT)])
    def test_of_other_settings_than_all_have_is_no_second_fault(self, others: Sequence[str], outcome: Outcome):
        other = {**report().settings, "CHANNEL_LAYERS": "other"}
        reports = [shared(name, **({"settings": other} if name in others else {})) for name in ("p1", "p2")]
        assert self.delivery(*reports).outcome is outcome

    def test_finds_another_prefix(self, settings: Any):
        with listening("p1"):
            hosts = [{"address": redis_url(), "socket_timeout": None}]
            backend = f"{RedisPubSubChannelLayer.__module__}.RedisPubSubChannelLayer"
            config = {"hosts": hosts, "prefix": secrets.token_hex(8)}
            settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "CONFIG": config}}
            assert self.delivery(shared()).outcome is FAULT

    def test_is_asked_of_processes_with_a_timer(self):
        """Others serve no tabs."""
        assert self.delivery(shared(timer=None, interface="wsgi")).outcome is SKIPPED

    def test_is_tried_twice(self, monkeypatch: pytest.MonkeyPatch):
        """A layer may lose a message without an error."""
        lose, lost = RedisPubSubChannelLayer.__getattr__, list[str]()

        async def nothing(*_: object) -> None:
            lost.append("message")

        def getattr_(layer: Any, name: str) -> Callable[..., Any]:
            return nothing if name == "group_send" and not lost else lose(layer, name)

        with listening("p1"):
            monkeypatch.setattr(RedisPubSubChannelLayer, "__getattr__", getattr_)
            assert self.delivery(shared()).outcome is OK
        assert lost == ["message"]


class Broken(InMemoryChannelLayer):
    async def send(self, *_: object) -> None:
        raise OSError(SECRET_HOST)


class Deaf(InMemoryChannelLayer):
    async def receive(self, _: str) -> Any:
        await asyncio.Event().wait()


class BrokenInGroups(InMemoryChannelLayer):
    async def group_send(self, *_: object) -> None:
        raise OSError(SECRET_HOST)


@pytest.mark.usefixtures("on_redis", "leases")
class TestALayerThatFails:
    @pytest.fixture(autouse=True)
    def briefly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(channel_layer, "LAYER_TIMEOUT", 0.2)

    @pytest.mark.parametrize(
        ("layers", "came"),
        [
            ({}, "there is none"),
            ({"default": {"BACKEND": f"{__name__}.Broken"}}, "it fails: OSError"),
            ({"default": {"BACKEND": f"{__name__}.Deaf"}}, "nothing within 200 ms"),
            ({"default": {"BACKEND": "no.such.Layer"}}, "it fails: InvalidChannelLayerError"),
            (
                {
                    "default": {
                        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
                        "CONFIG": {"hosts": [SECRET_HOST]},
                    }
                },
                "it fails: ConnectionError",
            ),
        ],
        ids=["none", "broken", "deaf", "unknown", "away"],
    )
    def test_is_one_fault(self, layers: dict[str, Any], came: str, settings: Any):
        settings.CHANNEL_LAYERS = layers
        findings = found(shared())
        assert outcomes(findings) == {Trial.LAYER: FAULT, Trial.LAYER_DELIVERY: SKIPPED}
        assert of(findings, Trial.LAYER).came == came
        assert "secret" not in str([(each.tried, each.came, each.expected, each.hint) for each in findings])

    def test_in_groups_alone_is_a_fault(self, settings: Any):
        settings.CHANNEL_LAYERS = {"default": {"BACKEND": f"{__name__}.BrokenInGroups"}}
        findings = found(shared())
        assert outcomes(findings) == {Trial.LAYER: OK, Trial.LAYER_DELIVERY: FAULT}
        assert of(findings, Trial.LAYER_DELIVERY).came == "it fails: OSError"
