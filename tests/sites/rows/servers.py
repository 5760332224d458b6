"""The servers: those that speak ASGI, and those of WSGI beside a Daphne or alone."""

from __future__ import annotations

from typing import Any

from tests.sites.row import ASGI, DAPHNE, WSGI, Command, Row


def _server(name: str, server: Command, *packages: str, **more: Any) -> Row:
    return Row(name, packages=packages, server=server, outages=True, **more)


def _uvicorn(protocol: str) -> Command:
    return ("uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--ws", protocol, ASGI)


def _gunicorn(application: str, *options: str) -> Command:
    return ("gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "1", *options, application)


ROWS = [
    Row("Daphne", shows=("daphne",), outages=True),
    _server("uvicorn, websockets", _uvicorn("websockets"), "uvicorn", "websockets", fault=5),
    _server("uvicorn, websockets-sansio", _uvicorn("websockets-sansio"), "uvicorn", "websockets", fault=5),
    _server("uvicorn, wsproto", _uvicorn("wsproto"), "uvicorn", "wsproto", fault=5),
    _server(
        "gunicorn with uvicorn's worker",
        _gunicorn(ASGI, "--worker-class", "uvicorn_worker.UvicornWorker"),
        "gunicorn",
        "uvicorn-worker",
        fault=5,
    ),
    _server("hypercorn", ("hypercorn", "--bind", "127.0.0.1:{port}", ASGI), "hypercorn", closes=False, fault=5),
    _server(
        "granian",
        ("granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}", ASGI),
        "granian",
        fault=5,
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
        fault=4,
    ),
    Row(
        "gunicorn with threads alone, pages poll",
        packages=("gunicorn",),
        server=_gunicorn(WSGI, "--threads", "4"),
        wire=False,
        fault=2,
    ),
]
