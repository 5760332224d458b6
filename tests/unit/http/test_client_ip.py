"""The ready-made values of `CLIENT_IP`: what a proxy appended is true, and nothing before it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from idlewatch.http import client_ip
from idlewatch.http.client_ip import Forwarded, XForwardedFor

PEER = "10.0.0.1"

X_FORWARDED_FOR = [
    (1, ["1.2.3.4"], "1.2.3.4"),
    (1, ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
    (1, ["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
    (2, ["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
    (2, ["1.2.3.4"], PEER),
    (1, [], PEER),
    (1, [" "], PEER),
    (1, ["1.2.3.4:5678"], "1.2.3.4"),
    (1, ["2001:db8::1"], "2001:db8::1"),
    (1, ["[2001:DB8::1]:443"], "2001:db8::1"),
    (1, ["::ffff:1.2.3.4"], "1.2.3.4"),
    (1, ["1.2.3.4, unknown"], None),
    (1, ["1.2.3.4,"], None),
    (1, ["," * 9000 + "1.2.3.4"], "1.2.3.4"),
]
FORWARDED = [
    (1, ["for=1.2.3.4"], "1.2.3.4"),
    (1, ["For=1.2.3.4; proto=https;by=10.0.0.2"], "1.2.3.4"),
    (1, ["proto=https;for=1.2.3.4:80"], "1.2.3.4"),
    (1, ['for="[2001:db8::1]:4711"'], "2001:db8::1"),
    (2, ["for=6.6.6.6, for=1.2.3.4", "for=10.0.0.2"], "1.2.3.4"),
    (2, ["for=1.2.3.4"], PEER),
    (1, [], PEER),
    (1, ["for=1.2.3.4, for=unknown"], None),
    (1, ["for=1.2.3.4, for=_hidden"], None),
    (1, ["for=1.2.3.4, proto=https"], None),
    (1, ['for="6.6.6.6, for=1.2.3.4'], "1.2.3.4"),
    (1, ['for=6.6.6.6;by=", for="[2001:db8::1]"'], "2001:db8::1"),
    (1, ['for=1.2.3.4;host="a;for=6.6.6.6"'], "1.2.3.4"),
    (1, ['for=1.2.3.4;host=", for=6.6.6.6;x=\\""'], "1.2.3.4"),
    (1, ["for=1.2.3.4, junk"], PEER),
    (3, ['a=",' * 9000], PEER),
]


@pytest.mark.parametrize(
    ("rule", "sent", "expected"),
    [
        *((XForwardedFor(proxies), sent, expected) for proxies, sent, expected in X_FORWARDED_FOR),
        *((Forwarded(proxies), sent, expected) for proxies, sent, expected in FORWARDED),
    ],
)
def test_the_last_entries_are_believed(rule: Any, sent: list[str], expected: str | None):
    name = rule.header.lower().encode()
    scope = {"headers": [(name, value.encode()) for value in sent], "client": (PEER, 5000)}
    headers = {rule.header: ",".join(sent)} if sent else {}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=PEER)
    assert (rule(scope), rule(request)) == (expected, expected)


def test_a_peer_without_an_address_has_none():
    assert client_ip.x_forwarded_for({"client": None}) is None
    assert client_ip.forwarded(RequestFactory().get("/", REMOTE_ADDR="")) is None


def test_the_ready_made_ones_are_for_one_to_three_proxies():
    request = RequestFactory().get("/", headers={"X-Forwarded-For": "1.1.1.1, 2.2.2.2, 3.3.3.3"})
    rules = (client_ip.x_forwarded_for, client_ip.x_forwarded_for_2, client_ip.x_forwarded_for_3)
    assert [rule(request) for rule in rules] == ["3.3.3.3", "2.2.2.2", "1.1.1.1"]
    assert [rule.proxies for rule in (client_ip.forwarded, client_ip.forwarded_2, client_ip.forwarded_3)] == [1, 2, 3]
    with pytest.raises(ValueError, match="expected 1 or more"):
        XForwardedFor(0)
