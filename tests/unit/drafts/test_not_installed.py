"""A project that does not install `idlewatch.drafts` has no URL, table, import or message of it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings as project

from idlewatch.drafts.models import Draft
from tests.conftest import Time
from tests.support.http import Browser
from tests.support.serving import ROOT, clean_environment

PROGRAM = """
import json, sys
import django
django.setup()
from django.core import checks
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import setup_test_environment
from django.urls import NoReverseMatch, reverse
setup_test_environment()
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
User.objects.create_user("ann", password="secret")
client, seen = Client(), {}
answer = client.post("/login/", {"username": "ann", "password": "secret"})
page = client.get("/page/").content.decode()
seen["signed in"] = answer.status_code
seen["carries the client"] = "idlewatch-client" in page
words = "drafts", "kept", "not_sent", "restored"
seen["drafts in the page"] = [word for word in words if f"&quot;{word}&quot;" in page]
from idlewatch.http.classification import is_client_endpoint
from django.test import RequestFactory
asked = [RequestFactory().get(f"/idlewatch/{each}/") for each in ("state", "drafts")]
seen["client endpoints"] = [is_client_endpoint(each) for each in asked]
from idlewatch.monitor import service
from idlewatch.core.activity import Reason
from idlewatch.process import now
from idlewatch.models import WatchedSession
service.end(WatchedSession.objects.get(ended=None).pk, Reason.IDLE, now())
rejected = client.post("/note/", {"body": "a letter"}, headers={"Accept": "text/html"})
seen["rejected form"] = [rejected.status_code, rejected.url.partition("?")[0]]
seen["path"] = client.get("/idlewatch/drafts/").status_code
try:
    reverse("idlewatch:drafts")
except NoReverseMatch:
    seen["url"] = None
seen["tables"] = [name for name in connection.introspection.table_names() if "draft" in name]
found = checks.run_checks(include_deployment_checks=True)
seen["messages"] = [each.id for each in found if "draft" in f"{each.msg} {each.hint}".lower()]
seen["modules"] = sorted(name for name in sys.modules if name.startswith(("idlewatch.drafts", "cryptography.fernet")))
print(json.dumps(seen))
"""


def test_nothing_of_drafts_is_there():
    environment = clean_environment(DJANGO_SETTINGS_MODULE="tests.unit.drafts.no_drafts_settings")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "signed in": 302,
        "carries the client": True,
        "drafts in the page": [],
        # The other endpoints of the client stay passive.
        "client endpoints": [True, False],
        "rejected form": [302, "/login/"],
        "path": 404,
        "url": None,
        "tables": [],
        "messages": [],
        "modules": [],
    }


@pytest.mark.usefixtures("site")
def test_a_project_that_removes_it_from_its_apps_stores_no_form_any_longer(
    signed_in: Browser, clock: Time, settings: Any
):
    settings.INSTALLED_APPS = [name for name in project.INSTALLED_APPS if name != "idlewatch.drafts"]
    page = signed_in.visit("/page/").content.decode()
    assert "&quot;token&quot;" in page
    assert "&quot;drafts&quot;" not in page
    clock.pass_(900)
    assert signed_in.submit("/note/", {"body": "a letter"}).url.startswith("/login/")
    assert not Draft.objects.exists()
