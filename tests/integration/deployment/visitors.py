"""Visitors of the deployed site: over TLS through nginx, or by one web process as nginx would ask it."""

from __future__ import annotations

import socket
from http.client import HTTPConnection, HTTPSConnection
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.integration.deployment import documented
from tests.integration.deployment.site import Deployment, Unit, trusting
from tests.integration.server.visitors import WITHIN, Visitor


class Through(HTTPSConnection):
    """A connection to a name that no resolver knows."""

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=self.timeout)
        self.sock = trusting().wrap_socket(plain, server_hostname=self.host)


class Guest(Visitor):
    """A user with a browser of their own, signed in if a name is given; `web` bypasses nginx."""

    session_cookie, csrf_cookie = "__Host-sessionid", "__Host-csrftoken"

    def __init__(self, deployment: Deployment, name: str | None = None) -> None:
        self.deployment = deployment
        self.cookies: dict[str, str] = {}
        if name is not None:
            assert self.get(f"/enter/{name}/").status == 302
            assert self.key

    @property
    def origin(self) -> str:
        return self.deployment.origin

    def connection(self, web: Unit | None = None) -> tuple[HTTPConnection, dict[str, str]]:
        host = {"Host": self.deployment.host}
        if web is None:
            return Through(documented.HOST, self.deployment.nginx.port, timeout=WITHIN), host
        return HTTPConnection("127.0.0.1", web.port, timeout=WITHIN), host | {"X-Forwarded-Proto": "https"}

    async def connect(
        self, cookie: str | None = None, *, web: Unit | None = None, path: str = "/ws/idlewatch/tab/", **options: Any
    ) -> ClientConnection:
        headers = [("Cookie", self.cookie if cookie is None else cookie)]
        settings: dict[str, Any] = {"origin": self.deployment.origin, "proxy": None, "ping_interval": None} | options
        # The address names the host, as a browser's would; the connection goes to this machine.
        if web is None:
            where = {"host": "127.0.0.1", "port": self.deployment.nginx.port, "ssl": trusting()}
            url = f"wss://{self.deployment.host}{path}"
        else:
            where = {"host": "127.0.0.1", "port": web.port}
            url = f"ws://{self.deployment.host}{path}"
            headers.append(("X-Forwarded-Proto", "https"))
        return await connect(url, additional_headers=headers, **where, **settings)
