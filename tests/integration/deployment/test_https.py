"""What a browser gets of the documented deployment, through nginx and TLS."""

from __future__ import annotations

import asyncio
import re
import time
from http.client import HTTPConnection
from typing import Any

import psycopg
import pytest
from daphne.cli import CommandLineInterface
from django.contrib.auth.hashers import make_password
from websockets.exceptions import InvalidStatus

from tests.integration.deployment import documented
from tests.integration.deployment.site import Deployment
from tests.integration.deployment.visitors import Guest
from tests.integration.server.visitors import NAVIGATION, story

AT_ONCE = 2.0
"""Seconds within which a tab receives a change."""
NGINX_DEFAULT = 60.0


def query(deployment: Deployment, statement: str, *values: str) -> Any:
    with psycopg.connect(deployment.webs[0].environ["DATABASE_URL"]) as connection:
        return connection.execute(statement, values).fetchall()


@pytest.mark.rule("R22")
def test_a_user_signs_in_by_the_form_and_gets_the_page(deployment: Deployment):
    query(
        deployment,
        "INSERT INTO auth_user"
        " (username, password, is_superuser, is_staff, is_active, first_name, last_name, email, date_joined)"
        " VALUES ('formal', %s, false, false, true, '', '', '', now()) RETURNING id",
        make_password("pw"),
    )
    guest = Guest(deployment)
    away = guest.get("/")
    assert (away.status, away.headers["Location"]) == (302, "/accounts/login/?next=/")
    entered = guest.sign_in("/accounts/login/?next=/", "formal", "pw")
    assert (entered.status, entered.headers["Location"]) == (302, "/")
    (cookie,) = [line for line in entered.headers.get_all("Set-Cookie", []) if line.startswith("__Host-sessionid=")]
    assert "Secure" in cookie
    assert "HttpOnly" in cookie
    assert "expires" not in cookie.lower()
    page = guest.get("/")
    assert (page.status, "max-age" in page.headers["Strict-Transport-Security"]) == (200, True)
    assert 'id="idlewatch-state"' in page.text


def test_this_machine_may_ask_through_nginx_whether_it_is_ready(deployment: Deployment):
    assert Guest(deployment).get("/readyz").status == 200


def test_plain_http_leads_to_https(deployment: Deployment):
    connection = HTTPConnection("127.0.0.1", deployment.nginx.plain_port, timeout=10)
    forged = {"Host": documented.HOST, "X-Forwarded-Proto": "https"}
    connection.request("GET", "/accounts/login/?next=/x", headers=forged)
    response = connection.getresponse()
    connection.close()
    expected = (301, f"https://{documented.HOST}/accounts/login/?next=/x")
    assert (response.status, response.headers["Location"]) == expected


def test_a_forged_scheme_and_address_do_not_get_through(deployment: Deployment):
    forged = {"X-Forwarded-Proto": "http", "X-Forwarded-For": "203.0.113.9"}
    assert Guest(deployment).get("/enter/forger/", NAVIGATION | forged).headers["Location"] == "/"
    statement = "SELECT host(address::inet) FROM idlewatch_watchedsession WHERE username = 'forger'"
    assert query(deployment, statement) == [("127.0.0.1",)]


def test_static_files_come_from_the_disk_with_hashed_names_and_right_types(deployment: Deployment):
    guest = Guest(deployment, "reader")
    page = guest.get("/").text
    for found, kind in (
        (re.search(r'src="(/static/[^"]+\.js)"', page), "javascript"),
        (re.search(r'href="(/static/[^"]+\.css)"', page), "text/css"),
    ):
        assert found is not None
        answer = guest.get(found[1])
        assert (answer.status, kind in answer.headers["Content-Type"]) == (200, True)
        assert re.search(r"\.[0-9a-f]{12}\.(js|css)$", found[1])
        assert "max-age=315360000" in answer.headers["Cache-Control"]
    # One of the next release, before any process knows it.
    (deployment.static / "next.0123456789ab.js").write_text("export {};")
    assert guest.get("/static/next.0123456789ab.js").status == 200


@pytest.mark.rule("R21")
async def test_a_page_of_another_origin_or_of_two_opens_no_socket(deployment: Deployment):
    guest = Guest(deployment, "opener")
    foreign = f"https://evil.example:{deployment.nginx.port}"
    for options in (
        {"origin": None},
        {"origin": f"https://{documented.HOST}"},
        {"origin": foreign},
        {"more": [("Origin", foreign)]},
    ):
        with pytest.raises(InvalidStatus) as refused:
            await guest.connect(**options)
        assert refused.value.response.status_code in {400, 403}, options


@pytest.mark.rule("R10")
# It waits for more than a minute, and may be the one that starts the deployment.
@pytest.mark.timeout(240)
async def test_a_tab_that_is_silent_for_longer_than_nginx_waits_by_default_receives_a_logout_at_another_process(
    deployment: Deployment,
):
    guest = Guest(deployment, "silent")
    guest.get("/")
    first, second = deployment.webs
    async with guest.tab() as through, guest.tab(web=first) as one, guest.tab(web=second) as other:
        with pytest.raises(TimeoutError):
            # Whatever came, a frame or a close, would end the wait.
            await asyncio.wait_for(through.socket.recv(), NGINX_DEFAULT + 6)
        ends = asyncio.gather(*(tab.rest() for tab in (through, one, other)))
        started = time.monotonic()
        assert (await asyncio.to_thread(guest.post, "/accounts/logout/", web=second)).status == 302
        assert [(story(frames), code) for frames, code in await ends] == [([("ended", "logout")], 4401)] * 3
        assert time.monotonic() - started < AT_ONCE


def test_nginx_waits_for_longer_than_daphne_does_between_its_pings_and_for_the_answer():
    found = re.search(r"proxy_read_timeout (\d+)s;", documented.text("locations.conf"))
    assert found is not None
    daphne = CommandLineInterface().parser.parse_args(["x:y"])
    assert int(found[1]) > max(NGINX_DEFAULT, daphne.ping_interval + daphne.ping_timeout)
