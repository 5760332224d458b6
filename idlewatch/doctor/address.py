"""The address at which the doctor tries a site, and whether a session cookie may go there."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.http.request import validate_host
from django.utils.encoding import iri_to_uri, punycode

USUAL_ADDRESS = "http://127.0.0.1:8000/"
"""Where `runserver` serves a site, and where one is looked for if no address is given."""
DEBUG_HOSTS = (".localhost", "127.0.0.1", "[::1]")
"""What Django allows in DEBUG where ALLOWED_HOSTS is empty."""
EXPECTED = "expected one like https://example.com/"
DEFAULT_PORTS = {"http": 80, "https": 443}
IPV6 = 6


class Address(NamedTuple):
    """The address of a site: of its start page, or of the path below which it lies."""

    scheme: str
    """`http` or `https`."""
    host: str
    """The name or IP address, as it stands in a URL."""
    port: int
    prefix: str
    """The path below which the site lies, without a slash at its end; empty where it lies at the root."""

    @property
    def origin(self) -> str:
        """The origin, as browsers write it."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def netloc(self) -> str:
        """Host and port, as in the header Host."""
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine's own."""
        name = self.host.strip("[]")
        try:
            return ip_address(name).is_loopback
        except ValueError:
            return name == "localhost" or name.endswith(".localhost")

    def url(self, path: str) -> str:
        """Return the URL of a path of this origin, or of one that is absolute already."""
        return urljoin(self.origin, path)

    def has(self, url: str) -> bool:
        """Return whether a URL, or a path, is of this origin."""
        return self.target(url) is not None

    def target(self, url: str) -> str | None:
        """Return the path and query of a URL of this origin, or of a path; None if it is of another one."""
        try:
            parts = urlsplit(self.url(url))
            host, port = _host_of(parts.hostname or ""), parts.port
        except ValueError:
            return None
        if parts.scheme != self.scheme or "@" in parts.netloc or host != self.host:
            return None
        if (DEFAULT_PORTS[self.scheme] if port is None else port) != self.port:
            return None
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def parse_address(url: str) -> Address:
    """Return the address in a URL such as `https://example.com/portal/`.

    Raises:
        ValueError: it is no such URL. The message shows no password that stands in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        host = _host_of(parts.hostname or "")
    except ValueError:
        # A bracket that is not closed, a port that is no number, a label that is too long.
        raise ValueError(_expected(url)) from None
    if "@" in parts.netloc:
        raise ValueError(f"an address with a user name in it; {EXPECTED}, without one.")
    is_odd = not url.isprintable() or " " in url or "//" in parts.path or "\\" in url or port == 0
    if parts.scheme not in DEFAULT_PORTS or not host or is_odd:
        raise ValueError(_expected(url))
    if parts.query or parts.fragment:
        raise ValueError(f"{url.partition('?')[0].partition('#')[0]!r} with a query or a fragment; {EXPECTED}.")
    return Address(parts.scheme, host, DEFAULT_PORTS[parts.scheme] if port is None else port, _prefix(parts.path))


def parse_path(path: str) -> str:
    """Return a path below an address, as browsers request it, with its query.

    Raises:
        ValueError: it is no path.
    """
    if not path.startswith("/") or path.startswith("//") or "#" in path or "\\" in path or not path.isprintable():
        raise ValueError(f"{path!r} is not a path; expected one like /account/, from its slash on, without a host.")
    return iri_to_uri(path)


def _prefix(path: str) -> str:
    return iri_to_uri(path).rstrip("/")


def _expected(url: str) -> str:
    return f"{url.rpartition('@')[2]!r} is not the address of a site; {EXPECTED}."


def _host_of(name: str) -> str:
    """Return a host as browsers write it in a URL: IPv6 addresses in brackets, international names in ASCII."""
    try:
        address = ip_address(name)
    except ValueError:
        return punycode(name.lower())
    return f"[{address.compressed}]" if address.version == IPV6 else address.compressed


def is_in_clear(address: Address) -> bool:
    """Return whether what is sent to an address goes to other machines in clear text."""
    return address.scheme != "https" and not address.is_loopback


def why_no_cookie(address: Address) -> str | None:
    """Return why no session cookie may be sent to an address, whatever answers there; None if it may."""
    allowed = [host for host in settings.ALLOWED_HOSTS if host != "*"]
    if settings.DEBUG and not settings.ALLOWED_HOSTS:
        allowed = list(DEBUG_HOSTS)
    if not validate_host(address.host, allowed):
        return f"ALLOWED_HOSTS names {allowed}, which does not have {address.host!r} ('*' does not count)"
    if is_in_clear(address):
        return f"{address.origin} is neither https nor an address of this machine"
    return None
