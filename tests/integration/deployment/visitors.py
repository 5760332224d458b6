"""Visitors of the deployed site: over TLS through nginx, or by one web process as nginx would ask it."""

from __future__ import annotations

import socket
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from http.cookies import SimpleCookie
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.integration.deployment import documented
from tests.integration.deployment.site import Deployment, Unit, trusting
from tests.integration.server.visitors import NAVIGATION, WITHIN, Visitor


class Through(HTTPSConnection):
    """A connection to a name that no resolver knows."""

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=self.timeout)
        self.sock = trusting().wrap_socket(plain, server_hostname=self.host)


class Guest(Visitor):
    """A user with a browser of their own, signed in if a name is given; `web` bypasses nginx."""

    def __init__(self, deployment: Deployment, name: str | None = None) -> None:
        self.deployment = deployment
        self.cookies: dict[str, str] = {}
        if name is not None:
            assert self.get(f"/enter/{name}/").status == 302
            assert self.key

    @property
    def key(self) -> str:
        return self.cookies.get("__Host-sessionid", "")

    def get(self, path: str, headers: dict[str, str] = NAVIGATION, web: Unit | None = None) -> HTTPResponse:
        return self.ask("GET", path, headers, web=web)

    def post(self, path: str, body: str = "", web: Unit | None = None, **headers: str) -> HTTPResponse:
        token = {"X-CSRFToken": self.cookies.get("__Host-csrftoken", "")}
        sent = {"Origin": self.deployment.origin, "Sec-Fetch-Mode": "cors", "Accept": "*/*"} | token | headers
        return self.ask("POST", path, sent, body, web=web)

    def ask(
        self, method: str, path: str, headers: dict[str, str], body: str | None = None, web: Unit | None = None
    ) -> HTTPResponse:
        connection: HTTPConnection
        if web is None:
            connection = Through(documented.HOST, self.deployment.nginx.port, timeout=WITHIN)
        else:
            connection = HTTPConnection("127.0.0.1", web.port, timeout=WITHIN)
            headers = headers | {"X-Forwarded-Proto": "https"}
        try:
            connection.request(method, path, body, headers | {"Host": self.deployment.host, "Cookie": self.cookie})
            response = connection.getresponse()
            response.text = response.read().decode()  # type: ignore[attr-defined]
        finally:
            connection.close()
        for line in response.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return response

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
