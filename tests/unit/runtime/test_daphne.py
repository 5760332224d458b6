"""What Daphne does not tell of a socket."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.interfaces import ISSLTransport
from zope.interface import implementer

from idlewatch.runtime.daphne import socket_scheme


@implementer(ISSLTransport)
class Encrypted:
    """A connection of Daphne's own TLS endpoint."""


async def reply(*_: object) -> None:
    """Stand for what Daphne binds to its protocol."""


PLAIN = object()


@pytest.mark.parametrize(
    ("protocol", "scheme"),
    [
        (SimpleNamespace(transport=PLAIN), "ws"),
        (SimpleNamespace(transport=Encrypted()), "wss"),
        # With `--proxy-headers`: the proxy said so, or said nothing.
        (SimpleNamespace(transport=PLAIN, client_scheme="https"), "wss"),
        (SimpleNamespace(transport=Encrypted(), client_scheme="http"), "ws"),
        (SimpleNamespace(transport=PLAIN, client_scheme=None), "ws"),
    ],
)
def test_the_scheme_of_a_socket_is_that_of_a_request(protocol: Any, scheme: str):
    assert socket_scheme(partial(reply, protocol)) == scheme


def test_without_daphne_it_is_the_default_of_asgi():
    assert socket_scheme(reply) == "ws"
