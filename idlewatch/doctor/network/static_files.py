"""The client's static files, as browsers get them by the addresses that pages name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin

from django.apps import apps
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.clients.http_client import Answer, HttpClient, NoAnswer
from idlewatch.doctor.findings import Flaw
from idlewatch.doctor.site import Site
from idlewatch.http.login_views import REDIRECTS
from idlewatch.ops.self_report import SCRIPT, STYLESHEET

COLLECT = "Run manage.py collectstatic, and restart the site."
SCRIPT_TYPES = frozenset(
    {"text/javascript", "application/javascript", "application/ecmascript", "text/ecmascript"}
    | {"application/x-javascript", "text/x-javascript", "application/x-ecmascript", "text/x-ecmascript"}
)
"""The content types of module scripts (https://mimesniff.spec.whatwg.org/#javascript-mime-type)."""


class File(NamedTuple):
    """A file of the client."""

    name: str
    types: frozenset[str]
    """The content types that browsers accept for it."""
    headers: Mapping[str, str]
    """What marks the request of a browser for it."""

    def __repr__(self) -> str:
        return f"<File {self.name}>"


SCRIPT_FILE = File(SCRIPT, SCRIPT_TYPES, {"Sec-Fetch-Dest": "script", "Sec-Fetch-Mode": "cors"})
STYLESHEET_FILE = File(STYLESHEET, frozenset({"text/css"}), {"Sec-Fetch-Dest": "style", "Sec-Fetch-Mode": "no-cors"})


def fetch(site: Site, url: str, file: File) -> Answer:
    """Fetch a file as a page of the site does, without cookies, also from another origin. Raises `NoAnswer`."""
    headers = {"Accept": "*/*", **file.headers}
    if site.address.has(url):
        return site.request(url, headers={**headers, "Sec-Fetch-Site": "same-origin"})
    try:
        whole = urljoin(site.address.origin, url)
        elsewhere = HttpClient(parse_address(urljoin(whole, "/")))
    except ValueError as error:
        raise NoAnswer(f"this is no address of a file: {error}") from None
    headers["Sec-Fetch-Site"] = "cross-site"
    if file.headers["Sec-Fetch-Mode"] == "cors":
        headers["Origin"] = site.address.origin
    return elsewhere.request(whole, headers=headers)


def flaws_in(site: Site, url: str, file: File, answer: Answer) -> Iterator[Flaw]:
    """Yield why browsers refuse a file that was fetched, or why it is another one than installed."""
    if answer.status != 200:
        yield Flaw(answer.summary, _status_hint(site, url, answer.status))
        return
    content_type = answer.headers.get_content_type()
    if content_type not in file.types or not answer.headers.get("Content-Type"):
        came = answer.headers.get("Content-Type") or "no Content-Type"
        hint = "Browsers refuse it by its type: have the server of static files send the right one (nginx: mime.types)."
        if content_type == "text/html":
            hint = "A page comes in its place, such as a login page: have static files served before that, to all."
        yield Flaw(f"200 with {came}", hint)
        return
    if not site.address.has(url):
        yield from _cross_origin(site, file, answer)
    difference = _difference(file.name, _decoded(answer))
    if difference is not None:
        yield difference


def _status_hint(site: Site, url: str, status: int) -> str:
    path = site.address.target(url)
    if path is not None and not path.startswith(f"{site.address.prefix}/"):
        return (
            f"The site lies below {site.address.prefix}, and the file does not: set STATIC_URL to the whole path. A "
            "relative one is fixed by the first request, which may have come past the proxy."
        )
    if status in REDIRECTS:
        return "Serve static files to all, without a sign-in, and at the address that pages name."
    if status == 404:
        return f"{COLLECT} Or nothing serves STATIC_URL: see docs/deployment.md for nginx, or use WhiteNoise."
    return "See the log of what serves the static files."


def _cross_origin(site: Site, file: File, answer: Answer) -> Iterator[Flaw]:
    allowed = answer.headers.get("Access-Control-Allow-Origin", "")
    if file.headers["Sec-Fetch-Mode"] == "cors":
        if allowed.strip() not in {"*", site.address.origin}:
            came = f"Access-Control-Allow-Origin: {allowed}" if allowed else "no Access-Control-Allow-Origin"
            yield Flaw(
                f"200 with {came}",
                f"Browsers load a module script from another origin only if it allows that: have it send "
                f"Access-Control-Allow-Origin: {site.address.origin}.",
            )
    elif (policy := answer.headers.get("Cross-Origin-Resource-Policy", "").strip().lower()) == "same-origin":
        yield Flaw(
            f"200 with Cross-Origin-Resource-Policy: {policy}",
            "Browsers refuse it to pages of another origin: have it send Cross-Origin-Resource-Policy: cross-origin.",
        )


def is_mixed(site: Site, url: str) -> bool:
    """Return whether browsers refuse an address because it lacks the TLS that its page has."""
    return site.address.scheme == "https" and url.lower().startswith("http:")


def _difference(name: str, served: bytes | None) -> Flaw | None:
    installed = _installed(name)
    if served is None or installed is None or served == installed:
        return None
    collected, stored = _collected(name), _stored(name)
    if collected is not None and collected != installed:
        return Flaw("200, another file than the installed one", f"The collected copy is of another version. {COLLECT}")
    if served in {collected, stored}:
        # The storage changes files on their way into it.
        return None
    return Flaw(
        "200, another file than the installed one",
        f"A cache or CDN has an old copy, or another version was collected. {COLLECT} Use names with hashes "
        "(ManifestStaticFilesStorage), or empty the cache.",
    )


def _installed(name: str) -> bytes | None:
    if not apps.is_installed("django.contrib.staticfiles"):
        return None
    path = finders.find(name)
    return Path(path).read_bytes() if path else None


def _collected(name: str) -> bytes | None:
    # Storages of other packages raise what they like.
    with suppress(Exception), staticfiles_storage.open(name) as file:
        return bytes(file.read())
    return None


def _stored(name: str) -> bytes | None:
    with suppress(Exception):
        stored_name: str = staticfiles_storage.stored_name(name)  # type: ignore[attr-defined]  # storages with hashes
        return _collected(stored_name)
    return None


def _decoded(answer: Answer) -> bytes | None:
    """Return the file; None if it came in an encoding that the client of the doctor does not know, such as br."""
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    return answer.body if encoding in {"identity", "gzip"} else None
