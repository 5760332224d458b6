"""The end of a session in tests."""

from __future__ import annotations

from django.test import AsyncClient, Client

from idlewatch.core.activity import Reason
from idlewatch.monitor import django_sessions
from idlewatch.monitor import service as monitor
from idlewatch.process import Lane, in_thread, now
from idlewatch.testing.timer import arun_due, run_due


def expire(client: Client | AsyncClient, reason: Reason | str = Reason.IDLE) -> None:
    """End the session of a test client for a reason; its next request has no user.

    Raises:
        ValueError: no user is signed in there, or the reason is unknown.
    """
    _end(client, reason)
    run_due()


async def aexpire(client: Client | AsyncClient, reason: Reason | str = Reason.IDLE) -> None:
    """Async version of `expire`."""
    await in_thread(Lane.DATABASE, _end, client, reason)
    await arun_due()


def _end(client: Client | AsyncClient, reason: Reason | str) -> None:
    watch_id = client.session.get(django_sessions.WATCH_KEY)
    if watch_id is None:
        raise ValueError("The test client has no watched session; expected a user who signed in with it.")
    monitor.end(watch_id, Reason(reason), now())
