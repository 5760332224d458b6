"""What a Content-Security-Policy lets a page load (CSP level 3): of it, what the client in a page needs.

Hashes are not known here: the client's tags have none. Of Trusted Types the client uses no sink.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Self
from urllib.parse import SplitResult, unquote, urlsplit

from idlewatch.doctor.address import DEFAULT_PORTS

PORTS = {**DEFAULT_PORTS, "ws": 80, "wss": 443}
UPGRADES = {"http": {"https"}, "ws": {"wss"}}
"""The schemes that a scheme also stands for."""
NONCE_PREFIX = "'nonce-"


class Need(StrEnum):
    """What the client needs to do; the directives that decide on it, the first that a policy has."""

    directives: Sequence[str]

    def __new__(cls, value: str, *directives: str) -> Self:
        """Make a member that knows its directives."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.directives = directives
        return member

    SCRIPT = "script", "script-src-elem", "script-src", "default-src"
    STYLE = "stylesheet", "style-src-elem", "style-src", "default-src"
    CONNECTION = "connection", "connect-src", "default-src"
    FORM = "form", "form-action"


class Why(StrEnum):
    """Why a policy refuses something."""

    SANDBOX = "the sandbox allows no script, or takes the page's origin away"
    OTHER_NONCE = "the tag has another nonce than the policy"
    NO_NONCE = "the tag has no nonce, and 'strict-dynamic' ignores URLs"
    NOT_NAMED = "none of its sources matches the address"


class Resource(NamedTuple):
    """Something that the client needs."""

    need: Need
    url: str
    """Absolute."""
    nonce: str = ""
    """That of its tag."""

    def __repr__(self) -> str:
        return f"<Resource {self.need}>"


class Refusal(NamedTuple):
    """What refuses something, and why."""

    directive: str
    """As the policy has it, without nonces."""
    why: Why

    def __repr__(self) -> str:
        return f"<Refusal: {self.why}>"


class ContentPolicy(NamedTuple):
    """One policy of a page. Where there are several, all have to allow something."""

    directives: Mapping[str, Sequence[str]]
    is_enforced: bool = True
    """False: browsers only report what it refuses."""
    is_meta: bool = False
    """It stands in the page itself."""

    def __repr__(self) -> str:
        return f"<ContentPolicy with {', '.join(self.directives)}>"

    def refusal_of(self, resource: Resource, page_url: str) -> Refusal | None:
        """Return what refuses a resource of the page with this URL; None if it is allowed."""
        if self._is_sandboxed():
            return Refusal(f"sandbox {' '.join(self.directives['sandbox'])}".strip(), Why.SANDBOX)
        name = next((name for name in resource.need.directives if name in self.directives), None)
        if name is None:
            return None
        sources = self.directives[name]
        why = _why_refused(sources, resource, urlsplit(page_url))
        return None if why is None else Refusal(" ".join([name, *map(_shown, sources)]), why)

    def _is_sandboxed(self) -> bool:
        flags = self.directives.get("sandbox")
        # Browsers ignore it where the page itself has it, or where it is only reported.
        if flags is None or self.is_meta or not self.is_enforced:
            return False
        return not {"allow-scripts", "allow-same-origin"} <= {flag.lower() for flag in flags}


def parse_policies(text: str, *, is_enforced: bool = True, is_meta: bool = False) -> Iterator[ContentPolicy]:
    """Yield the policies in the value of a header, which commas separate."""
    for serialized in text.split(","):
        directives: dict[str, Sequence[str]] = {}
        for directive in serialized.split(";"):
            name, *sources = directive.split() or [""]
            if name:
                # Of two of one name, the first counts.
                directives.setdefault(name.lower(), sources)
        if directives:
            yield ContentPolicy(directives, is_enforced, is_meta)


def _why_refused(sources: Sequence[str], resource: Resource, page: SplitResult) -> Why | None:
    nonces = [source[len(NONCE_PREFIX) : -1] for source in sources if source.lower().startswith(NONCE_PREFIX)]
    takes_nonce = resource.need in {Need.SCRIPT, Need.STYLE}
    if takes_nonce and resource.nonce and resource.nonce in nonces:
        return None
    has_other = takes_nonce and bool(resource.nonce and nonces)
    if resource.need is Need.SCRIPT and "'strict-dynamic'" in map(str.lower, sources):
        # The page's own markup has the script's tag.
        return Why.OTHER_NONCE if has_other else Why.NO_NONCE
    url = urlsplit(resource.url)
    if any(_matches(source, url, page) for source in sources):
        return None
    return Why.OTHER_NONCE if has_other else Why.NOT_NAMED


def _matches(source: str, url: SplitResult, page: SplitResult) -> bool:
    """Return whether a source expression stands for a URL, in a page."""
    if source == "*":
        return url.scheme in PORTS or url.scheme == page.scheme
    if source.lower() == "'self'":
        return _is_self(url, page)
    if source.startswith("'"):
        return False
    if source.endswith(":") and "/" not in source:
        return _stands_for_scheme(source[:-1].lower(), url.scheme)
    return _matches_host(source, url, page)


def _is_self(url: SplitResult, page: SplitResult) -> bool:
    if url.hostname != page.hostname:
        return False
    if (url.scheme, _port(url)) == (page.scheme, _port(page)):
        return True
    is_port = _port(url) == _port(page) or (url.port is None and page.port is None)
    return is_port and (url.scheme in {"https", "wss"} or (page.scheme, url.scheme) == ("http", "ws"))


def _matches_host(source: str, url: SplitResult, page: SplitResult) -> bool:
    scheme, has_scheme, rest = source.rpartition("://")
    authority, has_path, path = rest.partition("/")
    host, has_port, port = authority.rpartition(":")
    if not has_port or "]" in port:
        host, port = authority, ""
    # A host without a scheme has that of the page. To browsers, none of HTTP stands for one of sockets.
    if not _stands_for_scheme(scheme.lower() if has_scheme else page.scheme, url.scheme):
        return False
    if not _matches_name(host.lower(), url.hostname or ""):
        return False
    return _matches_port(port, url) and (not has_path or _matches_path(f"/{path}", url.path or "/"))


def _stands_for_scheme(scheme: str, of_url: str) -> bool:
    return of_url == scheme or of_url in UPGRADES.get(scheme, ())


def _matches_name(host: str, of_url: str) -> bool:
    if host == "*":
        return True
    if host.startswith("*."):
        return of_url.endswith(host[1:])
    return host.strip("[]") == of_url


def _matches_port(port: str, url: SplitResult) -> bool:
    if port in {"*", str(_port(url))}:
        return True
    if not port:
        return _port(url) == PORTS.get(url.scheme)
    return port == "80" and _port(url) == 443 and url.scheme in {"https", "wss"}


def _matches_path(path: str, of_url: str) -> bool:
    """Return whether a path is the source's, or lies below it where that ends with a slash."""
    pieces, found = path.split("/"), of_url.split("/")
    if path.endswith("/"):
        pieces.pop()
        found = found[: len(pieces)]
    return [unquote(piece) for piece in pieces] == [unquote(piece) for piece in found]


def _port(url: SplitResult) -> int | None:
    return PORTS.get(url.scheme) if url.port is None else url.port


def _shown(source: str) -> str:
    return f"{NONCE_PREFIX}…'" if source.lower().startswith(NONCE_PREFIX) else source
