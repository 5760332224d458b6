"""Visitors of the deployed site: over TLS through nginx, or by one web process as nginx would ask it."""

from __future__ import annotations

import socket
from http.client import HTTPConnection, HTTPSConnection
from typing import Any

from websockets.asyncio.client import ClientConnection

from tests.integration.deployment import documented
from tests.integration.deployment.site import Deployment, Unit, trusting
from tests.integration.server.visitors import Visitor

FORWARDED = {"X-Forwarded-Proto": "https"}


class Through(HTTPSConnection):
    """A connection to a name that no resolver knows."""

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=self.timeout)
        self.sock = trusting().wrap_socket(plain, server_hostname=self.host)


class Guest(Visitor):
    """A visitor of the deployed site; `web` bypasses nginx."""

    session_cookie, csrf_cookie = "__Host-sessionid", "__Host-csrftoken"

    def __init__(self, deployment: Deployment, name: str | None = None) -> None:
        self.nginx = deployment.nginx
        super().__init__(deployment.nginx, name)

    def connection(self, web: Unit | None = None) -> tuple[HTTPConnection, dict[str, str]]:
        host = {"Host": self.nginx.host}
        if web is None:
            return Through(documented.HOST, self.nginx.port, timeout=self.timeout), host
        return HTTPConnection("127.0.0.1", web.port, timeout=self.timeout), host | FORWARDED

    async def connect(self, cookie: str | None = None, *, web: Unit | None = None, **options: Any) -> ClientConnection:
        # The address names the host, as a browser's would; the connection goes to this machine.
        where: dict[str, Any] = {"host": "127.0.0.1", "ssl": trusting()}
        if web is not None:
            url = self.nginx.socket_url().replace("wss:", "ws:")
            where = {"host": "127.0.0.1", "port": web.port, "url": url, "more": FORWARDED.items()}
        return await super().connect(cookie, **where | options)
