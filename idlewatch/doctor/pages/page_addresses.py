"""Judgments on the addresses that a page is given: whether they lie where the site is, and answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from idlewatch.doctor.address import Address
from idlewatch.doctor.clients.http_client import Answer
from idlewatch.doctor.findings import Finding, Trial, fault, ok
from idlewatch.doctor.pages.html import Page
from idlewatch.doctor.pages.loaded_page import config_of, url_in

NAMES = ("socket", "state", "message", "page", "logout")
"""The addresses in the client's configuration to which it sends requests."""
TRIED = "Addresses that the page is given"
ANSWERS_EXPECTED = "200 with JSON of state and page, 405 of message and logout, which want a POST"
PATH_HINT = (
    "The site takes another path for its own than users do: set FORCE_SCRIPT_NAME, or have the proxy or the server "
    "hand over the path below which it lies, as docs/deployment.md shows."
)


def urls_in(page: Page, page_url: str) -> Mapping[str, str]:
    """Return the absolute URLs of the page's client, by their names; those that it lacks are missing."""
    config = config_of(page)
    return {name: url_in(page, page_url, str(config[name])) for name in NAMES if name in config}


def judge_places(urls: Mapping[str, str], address: Address, base: str | None) -> Finding | None:
    """Judge where the addresses lie; None if all of them lie where the site is."""
    expected = f"all below {address.origin}{address.prefix}/"
    missing = [name for name in NAMES if name not in urls]
    if missing:
        hint = "A template of the project replaces idlewatch/client.html, and its configuration is another version's."
        return fault(Trial.PAGE_ADDRESSES, TRIED, f"none for {', '.join(missing)}", expected, hint)
    for name, url in urls.items():
        parts = urlsplit(url)
        if not address.has(url):
            hint = (
                "The page has a <base> of another origin: the client's addresses relate to it." if base else PATH_HINT
            )
            return fault(Trial.PAGE_ADDRESSES, TRIED, f"{name} at {parts.scheme}://{parts.netloc}", expected, hint)
        if not parts.path.startswith(f"{address.prefix}/"):
            return fault(Trial.PAGE_ADDRESSES, TRIED, f"{name} at {parts.path}", expected, PATH_HINT)
    return None


def judge_answers(answers: Mapping[str, Answer]) -> Finding:
    """Judge what came of a GET of each address but the socket's."""
    expected = ANSWERS_EXPECTED
    wrong = list(_wrong(answers))
    if wrong:
        hint = (
            "Something before Django, or a middleware, answers at these addresses: leave all below them to idlewatch."
        )
        return fault(Trial.PAGE_ADDRESSES, TRIED, "; ".join(wrong), expected, hint)
    came = ", ".join(f"{name} {answer.status}" for name, answer in answers.items())
    return ok(Trial.PAGE_ADDRESSES, TRIED, came, expected)


def _wrong(answers: Mapping[str, Answer]) -> Iterator[str]:
    for name, answer in answers.items():
        if name in {"state", "page"}:
            if answer.status != 200 or answer.json_object is None:
                yield f"{name}: {answer.summary}" + (", no JSON" if answer.status == 200 else "")
        elif answer.status != 405:
            yield f"{name}: {answer.summary}"
