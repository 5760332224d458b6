"""The database, its records, and the cache of the sessions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.cache.backends.filebased import FileBasedCache
from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import CaptureQueriesContext

from idlewatch.conf import conf
from idlewatch.core.activity import Reason
from idlewatch.doctor.backends.own_store import OwnStore
from idlewatch.doctor.backends.replicas import examine_reads
from idlewatch.doctor.findings import Finding, Outcome, Trial
from idlewatch.doctor.sections import database
from idlewatch.models import WatchedSession
from idlewatch.monitor import records, session_cache
from idlewatch.ops.self_report import SelfReport
from tests.conftest import Time
from tests.support.examined import examined, of, outcomes, report
from tests.support.serving import run_program
from tests.support.watches import POLICY, sign_in_many

pytestmark = pytest.mark.django_db(transaction=True)

OK, WARNING, FAULT, SKIPPED = Outcome.OK, Outcome.WARNING, Outcome.FAULT, Outcome.SKIPPED
OF_TABLES = (Trial.ROUTER_READS, Trial.RECORDS, Trial.OVERDUE, Trial.OLD_PROBES)
CACHED = "django.contrib.sessions.backends.cache"


def found(*reports: SelfReport) -> Sequence[Finding]:
    with examined(*reports) as site:
        return list(database.examine(site))


def test_nothing_is_wrong_with_a_database_that_has_all_tables():
    assert set(outcomes(found(report())).values()) == {OK}


class TestADatabaseThatIsAway:
    @pytest.fixture
    def findings(self) -> Sequence[Finding]:
        failing = OperationalError("could not connect with password=secret")
        with mock.patch.object(CursorWrapper, "execute", side_effect=failing):
            return found(report())

    def test_is_one_fault(self, findings: Sequence[Finding]):
        came = outcomes(findings)
        assert came.pop(Trial.CACHE) is OK
        assert came.pop(Trial.DATABASE) is FAULT
        assert came == dict.fromkeys((Trial.MIGRATIONS, *OF_TABLES), SKIPPED)

    def test_is_reported_without_its_words(self, findings: Sequence[Finding]):
        assert of(findings, Trial.DATABASE).came == "it fails: OperationalError"
        assert "secret" not in str([(each.tried, each.came, each.expected, each.hint) for each in findings])


def test_a_migration_that_was_not_applied_is_named():
    recorder = MigrationRecorder(connection)
    name = next(each for app, each in sorted(recorder.applied_migrations(), reverse=True) if app == "idlewatch")
    recorder.record_unapplied("idlewatch", name)
    try:
        findings = found(report())
    finally:
        recorder.record_applied("idlewatch", name)
    assert (of(findings, Trial.MIGRATIONS).outcome, of(findings, Trial.MIGRATIONS).came) == (
        FAULT,
        f"not applied: idlewatch.{name}",
    )
    assert {outcomes(findings)[trial] for trial in OF_TABLES} == {SKIPPED}


class TestRecords:
    LATE = POLICY.idle_timeout + database.MAX_OVERDUE

    @pytest.fixture
    def late(self) -> float:
        """After so many seconds the record of a session is overdue, whatever may be on its way to it."""
        return self.LATE + 2 * conf.checkpoint

    def test_are_counted(self, clock: Time):
        sign_in_many(2, at=clock.now)
        assert of(found(report()), Trial.RECORDS).came == "2 sessions live"

    @pytest.mark.parametrize(("later", "outcome"), [(-0.1, OK), (0.1, FAULT)])
    def test_that_no_timer_closes(self, later: float, outcome: Outcome, late: float, clock: Time):
        sign_in_many(3, at=clock.now)
        clock.pass_(late + later)
        finding = of(found(report()), Trial.OVERDUE)
        assert finding.outcome is outcome
        assert outcome is OK or finding.came == "3 still open"

    def test_of_the_absolute_limit_are_found_among_those_that_were_active(self, late: float, clock: Time):
        sign_in_many(1, at=clock.now, absolute_timeout=50.0, idle_timeout=10_000.0)
        clock.pass_(late)
        WatchedSession.objects.update(last_active="2999-01-01T00:00Z")
        assert of(found(report()), Trial.OVERDUE).outcome is FAULT

    def test_that_are_closed_are_left_out(self, late: float, clock: Time):
        (watched,) = sign_in_many(1, at=clock.now)
        records.close(watched.id, Reason.IDLE, clock.now)
        clock.pass_(late + 1)
        assert of(found(report()), Trial.OVERDUE).outcome is OK

    @pytest.mark.parametrize("reports", [(), ("without timer",)], ids=["nothing answers", "no timer"])
    def test_are_no_second_fault_where_nothing_could_close_them(
        self, reports: Sequence[str], late: float, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("idlewatch.doctor.site.START_TIMEOUT", 0.0)
        sign_in_many(1, at=clock.now)
        clock.pass_(late + 1)
        finding = of(found(*(report(timer=None) for _ in reports)), Trial.OVERDUE)
        assert finding.outcome is SKIPPED
        assert "1 still open" in finding.came

    def test_of_another_database_than_that_of_the_site_are_no_second_fault(self, late: float, clock: Time):
        sign_in_many(1, at=clock.now)
        clock.pass_(late + 1)
        other = report(settings={**report().settings, "DATABASES": "other"})
        assert of(found(other), Trial.OVERDUE).outcome is SKIPPED

    def test_of_many_are_read_in_part(self, late: float, clock: Time, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(database, "MAX_JUDGED", 3)
        monkeypatch.setattr(database, "MAX_COUNTED", 4)
        sign_in_many(6, at=clock.now)
        clock.pass_(late + 1)
        findings = found(report())
        assert of(findings, Trial.OVERDUE).came == "at least 3 still open"
        assert of(findings, Trial.RECORDS).came == "more than 4 are live"

    def test_are_read_by_indexes(self, clock: Time):
        sign_in_many(2, at=clock.now)
        with CaptureQueriesContext(connection) as queries:
            found(report())
        statements = [each["sql"] for each in queries if "idlewatch_watchedsession" in each["sql"]]
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
                plan = str(cursor.fetchall())
                assert "USING" in plan
                assert "TEMP B-TREE" not in plan
        assert len(statements) == 4


class TestProbes:
    @pytest.mark.parametrize(("age", "outcome"), [(100.0, OK), (200.0, WARNING)])
    def test_that_outlived_their_two_minutes(self, age: float, outcome: Outcome, clock: Time):
        sign_in_many(1, at=clock.now, prefix="probe:", absolute_timeout=120.0)
        clock.pass_(age)
        assert of(found(report()), Trial.OLD_PROBES).outcome is outcome

    def test_are_told_from_sessions_of_users(self, clock: Time):
        sign_in_many(1, at=clock.now, prefix="PROBE")
        clock.pass_(200.0)
        assert of(found(report()), Trial.OLD_PROBES).outcome is OK


class Failing(FileBasedCache):
    def get(self, *_: object, **__: object) -> Any:
        raise ConnectionError("redis://user:secret@host")


class TestTheCacheOfTheSessions:
    @pytest.fixture(autouse=True)
    def engine(self, settings: Any, tmp_path: Path) -> None:
        settings.SESSION_ENGINE = CACHED
        self.use(settings, "django.core.cache.backends.filebased.FileBasedCache", tmp_path)

    @staticmethod
    def use(settings: Any, backend: str, location: object = "") -> None:
        settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": str(location)}}

    @pytest.mark.parametrize("engine", ["db", "file", "signed_cookies"])
    def test_is_none_with_other_engines(self, settings: Any, engine: str):
        settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
        finding = of(found(report()), Trial.CACHE)
        assert finding.outcome is OK
        assert "in no cache" in finding.came

    def test_is_shared(self):
        assert of(found(report(has_cached=True)), Trial.CACHE).outcome is OK

    def test_is_another_than_that_of_the_site(self):
        finding = of(found(report(has_cached=True), report("p2", has_cached=False)), Trial.CACHE)
        assert (finding.outcome, finding.came) == (FAULT, "not found by p2")

    @pytest.mark.parametrize("shares_store", [False, True])
    @pytest.mark.parametrize("backend", ["locmem.LocMemCache", "dummy.DummyCache"])
    @pytest.mark.parametrize("engine", ["cache", "cached_db"])
    def test_is_one_for_each_process(
        self, settings: Any, monkeypatch: pytest.MonkeyPatch, backend: str, engine: str, shares_store: bool
    ):
        monkeypatch.setattr(OwnStore, "is_shared", shares_store)
        settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
        self.use(settings, f"django.core.cache.backends.{backend}")
        works = (backend, engine, shares_store) == ("locmem.LocMemCache", "cached_db", False)
        assert of(found(), Trial.CACHE).outcome is (WARNING if works else FAULT)

    def test_fails(self, settings: Any, tmp_path: Path):
        self.use(settings, f"{__name__}.Failing", tmp_path)
        finding = of(found(report(has_cached=False)), Trial.CACHE)
        assert (finding.outcome, finding.came) == (FAULT, "it fails: ConnectionError")

    def test_has_what_another_process_put_there(self):
        session_cache.put("nonce")
        assert session_cache.has("nonce") is True
        assert session_cache.has("other") is False

    def test_that_fails_has_nothing(self, settings: Any, tmp_path: Path):
        self.use(settings, f"{__name__}.Failing", tmp_path)
        session_cache.put("nonce")
        assert session_cache.has("nonce") is False


REPLICA = """
import json, django; django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from idlewatch.doctor.backends import replicas
from idlewatch.process import now
from tests.support.examined import examined, report
from tests.support.replicated import catch_up
from tests.support.watches import sign_in_many

call_command("migrate", verbosity=0)
ann = User.objects.db_manager("default").create_user("ann", password="pw")
replicas.CATCH_UP_TIMEOUT = 0.2

def found():
    with examined(report()) as site:
        return [[each.outcome.value, each.came] for each in replicas.examine_reads(site)]

def with_a_probe(ticks):
    probe_record = replicas.WatchedSession.objects.using("default").filter(pk__startswith="probe:", ended=None)
    with examined(report(), user=ann) as site:
        site.why_no_cookie = None
        follow = replicas.time.sleep
        replicas.time.sleep = lambda _: catch_up() if ticks else None
        found = [each.outcome.value for each in replicas.examine_reads(site)]
        replicas.time.sleep = follow
    return [found, probe_record.count()]

told = {"no tables": found()}
catch_up()
told["caught up"] = found()
User.objects.db_manager("default").create_user("ben", password="pw")
told["new account"] = found()
catch_up()
ann.set_password("other"); ann.save(using="default")
told["new password"] = found()
catch_up()
sign_in_many(1, at=now())
told["new session"] = found()
catch_up()
told["probe follows"] = with_a_probe(1)
told["probe does not"] = with_a_probe(0)
print(json.dumps(told))
"""


def test_a_replica_that_lags_is_a_fault_for_users_and_nothing_reads_sessions_there():
    told: dict[str, Any] = run_program(REPLICA, "tests.support.replicated")
    own = ["ok", "idlewatch.WatchedSession from 'default', sessions.Session from 'default'"]
    lags = [own, ["fault", "it lags by more than 200 ms"]]
    assert told.pop("no tables") == [own, ["fault", "it fails: OperationalError"]]
    assert told.pop("caught up")[1][0] == "ok"
    assert told.pop("probe follows") == [["ok", "ok"], 0]
    assert told.pop("probe does not") == [["ok", "fault"], 0]
    assert told == dict.fromkeys(["new account", "new password", "new session"], lags), json.dumps(told)


def test_a_router_that_has_sessions_read_elsewhere_is_a_fault(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "idlewatch.doctor.backends.replicas.router.db_for_read", lambda *_, **__: "replica", raising=False
    )
    with examined(report()) as site:
        assert next(iter(examine_reads(site))).outcome is FAULT
