from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from io import StringIO
from itertools import product
from operator import itemgetter
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.test import Client
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from idlewatch import metrics
from idlewatch.conf import conf
from idlewatch.core.activity import Reason
from idlewatch.core.events import Extended, TabOpened
from idlewatch.exceptions import StoreUnavailable, Undecided
from idlewatch.management.commands.runtimer import Command
from idlewatch.models import WatchedSession
from idlewatch.monitor import stores
from idlewatch.ops import exposition, metrics_server
from idlewatch.process import current_process
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.timer import CLAIM_LEASE, Timer
from idlewatch.store.redis import RedisStore
from idlewatch.store.values import Census, Due
from tests.conftest import START, Time
from tests.support.serving import ROOT, clean_environment, free_port
from tests.support.sockets import FakeTab, Signed, Tab, sign_in
from tests.support.watches import keep

DOCS = ROOT / "docs"
PAGE = (DOCS / "metrics.md").read_text()
DASHBOARD = json.loads((DOCS / "metrics" / "dashboard.json").read_text())
ALERTS = (DOCS / "metrics" / "alerts.yml").read_text()
TOKEN = "a-token-that-is-hard-to-guess"
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def census(monkeypatch: pytest.MonkeyPatch) -> mock.AsyncMock:
    """What the store says of how many live."""
    asked = mock.AsyncMock(return_value=Census(active=5, warned=2, connected=4))
    monkeypatch.setattr(type(stores.current().statistics), "census", lambda _: asked())
    return asked


def samples_in(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse_plain(text)
        for sample in family.samples
    }


def scrape(accept: str = "") -> Samples:
    return samples_in(async_to_sync(exposition.exposition)(accept)[0].decode())


def value(name: str, **labels: str) -> float:
    """Return what a metric of the registry says now."""
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


class Grown:
    """How far metrics grew."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = name, labels
        self._before = value(name, **labels)

    @property
    def by(self) -> float:
        return value(self._name, **self._labels) - self._before


def names() -> set[str]:
    """Return every name of ours that a query may use."""
    found = set()
    for family in exposition._Scrape(Census(1, 1, 1)).collect():
        if family.name.startswith("idlewatch_"):
            suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
            found |= {family.name + suffix for suffix in suffixes}
    return found


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.getMessage().startswith("metrics_refused ")]


def named_in(text: str) -> set[str]:
    return set(re.findall(r"\bidlewatch_[a-z_]+\b", text))


def bare(name: str) -> str:
    return re.sub(r"_(bucket|sum|count)$", "", name)


@pytest.mark.django_db(transaction=True)
class TestWhoMaySee:
    def get(self, client: Client | None = None, **headers: str) -> Any:
        return (client or Client()).get("/metrics", headers=headers)

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
    def test_the_token_is_enough_for_a_get_that_no_cache_keeps(self, settings: Any, census: Any, scheme: str):
        settings.IDLEWATCH = {"METRICS_TOKEN": TOKEN}
        response = self.get(Authorization=f"{scheme} {TOKEN}")
        assert response.status_code == 200
        assert samples_in(response.content.decode())["idlewatch_sessions", (("phase", "active"),)] == 5
        assert "no-store" in response.headers["Cache-Control"]
        assert not response.cookies
        assert Client().post("/metrics").status_code == 405

    @pytest.mark.parametrize(
        "given",
        ["", "Bearer", "Bearer x", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é"],
    )
    def test_another_token_is_refused_and_where_there_is_none_each(self, settings: Any, given: str):
        for header in ({"Authorization": given}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}, {}):
            assert self.get(**header).status_code == 403
        settings.IDLEWATCH = {"METRICS_TOKEN": TOKEN}
        assert self.get(Authorization=given).status_code == 403

    @pytest.mark.parametrize(
        ("staff", "allowed", "status"), [(True, True, 200), (True, False, 403), (False, True, 403), (False, False, 403)]
    )
    def test_of_those_who_signed_in_staff_who_may_see_the_sessions(
        self, census: Any, staff: bool, allowed: bool, status: int
    ):
        signed = Signed()
        User.objects.filter(pk=signed.user.pk).update(is_staff=staff)
        if allowed:
            signed.user.user_permissions.add(Permission.objects.get(codename="view_watchedsession"))
        assert self.get(signed.client).status_code == status

    def test_a_refusal_is_logged_once_a_minute(self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
        ticks = mock.Mock()
        monkeypatch.setattr(current_process().clock, "ticks", ticks)
        for seconds, logged in ((100.0, 1), (159.9, 1), (160.0, 2), (219.9, 2), (220.0, 3)):
            ticks.return_value = seconds
            self.get(Authorization=f"Bearer {TOKEN}")
            assert len(refusals(caplog)) == logged, seconds
        assert TOKEN not in "".join(refusals(caplog))

    def test_to_look_at_it_is_no_activity(self, census: Any, clock: Time):
        User.objects.create_superuser("ada", password="pw")
        signed = Signed()
        clock.pass_(50)
        assert signed.client.get("/metrics", headers=NAVIGATION).status_code == 200
        assert signed.watched.activity.active == START


@pytest.mark.parametrize("given", ["x" * 15, "with a blank in the midst", "nëver-of-that-kind"])
def test_a_token_that_could_be_guessed_or_not_be_sent_is_refused(settings: Any, given: str):
    settings.IDLEWATCH = {"METRICS_TOKEN": "aA0-._~+/aA0-._~="}
    assert conf.metrics_token == "aA0-._~+/aA0-._~="
    settings.IDLEWATCH = {"METRICS_TOKEN": given}
    with pytest.raises(ImproperlyConfigured, match="METRICS_TOKEN"):
        _ = conf.metrics_token


class TestExposition:
    async def test_sessions_come_from_the_store_and_tabs_from_this_process(self, census: Any):
        hub = Hub(current_process())
        for _ in range(3):
            hub.join("w1", FakeTab())
        found = samples_in((await exposition.exposition(""))[0].decode())
        assert found["idlewatch_sessions", (("phase", "active"),)] == 5
        assert found["idlewatch_sessions", (("phase", "warned"),)] == 2
        assert found["idlewatch_sessions_connected", ()] == 4
        assert found["idlewatch_store_up", ()] == 1
        assert found["idlewatch_tabs", ()] == 3

    @pytest.mark.parametrize("fault", [StoreUnavailable, partial(asyncio.sleep, 60)], ids=["away", "hangs"])
    def test_while_the_store_does_not_answer_the_rest_is_there(
        self, census: mock.AsyncMock, monkeypatch: pytest.MonkeyPatch, fault: Any
    ):
        monkeypatch.setattr(exposition, "STORE_TIMEOUT", 0.05)
        census.side_effect = fault
        found = scrape()
        assert ("idlewatch_sessions", (("phase", "active"),)) not in found
        assert ("idlewatch_sessions_connected", ()) not in found
        assert found["idlewatch_store_up", ()] == 0
        assert ("idlewatch_ends_total", (("reason", "idle"),)) in found

    def test_the_format_is_what_the_scraper_asks_for(self, census: Any):
        ask = async_to_sync(exposition.exposition)
        body, content_type = ask("application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5")
        assert content_type.startswith("application/openmetrics-text; version=1.0.0")
        assert list(parse_openmetrics(body.decode()))
        assert ask("")[1] == "text/plain; version=0.0.4; charset=utf-8"
        for malformed in ("application/openmetrics-text; version=x", "text/plain; version=1.x", ";;,=", "é"):
            assert ask(malformed)[0]

    def test_the_default_registry_has_none_of_it(self):
        from prometheus_client import REGISTRY

        assert not [family for family in REGISTRY.collect() if family.name.startswith("idlewatch")]


@pytest.mark.django_db(transaction=True)
class TestWhatIsCounted:
    async def test_heartbeats_by_the_way_that_they_came(self):
        signed = await sign_in()
        grown = [Grown("idlewatch_heartbeats_total", via=via) for via in ("socket", "http")]
        tab = await Tab.open(signed)
        await tab.say("activity", ago=0)
        await tab.sync()
        await tab.leave()
        assert [each.by for each in grown] == [1, 0]
        for message in ({"type": "activity"}, {"type": "sync"}):
            post = sync_to_async(signed.client.post)
            response = await post("/idlewatch/message/", message, content_type="application/json")
            assert response.status_code == 200
        assert [each.by for each in grown] == [1, 1]

    def test_requests_by_what_they_were_judged(self, clock: Time, settings: Any):
        settings.IDLEWATCH = {"IDLE_TIMEOUT": 100, "WARN_BEFORE": 20, "HEARTBEAT": 5}
        signed = Signed()
        grown = {each: Grown("idlewatch_requests_total", verdict=each) for each in map(str, metrics.JUDGED)}
        Client().get("/public/")
        signed.client.get("/idlewatch/state/")
        clock.pass_(90)
        signed.client.get("/idlewatch/state/")
        clock.pass_(100)
        signed.client.get("/idlewatch/state/")
        with mock.patch("idlewatch.http.admission.monitor.look", side_effect=Undecided):
            Signed().client.get("/private/")
        counted = {verdict: each.by for verdict, each in grown.items()}
        assert counted == dict.fromkeys(grown, 1)

    def test_beginnings_and_ends(self):
        opened = Grown("idlewatch_sessions_opened_total")
        ended = Grown("idlewatch_ends_total", reason="logout")
        signed = Signed()
        signed.client.post("/logout/")
        assert WatchedSession.objects.get().reason == "logout"
        assert (opened.by, ended.by) == (1, 1)

    @pytest.fixture
    def timer(self, clock: Time) -> Timer:
        """A timer that owns the store, which has one session."""
        timer = Timer(current_process(), Hub(current_process()))
        timer.membership.owns_store = True
        keep("w1")
        return timer

    async def test_warnings_extensions_and_delays_of_pushes(self, clock: Time, timer: Timer):
        tab = FakeTab()
        timer._hub.join("w1", tab)
        stores.current().sessions.apply("w1", TabOpened(current_process().name, 5), START)
        warned, extended = Grown("idlewatch_warnings_total"), Grown("idlewatch_extensions_total")
        delays, late = Grown("idlewatch_push_delay_seconds_count"), Grown("idlewatch_push_delay_seconds_sum")
        clock.now = START + 80.25
        await timer.push(clock.now)
        clock.now = START + 85
        stores.current().sessions.apply("w1", Extended(), clock.now)
        await timer.push(clock.now)
        assert (warned.by, extended.by, delays.by) == (1, 1, 1)
        assert late.by == pytest.approx(0.25)
        clock.now = START + 185.5
        await timer.push(clock.now)
        assert tab.ended
        assert delays.by == 2
        assert late.by == pytest.approx(0.75)

    async def test_no_delay_where_no_tab_is_open(self, timer: Timer):
        delays = Grown("idlewatch_push_delay_seconds_count")
        await timer.push(START + 200)
        assert delays.by == 0

    async def test_claims_that_were_not_confirmed(self, timer: Timer):
        grown = Grown("idlewatch_claims_retried_total", why="lease")
        with mock.patch.object(timer._hub, "deliver", side_effect=OSError), pytest.raises(OSError):
            await timer.push(START + 80)
        await timer.push(START + 80 + CLAIM_LEASE)
        assert grown.by == 1

    async def test_claims_whose_facts_changed_meanwhile(self, timer: Timer):
        grown = Grown("idlewatch_claims_retried_total", why="changed")
        (claimed,) = await stores.current().queue.claim(Due.PUSH, START + 80, 1, CLAIM_LEASE)
        await timer.publisher.settle([claimed], START + 80)
        await timer.publisher.settle([claimed], START + 80)
        assert grown.by == 1

    async def test_turns_of_the_timer_and_its_rounds(self):
        timer = Timer(current_process(), Hub(current_process()))
        turns = {lane: Grown("idlewatch_tick_seconds_count", lane=lane) for lane in ("push", "record")}
        task = asyncio.create_task(timer.run())
        async with asyncio.timeout(10):
            while timer.kept_at is None or not all(each.by for each in turns.values()):
                assert not task.done()
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        await timer.finish()
        assert value("idlewatch_timer_last_round_timestamp_seconds") > 0

    @pytest.mark.usefixtures("on_redis")
    async def test_what_the_store_took(self):
        write = Grown("idlewatch_store_seconds_count", operation="write")
        get = Grown("idlewatch_store_seconds_count", operation="get")
        await sync_to_async(keep)("w1")
        await stores.current().sessions.aget("w1")
        assert write.by == 1
        assert get.by >= 2

    def test_what_the_store_did_not_answer(self):
        grown = Grown("idlewatch_store_errors_total")
        store = RedisStore("redis://127.0.0.1:1/0", {})
        with pytest.raises(StoreUnavailable):
            store.sessions.get("w1")
        store.close()
        assert grown.by == 1


@pytest.mark.django_db(transaction=True)
class TestLabels:
    async def test_nothing_that_a_browser_sends_becomes_one(self, census: Any, caplog: pytest.LogCaptureFixture):
        @sync_to_async
        def send() -> Signed:
            client = Client()
            for path in ("/nowhere/", "/metrics", "/idlewatch/message/"):
                for method in ("get", "post", "put", "patch"):
                    getattr(client, method)(f"{path}?q=marked", headers={"User-Agent": "marked", "Accept": "marked"})
            signed = Signed("marked")
            signed.client.post("/idlewatch/message/", '{"type":"marked"}', content_type="application/json")
            return signed

        before = set(samples_in((await exposition.exposition(""))[0].decode()))
        signed = await send()
        tab = await Tab.open(signed)
        for text in ('{"type":"hold","id":"marked","label":"marked"}', '{"type":"marked"}', "marked"):
            await tab.send(text)
            await tab.frame()
        await tab.leave()
        body = (await exposition.exposition("marked"))[0].decode()
        assert "marked" not in body
        new = {name for name, _ in set(samples_in(body)) - before}
        # A label is in use from when it is first needed; none of these comes from a browser.
        assert {bare(name) for name in new} <= {"idlewatch_store_seconds", "idlewatch_tick_seconds"}

    def test_each_has_a_handful_of_values(self, census: Any):
        values: dict[tuple[str, str], set[str]] = {}
        for name, labels in scrape():
            for label, each in labels:
                if name.startswith("idlewatch_") and label != "le":
                    values.setdefault((name, label), set()).add(each)
        assert values
        assert max(map(len, values.values())) <= 40
        allowed = {"phase", "via", "verdict", "reason", "lane", "why", "operation", "signal", "result"}
        assert {label for _, label in values} <= allowed


class TestDocs:
    def test_every_metric_is_on_its_page_and_on_the_dashboard_and_each_of_an_alert_is_there(self):
        queried = named_in(json.dumps(DASHBOARD))
        for named in (named_in(PAGE), queried):
            assert {bare(name) for name in named} == {bare(name) for name in names()}
        alerted = named_in("\n".join(re.findall(r"^\s+expr:(?:.*\n)(?:\s{10,}.*\n)*", ALERTS, re.MULTILINE)))
        assert alerted
        assert queried | alerted <= names()

    def test_labels_of_queries_are_those_of_the_metrics(self):
        labels = {
            family.name: {label for sample in family.samples for label in sample.labels} | {"instance", "job", "le"}
            for family in exposition._Scrape(Census(1, 1, 1)).collect()
        }
        # Those that are first seen when something happens.
        labels["idlewatch_store_seconds"] |= {"operation"}
        labels["idlewatch_tick_seconds"] |= {"lane"}
        found = re.findall(r"\b(idlewatch_[a-z_]+)\{([^}]*)\}", ALERTS + json.dumps(DASHBOARD).replace('\\"', '"'))
        assert found
        for name, selectors in found:
            family = re.sub(r"_(total|bucket|sum|count)$", "", name)
            assert set(re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", selectors)) <= labels[family], name

    def test_counters_are_shown_at_nought_before_anything_happens(self):
        """What begins with 1 has not increased, for Prometheus."""
        program = """
import django; django.setup()
import idlewatch.runtime.runtime
from idlewatch import metrics
from prometheus_client import generate_latest
print(generate_latest(metrics.REGISTRY).decode())
"""
        environ = clean_environment(DJANGO_SETTINGS_MODULE="tests.support.settings")
        command = [sys.executable, "-c", program]
        shown = samples_in(subprocess.check_output(command, cwd=ROOT, env=environ, text=True))
        counters = set(re.findall(r"idlewatch_[a-z_]+_total", ALERTS))
        assert counters
        assert counters <= {name for name, _ in shown}
        for reason in Reason:
            assert shown["idlewatch_ends_total", (("reason", reason.value),)] == 0
        for verdict in ("anonymous", "active", "warned", "ended", "undecided"):
            assert shown["idlewatch_requests_total", (("verdict", verdict),)] == 0

    def test_the_dashboard_is_one_that_grafana_takes(self):
        assert DASHBOARD["schemaVersion"] >= 36
        assert DASHBOARD["templating"]["list"][0]["type"] == "datasource"
        panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
        assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
        for panel in panels:
            assert panel["title"]
            assert panel["description"].endswith(".")
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert panel["targets"]
            for target in panel["targets"]:
                assert target["expr"].count("(") == target["expr"].count(")")
        places = [itemgetter(*"xywh")(panel["gridPos"]) for panel in DASHBOARD["panels"]]
        cells = [each for x, y, w, h in places for each in product(range(x, x + w), range(y, y + h))]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24

    def test_every_alert_says_what_is_the_matter_and_what_to_do(self):
        rules = re.split(r"^\s+- alert: ", ALERTS, flags=re.MULTILINE)[1:]
        assert len(rules) >= 8
        assert len({rule.split()[0] for rule in rules}) == len(rules)
        for rule in rules:
            for line in (r"severity: (critical|warning)$", r"summary: \S+", r"description: \S+"):
                assert re.search(rf"^\s+{line}", rule, re.MULTILINE)
            assert f"`{rule.split()[0]}`" in PAGE


@pytest.mark.django_db(transaction=True)
class TestBesideTheTimer:
    @pytest.fixture
    async def port(self, census: Any) -> AsyncIterator[int]:
        """The port at which the command serves them until it is stopped."""
        port = free_port()
        task = asyncio.create_task(Command(stderr=StringIO())._run(str(port)))
        await asyncio.sleep(0)
        yield port
        task.cancel()
        await asyncio.wait([task])
        with pytest.raises(OSError):
            await self.ask(port)

    async def ask(self, port: int, head: str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") -> tuple[str, str]:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode())
            answer = (await reader.read()).decode()
            writer.close()
            await writer.wait_closed()
        head, _, body = answer.partition("\r\n\r\n")
        return head, body

    async def test_they_are_served_to_this_machine(self, port: int):
        head, body = await self.ask(port)
        assert " 200 OK\r\n" in head
        assert samples_in(body)["idlewatch_sessions", (("phase", "warned"),)] == 2

    async def test_where_there_is_a_token_it_is_needed_here_too(
        self, settings: Any, port: int, caplog: pytest.LogCaptureFixture
    ):
        settings.IDLEWATCH = {"METRICS_TOKEN": TOKEN}
        assert " 403 " in (await self.ask(port))[0]
        assert len(refusals(caplog)) == 1
        asked = f"GET /metrics HTTP/1.1\r\nauthorization:  Bearer {TOKEN}\r\n\r\n"
        assert " 200 " in (await self.ask(port, asked))[0]

    @pytest.mark.parametrize(
        ("head", "status"),
        [
            ("GET / HTTP/1.1\r\n\r\n", "404"),
            ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
            ("GET /metrics?name[]=x HTTP/1.1\r\n\r\n", "200"),
            ("nonsense\r\n\r\n", "400"),
        ],
    )
    async def test_nothing_else_is(self, port: int, head: str, status: str):
        assert f" {status} " in (await self.ask(port, head))[0].partition("\r\n")[0]

    async def test_a_client_that_sends_nothing_is_disconnected(self, port: int, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(metrics_server._RequestHandler, "timeout", 0.05)
        assert await self.ask(port, "") == ("", "")
        assert await self.ask(port, "GET /metrics") == ("", "")

    def test_an_address_is_a_port_or_a_host_and_a_port(self):
        given = ("9464", "localhost:1", "[::1]:80")
        expected = [("127.0.0.1", 9464), ("localhost", 1), ("::1", 80)]
        assert [metrics_server.parse_address(each) for each in given] == expected

    @pytest.mark.parametrize("given", ["", "host", "host:", "1.2.3.4:x", "127.0.0.1:70000", "-1"])
    def test_what_is_no_address_is_refused(self, given: str):
        with pytest.raises(ValueError, match="expected"):
            metrics_server.parse_address(given)

    @pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "10.0.0.1", "metrics.test"])
    def test_other_machines_may_ask_where_there_is_a_token(self, settings: Any, host: str):
        with pytest.raises(ValueError, match="METRICS_TOKEN"):
            metrics_server.parse_address(f"{host}:9464")
        settings.IDLEWATCH = {"METRICS_TOKEN": TOKEN}
        assert metrics_server.parse_address(f"{host}:9464") == (host.strip("[]"), 9464)

    async def test_the_command_says_what_is_wrong_with_its_address(self):
        with pytest.raises(CommandError, match="--metrics: 'x' is not an address"):
            await Command(stderr=StringIO())._run("x")
