"""Two sites below paths of one host, behind nginx: one is told its path by a setting, the other by the server."""

from __future__ import annotations

import asyncio
import html
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.deployment.site import NginxProcess, scratch
from tests.integration.server.visitors import Visitor, story
from tests.support.serving import Server, clean_environment, migrated

SITE = """\
map $http_upgrade $connection_upgrade {{
    default upgrade;
    "" close;
}}
server {{
    listen 127.0.0.1:{port};
    proxy_http_version 1.1;
    location /kept/ {{
        {headers}
        proxy_pass http://127.0.0.1:{kept};
    }}
    location /cut/ {{
        {headers}
        proxy_set_header Daphne-Root-Path /cut;
        proxy_pass http://127.0.0.1:{cut}/;
    }}
}}
"""
HEADERS = """\
proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;"""


@pytest.fixture(scope="module")
def nginx() -> Iterator[NginxProcess]:
    with ExitStack() as stack:
        ports = {}
        for name, forced in {"kept": {"SITE_SCRIPT_NAME": "/kept"}, "cut": {}}.items():
            directory = scratch()
            environ = {
                "DEBUG": "1",
                "DJANGO_SETTINGS_MODULE": "tests.integration.deployment.path_settings",
                "DATABASE_URL": f"sqlite:///{shutil.copy(migrated(), directory / 'db.sqlite3')}",
                "SITE_PATH": f"/{name}/",
            }
            site = Server("project.asgi:application", clean_environment(**environ, **forced), directory / "daphne.log")
            stack.callback(site.stop)
            site.start()
            ports[name] = site.port
        nginx = NginxProcess(scratch())
        nginx.configure(SITE.format(port=nginx.port, headers=HEADERS, **ports))
        stack.callback(nginx.stop)
        nginx.start()
        yield nginx


@pytest.mark.parametrize("path", ["/kept", "/cut"])
async def test_a_session_lives_is_warned_and_ends_below_its_path(nginx: NginxProcess, path: str):
    visitor = Visitor(nginx)
    entered = visitor.get(f"{path}/enter/quick/")
    assert entered.headers["Location"] == f"{path}/"
    assert f"Path={path}/" in str(entered.headers["Set-Cookie"])
    found = re.search(r'id="idlewatch-client" data-config="([^"]*)"', visitor.get(f"{path}/").text)
    assert found is not None
    config = json.loads(html.unescape(found[1]))
    async with visitor.tab(url=nginx.socket_url(f"{config['socket']}?for={config['token']}")) as tab:
        said = await asyncio.to_thread(visitor.post, config["message"], '{"type": "extend"}')
        assert said.status == 200
        frames, code = await tab.rest()
    assert (story(frames)[-2:], code) == ([("warned", "idle"), ("ended", "idle")], 4401)
    assert frames[-1]["login_url"] == f"{path}/accounts/login/"
    away = visitor.get(f"{path}/?a=1")
    assert (away.status, away.headers["Location"]) == (302, f"{path}/accounts/login/?next={path}/%3Fa%3D1")
    assert any(f"Path={path}/" in line for line in away.headers.get_all("Set-Cookie", []) if "_ended=" in line)
    assert "because of inactivity" in visitor.get(away.headers["Location"]).text
