"""What a proxy passes on, judged by the report of a process on a request as it arrived there. Pure but for settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port
from django.utils.http import is_same_domain

from idlewatch.conf import conf
from idlewatch.core.protocol import TAB_PATH
from idlewatch.doctor.address import Address
from idlewatch.doctor.clients.connection import Route
from idlewatch.doctor.findings import Flaw
from idlewatch.ops.self_report import SelfReport

FORGED_ADDRESS = "192.0.2.77"
"""An address for documentation (RFC 5737), which no user has."""
FORGED_HEADERS = {
    # More than any number of proxies that is configured.
    "X-Forwarded-For": ", ".join([FORGED_ADDRESS] * 4),
    "Forwarded": ", ".join([f"for={FORGED_ADDRESS}"] * 4),
    "X-Real-IP": FORGED_ADDRESS,
}
_FOR = re.compile(r"for=(\"[^\"]*\"|[^\s;,]+)", re.IGNORECASE)
NGINX_SCHEME = "for nginx: proxy_set_header X-Forwarded-Proto $scheme;"
NGINX_HOST = "for nginx: proxy_set_header Host $http_host;"
SSL_HEADER = "SECURE_PROXY_SSL_HEADER = ('HTTP_X_FORWARDED_PROTO', 'https')"


def origin_flaw(flaw: Flaw | None, address: Address) -> Flaw | None:
    """Return what is wrong with scheme or host, which works all the same where the origin of users is trusted."""
    if flaw is None or not _is_trusted(address.origin):
        return flaw
    hint = f"Sockets and forms work by CSRF_TRUSTED_ORIGINS; links and redirects lead astray. {flaw.hint}"
    return flaw._replace(hint=hint, is_fatal=False)


def _is_trusted(origin: str) -> bool:
    """Return whether `CSRF_TRUSTED_ORIGINS` has an origin, by Django's rules."""
    parts = urlsplit(origin)
    trusted = map(urlsplit, settings.CSRF_TRUSTED_ORIGINS)
    return any(
        each.scheme == parts.scheme and is_same_domain(parts.netloc, each.netloc.lstrip("*")) for each in trusted
    )


def scheme_flaw(report: SelfReport, address: Address) -> Flaw | None:
    """Return why the site takes its scheme for another than users have."""
    if report.scheme == address.scheme:
        return None
    forwarded = report.forwarded.get("X-Forwarded-Proto")
    came = f"{report.scheme}, with {f'X-Forwarded-Proto: {forwarded}' if forwarded else 'no X-Forwarded-Proto'}"
    if address.scheme == "http":
        return Flaw(
            came,
            "The site takes plain http for https: the proxy sends a fixed X-Forwarded-Proto, or passes on that of a "
            f"client; {NGINX_SCHEME}",
        )
    header = (settings.SECURE_PROXY_SSL_HEADER or ("",))[0]
    if header not in {"", "HTTP_X_FORWARDED_PROTO"}:
        return Flaw(came, f"SECURE_PROXY_SSL_HEADER goes by {header}: have the proxy set that one, or name another.")
    if not forwarded:
        also = "" if header else f" Then set {SSL_HEADER}."
        return Flaw(came, f"The proxy does not pass on the scheme; {NGINX_SCHEME}{also}")
    if "https" not in forwarded:
        return Flaw(came, "The proxy next to the site overwrites what the one with TLS has set: have it pass that on.")
    if not header:
        return Flaw(came, f"The proxy passes on the scheme, and Django ignores it: set {SSL_HEADER}.")
    return Flaw(came, f"Django takes only the exact value 'https': have the proxy send one value; {NGINX_SCHEME}")


def host_flaw(report: SelfReport, address: Address) -> Flaw | None:
    """Return why the site takes its host for another than users have."""
    host = (report.host or "").lower()
    if host == address.netloc:
        return None
    came = report.host or "a host that ALLOWED_HOSTS does not have"
    forwarded = report.forwarded.get("X-Forwarded-Host", "").lower()
    if split_domain_port(host)[0] == address.host:
        return Flaw(
            came,
            "The port is lost or added on the way, so origins do not match: pass on the header Host as it came "
            "($http_host in nginx, not $host).",
        )
    if forwarded == address.netloc and not settings.USE_X_FORWARDED_HOST:
        return Flaw(
            came,
            f"The proxy replaces Host, and sends the true one as X-Forwarded-Host: have it pass on Host ({NGINX_HOST}) "
            "or set USE_X_FORWARDED_HOST = True.",
        )
    if forwarded:
        return Flaw(came, f"The proxy passes on another host, X-Forwarded-Host: {forwarded}; {NGINX_HOST}")
    return Flaw(came, f"The proxy does not pass on Host; {NGINX_HOST}")


class Paths(NamedTuple):
    """Where the URLs of a site lie."""

    state: str
    socket: str

    def __repr__(self) -> str:
        return "<Paths>"


def paths_for(reached: str, own_diagnosis: str, own_state: str, script_name: str) -> Paths:
    """Return where the URLs of a site have to lie, by where it was reached.

    Args:
        reached: the path at which it answered a challenge.
        own_diagnosis: that path by this process.
        own_state: the path of the client's state by this process.
        script_name: the script name of this process.
    """
    outer = reached.removesuffix(own_diagnosis.removeprefix(script_name))
    return Paths(outer + own_state.removeprefix(script_name), outer + TAB_PATH)


def sub_path_flaw(report: SelfReport, expected: Paths) -> Flaw | None:
    """Return why pages are given addresses at which the site does not lie."""
    named = Paths(report.state_url, report.socket_url)
    if named == expected:
        return None
    came = f"pages name {named.state} and {named.socket}"
    if named.state.count("/") > expected.state.count("/"):
        return Flaw(
            came,
            "The path below which the site lies is added twice: either the proxy cuts it off, or FORCE_SCRIPT_NAME (or "
            "the server's root_path) names it, in such a way that it is there once.",
        )
    return Flaw(
        came,
        "The site does not know the path below which it lies: set FORCE_SCRIPT_NAME, or the server's --root-path, as "
        "docs/deployment.md shows.",
    )


def address_flaw(report: SelfReport, route: Route | None) -> Flaw | None:
    """Return why the address that the site sees is not that of the client."""
    seen, named = str(_address(report.address or "") or report.address or ""), list(_named(report))
    if not seen:
        return Flaw("no address", "The server has none to give, as behind a Unix socket: set IDLEWATCH['CLIENT_IP'].")
    if named and seen not in named:
        return Flaw(
            f"{seen}, with {', '.join(named)} in forwarded headers",
            "It is the address of the proxy: set IDLEWATCH['CLIENT_IP'] = 'idlewatch.http.client_ip.x_forwarded_for'"
            + (", with the true number of proxies." if conf.client_ip is not None else "."),
        )
    if not named and report.forwarded and conf.client_ip is None:
        return Flaw(
            f"{seen}, and no forwarded header names one",
            "The proxy does not pass on the address; for nginx: proxy_set_header X-Forwarded-For $remote_addr; Then "
            "set IDLEWATCH['CLIENT_IP'].",
        )
    if route is not None and seen == route.own:
        return None
    if route is not None and _is_inner(seen) and not _is_inner(route.peer):
        # A proxy that names it may be right: a machine behind the same router may reach it by such an address.
        return Flaw(
            f"{seen}, which is no public address, through {route.peer}",
            "It is the address of a proxy or a bridge, unless this machine is behind the same one: have the proxy pass "
            "on X-Forwarded-For, and set IDLEWATCH['CLIENT_IP'].",
            is_fatal=not named,
        )
    return None


def _named(report: SelfReport) -> Iterator[str]:
    """Yield the addresses in forwarded headers."""
    for text in (
        *report.forwarded.get("X-Forwarded-For", "").split(","),
        *_FOR.findall(report.forwarded.get("Forwarded", "")),
        report.forwarded.get("X-Real-IP", ""),
    ):
        address = _address(text)
        if address is not None:
            yield str(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address without quotes, brackets and port; None for a name such as `unknown`."""
    text = text.strip().strip('"')
    for each in (text.strip("[]"), text.rpartition(":")[0].strip("[]")):
        with suppress(ValueError):
            address = ip_address(each)
            return getattr(address, "ipv4_mapped", None) or address
    return None


def _is_inner(text: str) -> bool:
    address = _address(text)
    return address is not None and not address.is_global


def is_believed(report: SelfReport) -> bool:
    """Return whether a forged address is the one that the site sees."""
    return report.address == FORGED_ADDRESS
