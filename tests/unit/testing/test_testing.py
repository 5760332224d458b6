"""The tools for a project's own tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.dispatch import Signal
from django.test import Client

from idlewatch.core.activity import Reason
from idlewatch.models import WatchedSession
from idlewatch.process import Process, current_process, now
from idlewatch.signals import session_ended, session_warned
from idlewatch.testing import TabCommunicator, aexpire, atravel, expire, isolated, travel

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_process(process: Process) -> Iterator[Process]:
    with isolated() as own:
        yield own
    assert current_process() is process


@pytest.fixture
def client(transactional_db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_user("ada"))
    return client


def test_time_passes_and_what_is_due_is_done(client: Client):
    ended: list[Any] = []

    def note(reason: Reason, **_: object) -> None:
        ended.append(reason)

    session_ended.connect(note)
    try:
        travel(timedelta(minutes=14))
        assert client.get("/private/").status_code == 200
        travel(899)
        assert (ended, WatchedSession.objects.get().ended) == ([], None)
        travel(1)
        assert ended == ["idle"]
    finally:
        session_ended.disconnect(note)
    assert WatchedSession.objects.get().reason == "idle"
    assert client.get("/private/").url == "/login/?next=/private/"


@pytest.fixture
def audit() -> Iterator[None]:
    """Write down each warning and each end; then fail."""

    def write(user: str, signal: Signal, **_: object) -> None:
        change = {"first_name": "ended"} if signal is session_ended else {"last_name": "warned"}
        get_user_model().objects.filter(pk=user).update(**change)
        raise RuntimeError

    for signal in (session_warned, session_ended):
        signal.connect(write)
    yield
    for signal in (session_warned, session_ended):
        signal.disconnect(write)


@pytest.mark.django_db(transaction=False)
def test_receivers_write_in_the_transaction_of_the_test(
    audit: None, db: None, django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
):
    client = Client()
    client.force_login(get_user_model().objects.create_user("ada"))
    travel(800)
    with django_capture_on_commit_callbacks(execute=True):
        expire(client)
    user = get_user_model().objects.get()
    assert (user.first_name, user.last_name) == ("ended", "warned")
    assert "audit.<locals>.write of session_ended failed" in caplog.text


def test_time_goes_back():
    began = now()
    with travel(3600) as journey:
        assert now() - began >= 3600
        journey.back()
        assert now() - began < 60
    assert now() - began < 60


def test_the_clock_follows_what_sets_the_time(client: Client, monkeypatch: pytest.MonkeyPatch):
    later = time.time() + 900
    monkeypatch.setattr(time, "time", lambda: later)
    assert client.get("/private/").status_code == 302


@pytest.mark.parametrize("reason", list(Reason))
def test_a_session_ends_for_any_reason(client: Client, reason: Reason):
    expire(client, reason.value)
    assert WatchedSession.objects.get().reason == reason
    assert client.get("/private/", headers={"Sec-Fetch-Mode": "cors"}).headers["Idlewatch-Ended"] == reason


def test_what_cannot_be_done_is_refused(client: Client, settings: Any):
    with pytest.raises(ValueError, match="no watched session"):
        expire(Client())
    with pytest.raises(ValueError, match="boredom"):
        expire(client, "boredom")


@pytest.mark.redis
def test_a_shared_store_keeps_its_own_time(on_redis: None):
    with pytest.raises(RuntimeError, match="needs the memory store"):
        travel(1)


async def test_a_tab_says_all_that_a_page_says(client: Client):
    async with TabCommunicator(client) as tab:
        await atravel(790)
        assert (await tab.frame())["phase"] == "warned"
        assert (await tab.hold("upload", "Uploading"))["held"]
        assert tab.state["phase"] == "active"
        assert not (await tab.release("upload"))["held"]
        await tab.activity(ago=1)
        assert (await tab.sync())["remaining"] > 800
        await aexpire(client, Reason.REVOKED)
        assert (await tab.frame())["reason"] == "revoked"
        assert await tab.close_code() == 4401


async def test_a_tab_tells_frames_from_a_close_and_keeps_the_latest_state(client: Client):
    async with TabCommunicator(client) as tab:
        state = tab.state
        assert (await tab.hold("x" * 65))["code"] == "bad_value"
        assert tab.state is state
        await aexpire(client, Reason.REVOKED)
        with pytest.raises(AssertionError, match="expected it to close"):
            await tab.close_code()
        with pytest.raises(AssertionError, match="expected a frame"):
            await tab.frame()


async def test_the_last_tab_that_closes_ends_the_session(client: Client):
    async with TabCommunicator(client):
        pass
    await atravel(300)
    assert (await sync_to_async(WatchedSession.objects.get)()).reason == "closed"


async def test_a_tab_of_another_site_is_refused(client: Client):
    with pytest.raises(ConnectionRefusedError):
        await TabCommunicator(client, origin="http://elsewhere.example").open()
