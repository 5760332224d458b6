"""Connections of the doctor: to its address and nowhere else, bounded in time, with errors in plain words."""

from __future__ import annotations

import io
import socket
import ssl
import time
import zlib
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from idlewatch.doctor.address import Address
from idlewatch.exceptions import IdleWatchError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

REQUEST_TIMEOUT = 10.0
"""Seconds that an answer may take, from the first packet to the last byte that is read."""


class NoAnswer(IdleWatchError):
    """Nothing answers at this address."""


class Route(NamedTuple):
    """The two ends of a connection, as this machine sees them."""

    own: str
    """The IP address that the doctor has on it."""
    peer: str
    """The IP address of the site, or of its proxy."""

    def __repr__(self) -> str:
        return "<Route>"


def connect(address: Address, deadline: float, *, with_cookie: bool) -> socket.socket:
    """Connect to an address until `deadline`, by the monotonic clock, without TLS.

    Raises:
        NoAnswer: no connection; or a cookie would go to another machine in clear text.
    """
    try:
        connection = socket.create_connection((address.host.strip("[]"), address.port), _left(deadline))
    except (OSError, UnicodeError) as error:
        raise NoAnswer(why_not(address, error)) from None
    # Names are resolved here, not where they were judged: `x.localhost` may be any machine for this one's resolver.
    if with_cookie and address.scheme != "https" and not ip_address(connection.getpeername()[0]).is_loopback:
        connection.close()
        raise NoAnswer(f"{address.host} is another machine, and gets no cookie without TLS")
    return connection


def secured(address: Address, connection: socket.socket, deadline: float) -> socket.socket:
    """Return a connection with TLS if the address is https; raises `OSError`, and `ssl.SSLError` among these."""
    if address.scheme != "https":
        return connection
    connection.settimeout(_left(deadline))
    return ssl.create_default_context().wrap_socket(connection, server_hostname=address.host.strip("[]"))


def route_of(connection: socket.socket) -> Route:
    """Return the two ends of a connection."""
    return Route(connection.getsockname()[0], connection.getpeername()[0])


class BoundedSocket:
    """A connection for `http.client` whose answer comes in time as a whole: that bounds each packet alone."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def sendall(self, data: ReadableBuffer) -> None:
        """Send all of it in time."""
        self._connection.settimeout(_left(self._deadline))
        self._connection.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return what the answer is read from."""
        return io.BufferedReader(_Reader(self._connection, self._deadline))

    def close(self) -> None:
        """Do nothing: `http.client` closes what it still reads from, and `HttpClient` closes the connection."""


class _Reader(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._connection.settimeout(_left(self._deadline))
        return self._connection.recv_into(buffer)


def why_not(address: Address, error: Exception) -> str:
    """Return in plain words why an address did not answer."""
    where = address.netloc
    match error:
        case ssl.SSLCertVerificationError():
            return f"the certificate of {where} is not valid: {error.verify_message}"
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "HTTP_REQUEST"):
            return f"{where} speaks no TLS"
        case ssl.SSLError():
            return f"TLS with {where} failed: {getattr(error, 'reason', None) or error}"
        case ConnectionRefusedError():
            return f"nothing listens at {where}"
        case socket.gaierror():
            return f"the name {address.host} has no address: {error.strerror}"
        case zlib.error():
            return f"the answer of {where} is not compressed as its Content-Encoding claims"
        case TimeoutError():
            return f"no answer from {where} within {REQUEST_TIMEOUT:g} s"
        case _:
            return f"{where} did not answer: {str(error) or type(error).__name__}"


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
