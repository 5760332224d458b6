"""The configuration of the browser client, as a page has it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

ELEMENT = "idlewatch-client"
"""The id of the element that has it."""


class _Finder(HTMLParser):
    """Finds the attribute with the configuration."""

    def __init__(self) -> None:
        super().__init__()
        self.found: str | None = None

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Note the configuration of the first such element."""
        attributes = dict(attrs)
        if self.found is None and attributes.get("id") == ELEMENT:
            self.found = attributes.get("data-config")


def client_config(page: str) -> Mapping[str, Any] | None:
    """Return the client's configuration in a page; None if the page has no client, or one that can't be read.

    >>> client_config('<template id="idlewatch-client" data-config="{&quot;page&quot;: &quot;/p/&quot;}"></template>')
    {'page': '/p/'}
    """
    finder = _Finder()
    finder.feed(page)
    try:
        config = json.loads(finder.found or "")
    except ValueError:
        return None
    return config if isinstance(config, dict) else None
