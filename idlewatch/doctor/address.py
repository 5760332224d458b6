"""The address at which the doctor tries a site, and whether a session cookie may go there."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.http.request import validate_host

DEBUG_HOSTS = (".localhost", "127.0.0.1", "[::1]")
"""What Django allows in DEBUG where ALLOWED_HOSTS is empty."""
DEFAULT_PORTS = {"http": 80, "https": 443}


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
        parts = urlsplit(self.url(url))
        return f"{parts.scheme}://{parts.netloc}" == self.origin


def parse_address(url: str) -> Address:
    """Return the address in a URL such as `https://example.com/portal/`.

    Raises:
        ValueError: it is no such URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is not the address of a site; expected one like https://example.com/.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port if parts.port is not None else DEFAULT_PORTS[parts.scheme]
    return Address(parts.scheme, host, port, parts.path.rstrip("/"))


def why_no_cookie(address: Address) -> str | None:
    """Return why no session cookie may be sent to an address, whatever answers there; None if it may."""
    allowed = [host for host in settings.ALLOWED_HOSTS if host != "*"]
    if settings.DEBUG and not settings.ALLOWED_HOSTS:
        allowed = list(DEBUG_HOSTS)
    if not validate_host(address.host, allowed):
        return f"ALLOWED_HOSTS names {allowed}, which does not have {address.host!r} ('*' does not count)"
    if address.scheme != "https" and not address.is_loopback:
        return f"{address.origin} is neither https nor an address of this machine"
    return None
