from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from django.core import mail
from django.db import IntegrityError, OperationalError

from idlewatch.core.clock import as_datetime
from idlewatch.exceptions import StoreElsewhere
from idlewatch.models import StoreOwner
from idlewatch.monitor import store_lease
from idlewatch.monitor.store_lease import TRUST_PERIOD, StoreLease
from idlewatch.process import Process, current_process
from tests.conftest import START

pytestmark = pytest.mark.django_db

HERE = socket.gethostname()


@pytest.fixture(scope="module")
def stranger() -> Iterator[int]:
    """The number of another process that runs here."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.communicate(b"\n")


@pytest.fixture
def gone() -> int:
    """The number of a process that runs no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def owned_by(pid: int, *, host: str = HERE, process: str = "other", renewed: float = START) -> StoreOwner:
    owner = StoreOwner(host=host, pid=pid, process=process, renewed=as_datetime(renewed))
    owner.save(force_insert=True)
    return owner


def present() -> tuple[str, int]:
    owner = StoreOwner.objects.get()
    return owner.process, owner.pid


def mine() -> tuple[str, int]:
    return current_process().name, os.getpid()


def lease(process: Process | None = None) -> StoreLease:
    return (process or current_process()).part(StoreLease)


def claim(now: float) -> StoreOwner | None:
    return lease().renew(now)


def release() -> None:
    lease().release()


class TestClaiming:
    def test_the_first_owns_and_renews(self):
        assert claim(START) is None
        assert present() == mine()
        assert StoreOwner.objects.get().host == HERE
        assert claim(START + 1) is None
        assert StoreOwner.objects.get().renewed == as_datetime(START + 1)

    @pytest.mark.parametrize("since", [1, 3600])
    def test_a_process_that_runs_here_keeps_it_also_while_its_lease_seems_over(self, stranger: int, since: float):
        """The clocks of two processes need not agree."""
        owned_by(stranger, renewed=START - since)
        owner = claim(START)
        assert owner is not None
        assert owner.pid == stranger
        assert present() == ("other", stranger)

    def test_a_process_that_is_gone_has_an_heir_at_once(self, gone: int):
        owned_by(gone)
        assert claim(START + 0.1) is None
        assert present() == mine()

    def test_one_on_another_host_has_an_heir_when_its_lease_lapses(self, gone: int):
        owned_by(gone, host="elsewhere")
        assert claim(START + store_lease.OWNER_LEASE) is not None
        assert claim(START + store_lease.OWNER_LEASE + 0.1) is None
        assert present() == mine()

    def test_one_whose_number_this_process_bears_now_is_gone(self):
        """A container starts each time with the same number."""
        owned_by(os.getpid())
        assert claim(START + 0.1) is None
        assert present() == mine()

    def test_an_owner_that_was_replaced_by_a_process_of_its_own_number_is_told(self):
        claim(START)
        StoreOwner.objects.update(process="newer", host=HERE, renewed=as_datetime(START + 1))
        assert claim(START + 1) is not None
        assert present() == ("newer", os.getpid())

    def test_a_fork_with_the_name_of_the_owner_does_not_own_it(self, stranger: int):
        """A server may fork after the import that named the process."""
        owned_by(stranger, process=current_process().name)
        owner = claim(START + 1)
        assert owner is not None
        assert StoreOwner.objects.get().renewed == as_datetime(START)


def test_an_owner_that_gives_no_sign_of_life_is_replaced_wherever_it_is(stranger: int):
    """Another process may bear the number of one that is gone; requests, which come at any rate, are no looks."""
    owned_by(stranger)
    for _ in range(40):
        with pytest.raises(StoreElsewhere):
            lease().ensure(START)
    for second in range(40):
        StoreOwner.objects.update(renewed=as_datetime(START + second // 5))
        assert claim(START + second) is not None
    looks = [claim(START + 100 + second) for second in range(store_lease.MAX_UNRENEWED_ROUNDS - 4)]
    assert all(owner is not None for owner in looks[:-1])
    assert looks[-1] is None
    assert present() == mine()


class Race:
    """`first()`, behind which something happens: what it answers is old by then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *behind: Callable[[], Any]) -> None:
        self.behind = list(behind)
        self.first = StoreOwner.objects.first
        monkeypatch.setattr(StoreOwner.objects, "first", self)

    def __call__(self) -> StoreOwner | None:
        found = self.first()
        if self.behind:
            self.behind.pop(0)()
        return found


class TestOfTwo:
    def test_the_faster_first_one_owns(self, stranger: int, monkeypatch: pytest.MonkeyPatch):
        Race(monkeypatch, lambda: owned_by(stranger))
        owner = claim(START)
        assert owner is not None
        assert owner.pid == stranger

    def test_a_faster_one_that_went_again_leaves_it_to_the_slower(self, stranger: int, monkeypatch: pytest.MonkeyPatch):
        """None owns the store without a row that says so."""
        create = StoreOwner.objects.create

        def outrun(**mine: Any) -> None:
            monkeypatch.setattr(StoreOwner.objects, "create", create)
            raise IntegrityError("UNIQUE constraint failed")

        monkeypatch.setattr(StoreOwner.objects, "create", outrun)
        assert claim(START) is None
        assert present() == mine()

    def test_an_heir_of_an_owner_that_gave_it_up_meanwhile_says_so(self, gone: int, monkeypatch: pytest.MonkeyPatch):
        owned_by(gone)
        Race(monkeypatch, StoreOwner.objects.all().delete)
        assert claim(START + 1) is None
        assert present() == mine()

    def test_heirs_with_one_name_only_one_wins(self, gone: int, stranger: int, monkeypatch: pytest.MonkeyPatch):
        owned_by(gone, process=current_process().name)
        Race(monkeypatch, lambda: StoreOwner.objects.update(pid=stranger))
        owner = claim(START + 1)
        assert owner is not None
        assert owner.pid == stranger

    def test_heirs_only_one_wins(self, gone: int, stranger: int, monkeypatch: pytest.MonkeyPatch):
        owned_by(gone)
        is_dead = StoreLease._is_dead

        def outrun(lease: StoreLease, owner: StoreOwner, now: float) -> bool:
            StoreOwner.objects.update(pid=stranger, process="heir")
            return is_dead(lease, owner, now)

        monkeypatch.setattr(StoreLease, "_is_dead", outrun)
        owner = claim(START + 1)
        assert owner is not None
        assert present() == ("heir", stranger)


class TestReleasing:
    def test_the_next_need_not_wait(self):
        claim(START)
        release()
        assert not StoreOwner.objects.exists()

    @pytest.mark.parametrize("is_fork", [False, True])
    def test_another_owner_stays_also_a_fork_with_the_same_name(self, stranger: int, is_fork: bool):
        name = current_process().name if is_fork else "other"
        owned_by(stranger, process=name)
        release()
        assert present() == (name, stranger)


@pytest.fixture
def other() -> Iterator[Process]:
    """Another process of this interpreter, with the same number."""
    process = Process(clock=current_process().clock)
    yield process
    process.close()


class TestRequests:
    def test_the_first_claims_the_store_and_others_need_no_query(self, django_assert_num_queries: Any):
        assert not lease().is_held
        lease().ensure(START)
        assert present() == mine()
        with django_assert_num_queries(0):
            lease().ensure(START + 3600)

    def test_the_store_of_another_process_is_left_to_it_until_it_is_gone(
        self, other: Process, caplog: pytest.LogCaptureFixture
    ):
        forgotten: list[str] = []
        lease(other).on_loss(lambda: forgotten.append("all"))
        lease().ensure(START)
        for second in range(3):
            with pytest.raises(StoreElsewhere, match="supports one process, and belongs to process"):
                lease(other).ensure(START + second)
        assert (len(caplog.messages), set(forgotten), lease(other).is_held) == (1, {"all"}, False)
        release()
        lease(other).ensure(START + 3)
        assert (present()[0], lease(other).terms) == (other.name, 1)
        assert claim(START + 4) is not None

    def test_one_of_this_interpreter_that_was_closed_is_gone(self, other: Process):
        lease(other).ensure(START)
        other.close()
        lease().ensure(START)
        assert present() == mine()

    def test_in_the_transaction_of_a_view_it_looks_and_claims_nothing(self, stranger: int):
        lease().ensure(START, in_view=True)
        assert not StoreOwner.objects.exists()
        owned_by(stranger)
        with pytest.raises(StoreElsewhere):
            lease().ensure(START, in_view=True)

    def test_there_it_waits_for_no_claim_which_may_wait_for_that_transaction(
        self, stranger: int, monkeypatch: pytest.MonkeyPatch
    ):
        owned_by(stranger)
        claiming = mock.MagicMock(spec_set=lease()._claiming)
        monkeypatch.setattr(lease(), "_claiming", claiming)
        with pytest.raises(StoreElsewhere):
            lease().ensure(START, in_view=True)
        assert claiming.mock_calls == []

    def test_a_process_that_stood_still_looks_again(self, stranger: int, monkeypatch: pytest.MonkeyPatch):
        """Another one may have taken the store meanwhile, and knows more."""
        claim(START)
        ticks = current_process().clock.ticks()
        monkeypatch.setattr(current_process().clock, "ticks", lambda: ticks + TRUST_PERIOD)
        assert lease().is_doubtful
        with mock.patch.object(StoreLease, "_mine", side_effect=OperationalError("away")):
            # No other process can take it while the database is away.
            lease().ensure(START)
        assert not lease().is_doubtful
        monkeypatch.setattr(current_process().clock, "ticks", lambda: ticks + 2 * TRUST_PERIOD)
        StoreOwner.objects.update(process="heir", pid=stranger)
        with pytest.raises(StoreElsewhere):
            lease().ensure(START)

    def test_without_a_database_the_first_one_is_not_served(self):
        away = mock.patch.object(StoreLease, "_mine", side_effect=OperationalError("away"))
        with away, pytest.raises(OperationalError):
            lease().ensure(START)


class TestWithoutATimer:
    """The application is not wrapped with `watched`."""

    @pytest.fixture(autouse=True)
    def as_deployed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(mail, "outbox")

    @pytest.mark.parametrize(("is_served", "expected"), [(False, 1), (True, 0)])
    def test_it_is_logged_once(
        self, process: Process, caplog: pytest.LogCaptureFixture, is_served: bool, expected: int
    ):
        process.is_served = is_served
        for _ in range(2):
            lease().ensure(START)
        assert sum("No timer runs" in each.getMessage() for each in caplog.records) == expected
