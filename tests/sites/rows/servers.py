"""The servers: those that speak ASGI, and those of WSGI beside a Daphne or alone."""

from __future__ import annotations

import sys
from typing import Any

from tests.sites.row import ASGI, DAPHNE, WSGI, Command, Row


def _server(name: str, server: Command, *packages: str, **more: Any) -> Row:
    return Row(name, packages=packages, server=server, outages=True, **more)


def _uvicorn(protocol: str) -> Command:
    return ("uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--ws", protocol, ASGI)


def _gunicorn(application: str, *options: str) -> Command:
    return ("gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "1", *options, application)


def _hypercorn(worker: str) -> Command:
    return ("hypercorn", "--worker-class", worker, "--bind", "127.0.0.1:{port}", ASGI)


ROWS = [
    Row("Daphne", rarely=True, shows=("daphne",), outages=True),
    _server("uvicorn, websockets", _uvicorn("websockets"), "uvicorn", "websockets"),
    _server("uvicorn, websockets-sansio", _uvicorn("websockets-sansio"), "uvicorn", "websockets"),
    _server("uvicorn, wsproto", _uvicorn("wsproto"), "uvicorn", "wsproto"),
    _server(
        "gunicorn with uvicorn's worker",
        _gunicorn(ASGI, "--worker-class", "uvicorn_worker.UvicornWorker"),
        "gunicorn",
        "uvicorn-worker",
    ),
    _server("hypercorn", _hypercorn("asyncio"), "hypercorn", closes=False, stops=sys.version_info < (3, 12)),
    _server("hypercorn with uvloop", _hypercorn("uvloop"), "hypercorn", "uvloop", closes=False),
    _server(
        "granian",
        ("granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}", ASGI),
        "granian",
    ),
    _server(
        "gunicorn with threads, beside a Daphne",
        _gunicorn(WSGI, "--threads", "4"),
        "gunicorn",
        sockets=DAPHNE,
        redis=True,
    ),
    _server(
        "gunicorn with gevent, beside a Daphne",
        _gunicorn(WSGI, "--worker-class", "gevent"),
        "gunicorn",
        "gevent",
        sockets=DAPHNE,
        redis=True,
    ),
    Row(
        "gunicorn with threads alone, pages poll",
        packages=("gunicorn",),
        server=_gunicorn(WSGI, "--threads", "4"),
        wire=False,
        polls=True,
    ),
]
