"""Serves `/metrics` of a timer in a process of its own, by prometheus_client's WSGI application."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from threading import Thread
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app

from idlewatch.conf import conf
from idlewatch.ops.exposition import has_token, log_refusal, scrape
from idlewatch.process import Lane, Process, current_process, in_thread

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

LOOPBACK = "127.0.0.1"
REQUEST_TIMEOUT = 5.0
"""Seconds that a client may let the server wait for data."""


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of `[HOST:]PORT`; the default host is the loopback address.

    Raises:
        ValueError: the address is malformed, or other machines could connect without a token.
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]") or LOOPBACK
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError(f"{text!r} is not an address; expected [HOST:]PORT, such as 9464.")
    if conf.metrics_token is None and not _is_loopback(host):
        raise ValueError(f"Anyone could connect to {host}; expected IDLEWATCH['METRICS_TOKEN'] to be set.")
    return host, int(port)


@asynccontextmanager
async def serving(host: str, port: int) -> AsyncIterator[int]:
    """Serve the metrics of this process from a thread, as long as the context lasts; yield the port."""
    server_class = _IPv6Server if ":" in host else _Server
    server = make_server(
        host, port, _application(current_process(), asyncio.get_running_loop()), server_class, _RequestHandler
    )
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="idlewatch-metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        # `shutdown` waits for the thread, whose requests wait for this loop.
        await in_thread(Lane.WAITING, server.shutdown)
        server.server_close()


def _application(process: Process, loop: asyncio.AbstractEventLoop) -> WSGIApplication:
    def respond(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/metrics":
            return _refuse(start_response, "404 Not Found", b"The metrics are at /metrics.\n")
        if conf.metrics_token is not None and not has_token(environ.get("HTTP_AUTHORIZATION", "")):
            log_refusal("no token")
            return _refuse(start_response, "403 Forbidden", b"Forbidden\n")
        # The store's connections belong to the timer's event loop.
        metrics = asyncio.run_coroutine_threadsafe(scrape(), loop).result()
        return make_wsgi_app(metrics)(environ | {"QUERY_STRING": ""}, start_response)  # type: ignore[no-any-return]

    def respond_here(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # The server's threads belong to no process by themselves.
        with process.entered():
            return respond(environ, start_response)

    return respond_here


def _refuse(start_response: StartResponse, status: str, body: bytes) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [body]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(ThreadingWSGIServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that disconnects, or sends nothing."""


class _IPv6Server(_Server):
    address_family = socket.AF_INET6


class _RequestHandler(WSGIRequestHandler):
    timeout = REQUEST_TIMEOUT

    def log_message(self, *_: object) -> None:
        """Log nothing: a scraper sends a request every few seconds."""
