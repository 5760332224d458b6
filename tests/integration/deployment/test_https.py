"""What a browser gets of the documented deployment, through nginx and TLS."""

from __future__ import annotations

import re
from http.client import HTTPConnection
from urllib.parse import urlencode

import psycopg
import pytest
from django.contrib.auth.hashers import make_password
from websockets.exceptions import InvalidStatus

from tests.integration.deployment import documented
from tests.integration.deployment.site import Deployment
from tests.integration.deployment.visitors import Guest
from tests.integration.server.visitors import story


def database(deployment: Deployment) -> str:
    return deployment.webs[0].environ["DATABASE_URL"]


@pytest.mark.rule("R22")
def test_a_user_signs_in_by_the_form_and_gets_the_page(deployment: Deployment):
    with psycopg.connect(database(deployment)) as connection:
        connection.execute(
            "INSERT INTO auth_user"
            " (username, password, is_superuser, is_staff, is_active, first_name, last_name, email, date_joined)"
            " VALUES ('formal', %s, false, false, true, '', '', '', now())",
            [make_password("pw")],
        )
    guest = Guest(deployment)
    away = guest.get("/")
    assert (away.status, away.headers["Location"]) == (302, "/accounts/login/?next=/")
    form = guest.get("/accounts/login/?next=/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)  # type: ignore[attr-defined]
    assert token is not None
    fields = {"csrfmiddlewaretoken": token[1], "username": "formal", "password": "pw", "next": "/"}
    headers = {"Origin": guest.origin, "Content-Type": "application/x-www-form-urlencoded"}
    entered = guest.ask("POST", "/accounts/login/", headers, urlencode(fields))
    assert (entered.status, entered.headers["Location"]) == (302, "/")
    cookies = [line for line in entered.headers.get_all("Set-Cookie", []) if line.startswith("__Host-sessionid=")]
    assert [("Secure" in line, "HttpOnly" in line, "expires" in line.lower()) for line in cookies] == [
        (True, True, False)
    ]
    page = guest.get("/")
    assert (page.status, "max-age" in page.headers["Strict-Transport-Security"]) == (200, True)
    assert 'id="idlewatch-state"' in page.text  # type: ignore[attr-defined]


def test_plain_http_leads_to_https(deployment: Deployment):
    connection = HTTPConnection("127.0.0.1", deployment.nginx.plain_port, timeout=10)
    forged = {"Host": documented.HOST, "X-Forwarded-Proto": "https"}
    connection.request("GET", "/accounts/login/?next=/x", headers=forged)
    response = connection.getresponse()
    assert (response.status, response.headers["Location"]) == (
        301,
        f"https://{documented.HOST}/accounts/login/?next=/x",
    )
    connection.close()


def test_a_forged_scheme_and_address_do_not_get_through(deployment: Deployment):
    guest = Guest(deployment)
    forged = {"X-Forwarded-Proto": "http", "X-Forwarded-For": "203.0.113.9", "Sec-Fetch-Mode": "navigate"}
    assert guest.get("/enter/forger/", forged).headers["Location"] == "/"
    with psycopg.connect(database(deployment)) as connection:
        addresses = connection.execute(
            "SELECT host(address::inet) FROM idlewatch_watchedsession WHERE username = 'forger'"
        ).fetchall()
    assert addresses == [("127.0.0.1",)]


def test_static_files_come_from_the_disk_with_hashed_names_and_right_types(deployment: Deployment):
    guest = Guest(deployment, "reader")
    page = guest.get("/").text  # type: ignore[attr-defined]
    script, style = (
        re.search(pattern, page) for pattern in (r'src="(/static/[^"]+\.js)"', r'href="(/static/[^"]+\.css)"')
    )
    assert script is not None
    assert style is not None
    for found, kind in ((script, "javascript"), (style, "text/css")):
        answer = guest.get(found[1])
        assert (answer.status, kind in answer.headers["Content-Type"]) == (200, True)
        assert re.search(r"\.[0-9a-f]{12}\.(js|css)$", found[1])
        assert "max-age=315360000" in answer.headers["Cache-Control"]


def test_a_file_of_the_next_release_is_served_before_any_process_knows_it(deployment: Deployment):
    (deployment.static / "next.0123456789ab.js").write_text("export {};")
    assert Guest(deployment).get("/static/next.0123456789ab.js").status == 200


async def test_a_page_of_the_site_opens_its_socket(deployment: Deployment):
    async with Guest(deployment, "opener").tab() as tab:
        assert story([tab.first]) == [("active", None)]
        assert (await tab.ask("extend"))["phase"] == "active"


@pytest.mark.rule("R21")
@pytest.mark.parametrize(
    "origin",
    [None, "https://{host}", "https://evil.example:{port}"],
)
async def test_a_page_of_another_origin_does_not(deployment: Deployment, origin: str | None):
    foreign = origin and origin.format(host=documented.HOST, port=deployment.nginx.port)
    with pytest.raises(InvalidStatus) as refused:
        await Guest(deployment, "opener").connect(origin=foreign)
    assert refused.value.response.status_code == 403


def test_each_process_is_ready(deployment: Deployment):
    guest = Guest(deployment)
    for web in (None, *deployment.webs):
        assert guest.get("/readyz", web=web).status == 200
