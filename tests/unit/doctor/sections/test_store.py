"""The store: its owner, its server, and the processes that live in it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import redis
from django.conf import settings as django_settings
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
from msgspec.structs import replace

from idlewatch.core.clock import as_datetime
from idlewatch.doctor.backends import store_server
from idlewatch.doctor.findings import Finding, Outcome, Trial
from idlewatch.doctor.sections import store
from idlewatch.models import StoreOwner
from idlewatch.ops.self_report import SelfReport, TimerReport
from idlewatch.process import now
from idlewatch.store.redis import RedisStore
from idlewatch.store.values import StoreCondition
from tests.support.examined import examined, of, outcomes, report
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)

OK, WARNING, FAULT, SKIPPED = Outcome.OK, Outcome.WARNING, Outcome.FAULT, Outcome.SKIPPED
ASKED = (
    Trial.REDIS_VERSION,
    Trial.REDIS_EVICTION,
    Trial.REDIS_PERSISTENCE,
    Trial.REDIS_LATENCY,
    Trial.REDIS_CLOCK,
    Trial.EPOCH,
    Trial.LEASES,
)
LEASE = 10.0


def found(*reports: SelfReport) -> Sequence[Finding]:
    with examined(*reports) as site:
        return list(store.examine(site))


class TestTheMemoryStore:
    def owned_by(self, process: str, *, ago: float = 1.0) -> None:
        renewed = as_datetime(now() - ago)
        StoreOwner.objects.create(process=process, pid=os.getpid(), host=socket.gethostname(), renewed=renewed)

    def owner(self, *reports: SelfReport) -> Finding:
        return of(found(*reports), Trial.STORE_OWNER)

    def test_is_owned_by_the_process_that_answers(self):
        self.owned_by("p1")
        findings = found(report())
        assert outcomes(findings) == {Trial.STORE: OK, Trial.STORE_OWNER: OK}
        assert of(findings, Trial.STORE_OWNER).came.startswith(f"p1 (pid {os.getpid()} on {socket.gethostname()}), ")

    def test_is_owned_by_another(self):
        self.owned_by("p2")
        assert self.owner(report()).outcome is FAULT

    def test_is_owned_by_another_of_which_the_process_knows(self):
        """That is reported of the processes that answer."""
        self.owned_by("p2")
        assert self.owner(report(store_owner="process 12 on web")).outcome is SKIPPED

    @pytest.mark.parametrize("process", ["p1", "p2"])
    def test_was_not_renewed(self, process: str):
        self.owned_by(process, ago=60.0)
        finding = self.owner(report())
        assert finding.outcome is FAULT
        assert "renewed 1 min ago" in finding.came

    def test_has_an_owner_without_a_timer(self, monkeypatch: pytest.MonkeyPatch):
        """That is reported of the timer."""
        monkeypatch.setattr("idlewatch.doctor.site.START_TIMEOUT", 0.0)
        self.owned_by("p1", ago=60.0)
        assert self.owner(report(timer=None)).outcome is SKIPPED

    def test_has_an_owner_in_another_database(self):
        assert self.owner(report()).outcome is FAULT

    def test_is_skipped_without_the_database(self):
        with mock.patch.object(CursorWrapper, "execute", side_effect=OperationalError):
            assert self.owner(report()).outcome is SKIPPED

    def test_has_no_owner_where_nothing_runs(self):
        assert self.owner().outcome is SKIPPED
        self.owned_by("p1", ago=60.0)
        assert "the latest was p1" in self.owner().came

    @pytest.mark.parametrize("name", ["DATABASES", "IDLEWATCH"])
    def test_of_processes_with_other_settings_is_not_asked_for(self, name: str):
        """The settings are reported."""
        assert self.owner(report(settings={**report().settings, name: "other"})).outcome is SKIPPED


def right(**changes: Any) -> StoreCondition:
    """Return the condition of a store in which all is well, and one process lives."""
    condition = StoreCondition(
        server="Redis 7.4.1",
        is_supported=True,
        eviction="noeviction",
        memory_limit=256 * 2**20,
        is_logged=True,
        has_snapshots=True,
        failed_writes=[],
        now=now(),
        correction=0.0,
        created_at=now() - 4000.0,
        is_resumed=True,
        settle_after=now() - 3990.0,
        leases={"p1": now() + LEASE},
    )
    return replace(condition, **changes)


SHARED = {"is_store_shared": True}


@pytest.mark.usefixtures("on_redis")
class TestASharedStore:
    @pytest.fixture
    def judge(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Sequence[Finding]]:
        """Judges a store in some condition."""

        def judge(condition: StoreCondition | None, *reports: SelfReport) -> Sequence[Finding]:
            async def inspect(_: object) -> StoreCondition | None:
                return condition

            monkeypatch.setattr(RedisStore, "inspect", inspect)
            return found(*reports)

        return judge

    def test_is_right(self, judge: Callable[..., Sequence[Finding]]):
        assert outcomes(judge(right(), report(**SHARED))) == dict.fromkeys((Trial.STORE, *ASKED), OK)

    def test_has_nothing_to_tell(self, judge: Callable[..., Sequence[Finding]]):
        assert outcomes(judge(None, report(**SHARED))) == {Trial.STORE: OK}

    @pytest.mark.parametrize(
        ("changes", "trial", "outcome"),
        [
            ({"is_supported": False}, Trial.REDIS_VERSION, FAULT),
            ({"is_supported": None}, Trial.REDIS_VERSION, SKIPPED),
            ({"eviction": "volatile-ttl"}, Trial.REDIS_EVICTION, FAULT),
            ({"eviction": "volatile-ttl", "memory_limit": 0}, Trial.REDIS_EVICTION, WARNING),
            ({"memory_limit": 0}, Trial.REDIS_EVICTION, OK),
            ({"eviction": None, "memory_limit": None}, Trial.REDIS_EVICTION, SKIPPED),
            ({"is_logged": False}, Trial.REDIS_PERSISTENCE, WARNING),
            ({"is_logged": False, "has_snapshots": None}, Trial.REDIS_PERSISTENCE, WARNING),
            ({"is_logged": None}, Trial.REDIS_PERSISTENCE, SKIPPED),
            ({"failed_writes": ["log"]}, Trial.REDIS_PERSISTENCE, FAULT),
            ({"created_at": None, "settle_after": 30.0, "is_resumed": False}, Trial.EPOCH, FAULT),
            ({"is_resumed": False}, Trial.EPOCH, FAULT),
            ({"leases": {}}, Trial.LEASES, FAULT),
            ({"is_resumed": False, "leases": {"p1": 9e9}}, Trial.EPOCH, FAULT),
            ({"leases": {"p2": 9e9}}, Trial.LEASES, FAULT),
            ({"leases": {"p1": 9e9, "dead": 1.0}}, Trial.LEASES, WARNING),
        ],
    )
    def test_is_not(
        self, changes: dict[str, Any], trial: Trial, outcome: Outcome, judge: Callable[..., Sequence[Finding]]
    ):
        came = outcomes(judge(right(**changes), report(**SHARED)))
        assert came.pop(trial) is outcome
        assert set(came.values()) == {OK}

    @pytest.mark.parametrize(("off", "outcome"), [(1.5, OK), (-2.5, WARNING), (3600.0, WARNING)])
    def test_has_a_clock_of_its_own(self, off: float, outcome: Outcome, judge: Callable[..., Sequence[Finding]]):
        later = right(now=now() + off)
        assert of(judge(replace(later, leases={"p1": later.now + LEASE})), Trial.REDIS_CLOCK).outcome is outcome

    def test_has_a_clock_that_is_corrected(self, judge: Callable[..., Sequence[Finding]]):
        finding = of(judge(right(correction=-7200.0)), Trial.REDIS_CLOCK)
        assert (finding.outcome, finding.came) == (WARNING, "2 h ahead, corrected by -2 h")

    @pytest.mark.parametrize(("age", "outcome"), [(5.0, OK), (300.0, WARNING)])
    @pytest.mark.parametrize("is_resumed", [False, True])
    def test_holds_ends_back(
        self, age: float, outcome: Outcome, is_resumed: bool, judge: Callable[..., Sequence[Finding]]
    ):
        held = right(created_at=now() - age, settle_after=now() + 20.0, is_resumed=is_resumed)
        assert of(judge(held, report(**SHARED)), Trial.EPOCH).outcome is outcome

    def test_that_none_uses_is_no_fault_where_nothing_runs(self, judge: Callable[..., Sequence[Finding]]):
        unused = right(created_at=None, settle_after=30.0, is_resumed=False, leases={})
        came = outcomes(judge(unused))
        assert (came[Trial.EPOCH], came[Trial.LEASES]) == (SKIPPED, SKIPPED)

    @pytest.mark.parametrize("timer", [None, TimerReport(round_age=60.0, is_listening=True)], ids=["none", "stuck"])
    @pytest.mark.parametrize("unused", [{"created_at": None}, {"is_resumed": False}])
    def test_that_no_timer_uses_is_no_second_fault(
        self,
        timer: TimerReport | None,
        unused: dict[str, Any],
        judge: Callable[..., Sequence[Finding]],
        monkeypatch: pytest.MonkeyPatch,
    ):
        """The timer is reported."""
        monkeypatch.setattr("idlewatch.doctor.site.START_TIMEOUT", 0.0)
        came = outcomes(judge(right(leases={}, **unused), report(timer=timer, **SHARED)))
        assert (came.pop(Trial.EPOCH), came.pop(Trial.LEASES)) == (SKIPPED, SKIPPED)
        assert set(came.values()) == {OK}

    def test_has_leases_of_timers_alone(self, judge: Callable[..., Sequence[Finding]]):
        """Under WSGI, a process may leave the timer to another."""
        without = report("p2", timer=None, interface="wsgi", **SHARED)
        assert of(judge(right(), without), Trial.LEASES).outcome is OK

    def test_is_another_than_that_of_the_site(self, judge: Callable[..., Sequence[Finding]]):
        """The settings are reported; what no process uses here is no second fault."""
        other = report(settings={**report().settings, "IDLEWATCH": "other"}, **SHARED)
        came = outcomes(judge(right(leases={}, created_at=None), other))
        assert (came.pop(Trial.EPOCH), came.pop(Trial.LEASES)) == (SKIPPED, SKIPPED)
        assert set(came.values()) == {OK}

    @pytest.mark.parametrize(("seconds", "outcome"), [(0.019, OK), (0.021, WARNING), (0.51, FAULT)])
    def test_answers_late(self, seconds: float, outcome: Outcome):
        assert store_server.latency([0.0001, seconds, 9.0]).outcome is outcome


@pytest.mark.server
class TestARealRedis:
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[RedisServer]:
        server = RedisServer(tmp_path, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", persistent=True)
        server.start()
        yield server
        server.stop()

    @pytest.fixture
    def use(self, settings: Any) -> Callable[[str], None]:
        def use(url: str) -> None:
            store = {"BACKEND": "idlewatch.store.redis.RedisStore", "LOCATION": url}
            settings.IDLEWATCH = {**getattr(django_settings, "IDLEWATCH", {}), "STORE": store}

        return use

    def test_that_evicts_is_one_fault(self, server: RedisServer, use: Callable[[str], None]):
        use(server.url)
        came = outcomes(found())
        assert came.pop(Trial.REDIS_EVICTION) is FAULT
        assert {came.pop(trial) for trial in (Trial.EPOCH, Trial.LEASES)} == {SKIPPED}
        assert set(came.values()) == {OK}

    def test_that_is_away_is_one_fault(self, server: RedisServer, use: Callable[[str], None]):
        use(f"redis://user:secret@127.0.0.1:{server.port}/0")
        server.stop()
        findings = found(report(**SHARED))
        assert outcomes(findings) == {Trial.STORE: FAULT, **dict.fromkeys(ASKED, SKIPPED)}
        assert "secret" not in str([(each.tried, each.came, each.expected, each.hint) for each in findings])

    def test_that_can_t_be_opened_is_one_fault(self, use: Callable[[str], None]):
        answering = report(**SHARED)
        use("nonsense://user:secret@host")
        findings = found(answering)
        assert outcomes(findings) == {Trial.STORE: FAULT, **dict.fromkeys(ASKED, SKIPPED)}
        assert of(findings, Trial.STORE).came == "it can't be opened: ValueError"

    def test_that_may_only_be_read_is_a_fault(self, server: RedisServer, use: Callable[[str], None]):
        with redis.Redis.from_url(server.url) as client:
            client.acl_setuser("reader", enabled=True, passwords=["+pw"], keys=["*"], commands=["+@read", "+client"])
        use(f"redis://reader:pw@127.0.0.1:{server.port}/0")
        assert of(found(), Trial.STORE).came == "Redis rejected a command: NoPermissionError."
