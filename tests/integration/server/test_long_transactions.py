"""A view that signs its user out and works on, in a transaction on PostgreSQL: it must hold up no other user."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

import pytest

from tests.support.postgres_server import shared_postgres
from tests.support.serving import run_program

PROGRAM = """
import json, os
os.environ.update(DATABASE_URL={database!r}, ISOLATION="READ_COMMITTED", ENGINE={engine!r})
import django; django.setup()
import asyncio, threading
from django.contrib.auth import logout
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections
from django.test import Client, RequestFactory
from idlewatch.consumers.handshakes import authenticate
from idlewatch.core.activity import Reason
from idlewatch.core.clock import Clock
from idlewatch.core.events import Acted
from idlewatch.models import WatchedSession
from idlewatch.monitor import stores
from idlewatch.monitor.last_seen import LastSeen
from idlewatch.monitor.write_behind import ActivityBuffer
from idlewatch.ops import health
from idlewatch.process import Lane, current_process, in_thread, now
from idlewatch.runtime.runtime import runtime_of
from idlewatch.store.values import Due
from tests.support import http_site

entered, go_on = threading.Event(), threading.Event()
found = {{}}

def prepare():
    call_command("migrate", verbosity=0)
    clients = {{}}
    for name in ("ann", "bob", "cid", "dan", "eve"):
        clients[name] = Client()
        clients[name].force_login(User.objects.create_user(name))
        clients[name].get("/open/")
    rows = WatchedSession.objects.filter(username__in=["ann", "eve"])
    http_site.during[:] = [logout, lambda _: rows.update(extensions=1), lambda _: entered.set() or go_on.wait(30)]
    connections.close_all()
    return {{name: client.cookies["sessionid"].value for name, client in clients.items()}}, clients["ann"]

def sign_out(client):
    found["sign out"] = client.post("/meanwhile/").status_code
    connections.close_all()

def handshake(key):
    return RequestFactory().get("/", headers={{"Cookie": f"sessionid={{key}}"}})

async def reason_of(name):
    record = await in_thread(Lane.LIVE, WatchedSession.objects.get, username=name)
    return record.reason, record.last_active.timestamp()

async def main():
    keys, client = await asyncio.to_thread(prepare)
    ids = {{each.username: each.pk for each in await in_thread(Lane.LIVE, list, WatchedSession.objects.all())}}
    runtime = runtime_of(current_process())
    timer, sessions = runtime.timer, stores.current().sessions
    await timer.keep(now())
    leaving = asyncio.create_task(asyncio.to_thread(sign_out, client))
    await asyncio.to_thread(entered.wait, 30)
    async with asyncio.timeout(20):
        own = [asyncio.create_task(authenticate(handshake(keys["ann"]))) for _ in range(10)]
        await asyncio.sleep(0.2)
        found["tab"] = (await authenticate(handshake(keys["bob"])))[0].id == ids["bob"]
        # The view's transaction holds the row of the first; others come after it in their batch.
        for name, reason in (("ann", Reason.LOGOUT), ("bob", Reason.REVOKED)):
            await sessions.aend(ids[name], reason, now())
        # The check ends this one.
        await in_thread(Lane.LIVE, User.objects.filter(username="cid").update, is_active=False)
        acted = await sessions.aapply(ids["dan"], Acted(), now())
        await sessions.aapply(ids["eve"], Acted(), now())
        await timer.round(now())
        await timer._ends.record(now())
        await timer._check(now() + 90)
        await timer._ends.record(now())
        found["meanwhile"] = [(await reason_of(name))[0] for name in ("ann", "bob", "cid")]
        found["checkpoint"] = abs((await reason_of("dan"))[1] - acted.activity.active) < 0.001
        buffer = ActivityBuffer()
        for name in ("eve", "dan"):
            buffer.add(ids[name], now() + 1)
        await in_thread(Lane.TIMER, buffer.flush, LastSeen(Clock()))
        found["waiting"] = [name for name in ids if ids[name] in buffer._waiting]
        found["database"] = "database" not in await health.failing_parts()
    found["held"] = not leaving.done()
    go_on.set()
    await leaving
    await asyncio.gather(*own)
    await timer._ends.record(now() + 11)
    found["afterwards"] = (await reason_of("ann"))[0]
    found["left"] = len(await stores.current().queue.claim(Due.RECORD, now() + 30, 10, 1.0))

asyncio.run(main())
current_process().close()
print(json.dumps(found))
"""


@pytest.mark.parametrize("engine", ["db", "cache"])
def test_it_holds_up_no_tab_record_or_check_of_others(engine: str):
    database = shared_postgres().database(f"long_{token_hex(4)}")
    found: dict[str, Any] = run_program(PROGRAM.format(database=database, engine=engine), "tests.support.isolated")
    assert found == {
        "tab": True,
        "meanwhile": ["", "revoked", "account"],
        "checkpoint": True,
        "database": True,
        "waiting": ["eve"],
        "held": True,
        "sign out": 200,
        "afterwards": "logout",
        "left": 0,
    }
