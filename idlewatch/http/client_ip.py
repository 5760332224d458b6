"""Ready-made values of `CLIENT_IP`: the user's address behind a known number of your own proxies.

For one proxy that sets `X-Forwarded-For`::

    IDLEWATCH = {"CLIENT_IP": "idlewatch.http.client_ip.x_forwarded_for"}

`x_forwarded_for_2` and `_3` are for two and three, `forwarded`, `forwarded_2` and `forwarded_3` for proxies that set
`Forwarded` (RFC 7239). For more, make your own in a module of your project: `client_ip = XForwardedFor(4)`.

Each proxy appends the address of its peer. So the last entries, one for each proxy, are true, whatever the user sent
before them. No request may reach the site past a proxy.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any, TypeAlias

from django.http import HttpRequest

Source: TypeAlias = HttpRequest | Mapping[str, Any]
"""A request, or an ASGI scope."""

MAX_LENGTH = 4096
"""Characters at the end of a header that are read."""
_VALUE = r'(?:"(?:[^"\\]|\\.)*"|[^\s",;=\\]+)'
_PAIR = rf"(?:[\w!#$%&'*+.^`|~-]+={_VALUE})"
_ELEMENT = re.compile(rf"\s*{_PAIR}(?:\s*;\s*{_PAIR})*\s*;?\s*")
"""What one proxy appends to `Forwarded`; an address with a port is taken without its quotes, too."""
_PARAMETER = re.compile(rf"([^\s;=]+)=({_VALUE})")
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d*)?|([^:]+):\d*")
"""An IPv6 address in brackets, or an IPv4 address with a port."""


class _Forwarding(ABC):
    """The address of the peer of the first of `proxies` proxies."""

    header: str

    def __init__(self, proxies: int = 1) -> None:
        if proxies < 1:
            raise ValueError(f"The number of proxies is {proxies}; expected 1 or more.")
        self.proxies = proxies

    def __call__(self, source: Source) -> str | None:
        """Return the user's address; None if the proxy did not name it.

        A request with fewer entries than proxies has bypassed one of them: return the address of its peer.
        """
        hops = self._from_last(_header(source, self.header)[-MAX_LENGTH:])
        for number, hop in enumerate(hops, start=1):
            if number == self.proxies:
                return hop
        return _peer(source)

    @abstractmethod
    def _from_last(self, value: str) -> Iterator[str | None]:
        """Yield the addresses that the header names, the last first."""


class XForwardedFor(_Forwarding):
    """The user's address by `X-Forwarded-For`, behind `proxies` proxies that each append to it."""

    header = "X-Forwarded-For"

    def _from_last(self, value: str) -> Iterator[str | None]:
        if value.strip():
            yield from map(_address, reversed(value.split(",")))


class Forwarded(_Forwarding):
    """The user's address by `Forwarded` (RFC 7239), behind `proxies` proxies that each append to it."""

    header = "Forwarded"

    def _from_last(self, value: str) -> Iterator[str | None]:
        while (found := _last_element(value)) is not None:
            value, element = found
            parameters = {name.lower(): _unquoted(text) for name, text in _PARAMETER.findall(element)}
            yield _address(parameters.get("for", ""))


def _last_element(value: str) -> tuple[str, str] | None:
    """Split the last element off a `Forwarded` header; None if there is none.

    It is the shortest one: a quote that a user left open before it must not take in what a proxy appended.
    """
    comma = len(value)
    while comma >= 0:
        comma = value.rfind(",", 0, comma)
        if _ELEMENT.fullmatch(value, comma + 1):
            return value[: max(comma, 0)], value[comma + 1 :]
    return None


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def _address(text: str) -> str | None:
    """Return an address without its port; None for a name such as `unknown`."""
    text = text.strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _header(source: Source, name: str) -> str:
    if isinstance(source, HttpRequest):
        return source.headers.get(name, "")
    wanted = name.lower().encode()
    return ",".join(value.decode("latin-1") for key, value in source.get("headers", ()) if key.lower() == wanted)


def _peer(source: Source) -> str | None:
    if isinstance(source, HttpRequest):
        return source.META.get("REMOTE_ADDR") or None
    return (source.get("client") or (None,))[0]


x_forwarded_for, x_forwarded_for_2, x_forwarded_for_3 = (XForwardedFor(proxies) for proxies in (1, 2, 3))
forwarded, forwarded_2, forwarded_3 = (Forwarded(proxies) for proxies in (1, 2, 3))
