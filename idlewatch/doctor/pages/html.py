"""What of a page concerns the client: its template, script and stylesheet, the page's policies, a form to sign in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Any, NamedTuple

from msgspec import Struct, field

CLIENT_ID = "idlewatch-client"
NOTICE_CLASS = "idlewatch-notice"
SCRIPT = re.compile(r"(?:^|/)idlewatch(?:\.min)?(?:\.[0-9a-f]+)?\.js(?:\?|$)")
"""How the URL of the client's script ends, also where a storage puts a hash into names."""
POLICY = "content-security-policy"
INERT = frozenset({"template", "noscript", "textarea", "iframe", "select", "title"})
"""Elements whose content is none of the document."""
MAX_TEXT = 5_000_000
"""Characters of a page that are looked at."""


class Tag(NamedTuple):
    """The start tag of an element."""

    name: str
    attributes: Mapping[str, str]

    def __repr__(self) -> str:
        return f"<Tag {self.name}>"


class Client(Struct, eq=False):
    """A template of the client."""

    attributes: Mapping[str, str]
    is_inert: bool
    """It lies in an element whose content is none of the document."""
    stylesheets: list[Tag] = field(default_factory=list)

    def __repr__(self) -> str:
        return "<Client>"

    @property
    def config(self) -> Mapping[str, Any] | None:
        """The configuration; None if there is none that can be read."""
        try:
            config = json.loads(self.attributes.get("data-config", ""))
        except (ValueError, RecursionError):
            return None
        return config if isinstance(config, dict) else None


class Page(Struct, eq=False):
    """What of a page concerns the client."""

    clients: list[Client] = field(default_factory=list)
    scripts: list[Tag] = field(default_factory=list)
    """The tags of the client's script."""
    policies: list[str] = field(default_factory=list)
    """The policies that the page itself has, by `<meta>`."""
    base: str | None = None
    """The URL to which relative ones of the page relate, by `<base>`."""
    has_notice: bool = False
    has_password: bool = False
    """There is a field for a password."""

    def __repr__(self) -> str:
        return f"<Page with {len(self.clients)} clients>"

    @property
    def texts(self) -> Sequence[str]:
        """The tokens and configurations of its clients, to compare pages."""
        return [client.attributes.get("data-config", "") for client in self.clients]


def parse_page(text: str) -> Page:
    """Return what of an HTML page concerns the client; of anything else, nothing."""
    parser = _Parser()
    parser.feed(text[:MAX_TEXT])
    parser.close()
    return parser.page


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._inert: list[str] = []
        """The inert elements that are open."""
        self._is_in_head = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in reversed(attrs)}
        if tag == "body":
            self._is_in_head = False
        if tag == "template" and attributes.get("id") == CLIENT_ID:
            self.page.clients.append(Client(attributes, bool(self._inert)))
        elif self._inert:
            self._note_within(tag, attributes)
        else:
            self._note(tag, attributes)
        if tag in INERT:
            self._inert.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # To browsers, the slash says nothing.
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "head":
            self._is_in_head = False
        if tag in self._inert:
            while self._inert.pop() != tag:
                pass

    def _note_within(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "link" and self.page.clients and "stylesheet" in attributes.get("rel", "").lower().split():
            self.page.clients[-1].stylesheets.append(Tag(tag, attributes))

    def _note(self, tag: str, attributes: Mapping[str, str]) -> None:
        page = self.page
        if tag == "script" and SCRIPT.search(attributes.get("src", "")):
            page.scripts.append(Tag(tag, attributes))
        elif tag == "meta" and self._is_in_head and attributes.get("http-equiv", "").lower() == POLICY:
            page.policies.append(attributes.get("content", ""))
        elif tag == "base" and page.base is None and attributes.get("href"):
            page.base = attributes["href"]
        elif tag == "input" and attributes.get("type", "").lower() == "password":
            page.has_password = True
        page.has_notice |= NOTICE_CLASS in attributes.get("class", "").split()
