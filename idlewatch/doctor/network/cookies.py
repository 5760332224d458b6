"""Whether a browser keeps the cookies of a site, by their settings and the site's address (RFC 6265bis §5)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

from django.conf import settings

from idlewatch.doctor.address import Address
from idlewatch.doctor.findings import Flaw


class Cookie(NamedTuple):
    """A cookie as the settings have it."""

    setting: str
    """How its settings begin: `SESSION_COOKIE` or `CSRF_COOKIE`."""
    name: str
    domain: str | None
    path: str
    secure: bool
    samesite: str | None

    def __repr__(self) -> str:
        return "<Cookie>"


def cookie_of(setting: str) -> Cookie:
    """Return the cookie whose settings begin with `setting`."""
    name, domain, path, secure, samesite = (
        getattr(settings, f"{setting}_{part}") for part in ("NAME", "DOMAIN", "PATH", "SECURE", "SAMESITE")
    )
    return Cookie(setting, name, domain or None, path or "/", bool(secure), samesite or None)


def flaws_of(cookie: Cookie, address: Address) -> Iterator[Flaw]:
    """Yield what is wrong with a cookie that a site at this address sets."""
    yield from _domain(cookie, address)
    yield from _path(cookie, address)
    yield from _secure(cookie, address)
    yield from _prefix(cookie)


def _domain(cookie: Cookie, address: Address) -> Iterator[Flaw]:
    if cookie.domain is None:
        return
    domain, setting = cookie.domain.removeprefix(".").lower(), f"{cookie.setting}_DOMAIN"
    came = f"{setting} is {cookie.domain!r}, the host is {address.host!r}"
    if not _matches(address.host, domain):
        yield Flaw(came, f"Browsers refuse the cookie: set {setting} = None, or a domain of which this host is a part.")
    elif "." not in domain and domain != address.host:
        yield Flaw(came, f"Browsers refuse cookies for a whole top-level domain: set {setting} = None.")


def _matches(host: str, domain: str) -> bool:
    """Return whether a host is a domain or lies below it (RFC 6265 §5.1.3)."""
    if host == domain:
        return True
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return host.endswith(f".{domain}")
    return False


def _path(cookie: Cookie, address: Address) -> Iterator[Flaw]:
    setting, start = f"{cookie.setting}_PATH", f"{address.prefix}/"
    below = cookie.path if cookie.path.endswith("/") else f"{cookie.path}/"
    if not start.startswith(below):
        yield Flaw(
            f"{setting} is {cookie.path!r}, the site lies at {start!r}",
            f"Browsers do not send the cookie back to all pages: set {setting} = {start!r}.",
        )


def _secure(cookie: Cookie, address: Address) -> Iterator[Flaw]:
    setting = f"{cookie.setting}_SECURE"
    if cookie.secure and address.scheme == "http" and not address.is_loopback:
        yield Flaw(
            f"{setting} is True, and the address is plain http",
            f"Browsers refuse the cookie: serve the site over https and give that address; without TLS, {setting} "
            "would have to be False.",
        )
    if not cookie.secure and str(cookie.samesite).lower() == "none":
        yield Flaw(
            f"{cookie.setting}_SAMESITE is 'None' without {setting}",
            f"Browsers refuse the cookie: set {setting} = True, or {cookie.setting}_SAMESITE = 'Lax'.",
        )
    elif not cookie.secure and address.scheme == "https":
        yield Flaw(
            f"{setting} is False, and the address is https",
            f"The cookie goes over plain http, too, where anyone on the way can read it: set {setting} = True.",
            is_fatal=False,
        )
    elif not cookie.secure and not address.is_loopback:
        yield Flaw(
            "the address is plain http",
            f"Anyone on the way can read the cookie: serve the site over https, and set {setting} = True.",
            is_fatal=False,
        )


def _prefix(cookie: Cookie) -> Iterator[Flaw]:
    prefix = next((each for each in ("__Host-", "__Secure-") if cookie.name.lower().startswith(each.lower())), None)
    if prefix is None:
        return
    came = f"the name {cookie.name!r}, and "
    if not cookie.secure:
        yield Flaw(f"{came}{cookie.setting}_SECURE is False", f"Browsers refuse a cookie {prefix}… without Secure.")
    if prefix == "__Host-" and (cookie.domain is not None or cookie.path != "/"):
        yield Flaw(
            f"{came}domain {cookie.domain!r}, path {cookie.path!r}",
            f"Browsers refuse a cookie {prefix}… with a domain, or with another path than '/'.",
        )
