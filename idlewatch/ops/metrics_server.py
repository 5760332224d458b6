"""Serves `/metrics` where there is no web server: for the timer in a process of its own."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from ipaddress import ip_address
from typing import NamedTuple

from idlewatch.conf import conf
from idlewatch.ops.exposition import bears_token, exposition, note_refusal

logger = logging.getLogger("idlewatch")

HERE = "127.0.0.1"
PATIENCE = 5.0
"""Seconds in which who asks has asked, and has read the answer."""
LONGEST = 8192
"""Bytes of a request."""


class Answer(NamedTuple):
    """What a request is answered."""

    status: HTTPStatus
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


def address_of(given: str) -> tuple[str, int]:
    """Read `[HOST:]PORT`; without a host, this machine alone may ask.

    Raises:
        ValueError: it is no such address, or others could ask without a token.
    """
    host, _, port = given.rpartition(":")
    host = host.strip("[]") or HERE
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError(f"{given!r} is no address; expected [HOST:]PORT, like 9464.")
    if conf.metrics_token is None and not _is_here(host):
        raise ValueError(f"Anybody could ask {host}; expected IDLEWATCH['METRICS_TOKEN'] to be set.")
    return host, int(port)


async def serve(host: str, port: int) -> asyncio.Server:
    """Serve the metrics of this process, until the server is closed."""
    return await asyncio.start_server(_serve, host, port, limit=LONGEST)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
            answer = await _answer(head.decode("latin-1"))
            writer.write(_written(answer, bare=head.startswith(b"HEAD ")))
            await writer.drain()
    except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
        # Who does not ask, or not to the end, needs no answer.
        pass
    except Exception:
        logger.exception("The metrics could not be shown.")
    finally:
        writer.close()


async def _answer(head: str) -> Answer:
    request, *lines = head.split("\r\n")
    method, _, rest = request.partition(" ")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if rest.split(" ")[0].partition("?")[0] != "/metrics":
        return Answer(HTTPStatus.NOT_FOUND, b"The metrics are at /metrics.\n")
    if method not in {"GET", "HEAD"}:
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED, b"")
    if conf.metrics_token is not None and not bears_token(fields.get("authorization", "")):
        note_refusal("no token")
        return Answer(HTTPStatus.FORBIDDEN, b"Forbidden\n")
    return Answer(HTTPStatus.OK, *await exposition(fields.get("accept", "")))


def _written(answer: Answer, *, bare: bool) -> bytes:
    head = [
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        "Allow: GET, HEAD",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + (b"" if bare else answer.body)
