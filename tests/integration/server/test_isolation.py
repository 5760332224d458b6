"""Views in transactions under REPEATABLE READ and SERIALIZABLE, while a timer writes to the record of their session."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

import pytest

from tests.support.postgres_server import shared_postgres
from tests.support.serving import run_program

PROGRAM = """
import json, os
os.environ.update(DATABASE_URL={database!r}, ISOLATION={isolation!r}, ENGINE={engine!r})
import django; django.setup()
from concurrent.futures import ThreadPoolExecutor
from django.contrib.auth import get_user_model, login, logout, update_session_auth_hash
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections
from django.test import Client
from idlewatch.core.activity import Reason
from idlewatch.core.events import Acted
from idlewatch.models import WatchedSession
from idlewatch.monitor import revalidation, service, stores
from idlewatch.process import now
from tests.support import http_site

call_command("migrate", verbosity=0)
BACKEND = "django.contrib.auth.backends.ModelBackend"
FETCH = {{"Sec-Fetch-Mode": "cors", "Accept": "*/*"}}
timer = ThreadPoolExecutor(1)

def write_checkpoint(request):
    # The view's transaction has its snapshot; what comes after it is refused.
    list(WatchedSession.objects.all())
    timer.submit(checkpoint).result()

def checkpoint():
    for record in WatchedSession.objects.live():
        watched = stores.current().sessions.apply(record.pk, Acted(), now())
        revalidation.examine([watched], now())

def change_password(request):
    user = User.objects.get(pk=request.user.pk)
    user.set_password("new")
    user.save()
    update_session_auth_hash(request, user)

def sign_in_as(name):
    return lambda request: login(request, User.objects.get(username=name), BACKEND)

def revoke(request):
    service.end(WatchedSession.objects.live().get().pk, Reason.REVOKED, now())

found = {{}}
acts = {{
    "sign out": logout,
    "sign in again": sign_in_as("ann"),
    "sign in as another": sign_in_as("bob"),
    "rotate": lambda request: request.session.cycle_key(),
    "change the password": change_password,
    "revoke": revoke,
}}
for name, act in acts.items():
    WatchedSession.objects.all().delete()
    User.objects.all().delete()
    ann, _ = (User.objects.create_user(each, password="pw") for each in ("ann", "bob"))
    client = Client(raise_request_exception=False)
    client.force_login(ann)
    client.get("/open/")
    http_site.during[:] = [write_checkpoint, act]
    status = client.post("/meanwhile/").status_code
    http_site.during.clear()
    user = client.get("/open/", headers=FETCH).json()["user"]
    reasons = WatchedSession.objects.order_by("started").values_list("username", "reason")
    found[name] = [status, user, *map(list, reasons)]
timer.submit(connections.close_all).result()
connections.close_all()
print(json.dumps(found))
"""


@pytest.mark.parametrize("engine", ["db", "cache"])
@pytest.mark.parametrize("isolation", ["REPEATABLE_READ", "SERIALIZABLE"])
def test_a_checkpoint_of_the_same_session_fails_no_view(isolation: str, engine: str):
    database = shared_postgres().database(f"isolated_{token_hex(4)}")
    program = PROGRAM.format(database=database, isolation=isolation, engine=engine)
    found: dict[str, Any] = run_program(program, "tests.support.isolated")
    assert found == {
        "sign out": [200, "", ["ann", "logout"]],
        "sign in again": [200, "ann", ["ann", ""]],
        "sign in as another": [200, "bob", ["ann", "logout"], ["bob", ""]],
        "rotate": [200, "ann", ["ann", ""]],
        "change the password": [200, "ann", ["ann", ""]],
        "revoke": [200, "", ["ann", "revoked"]],
    }
