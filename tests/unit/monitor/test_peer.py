"""Addresses of a proxy in the place of the users' are noticed."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from idlewatch.monitor.peer import MIN_USERS, sign_in_address_of
from idlewatch.process import Process


def sign_in(user: int, address: str = "10.0.0.1", **headers: str) -> str:
    return sign_in_address_of(RequestFactory().post("/login/", headers=headers, REMOTE_ADDR=address), str(user))


def test_a_header_of_a_proxy_that_is_not_read_is_logged_once(process: Process, caplog: pytest.LogCaptureFixture):
    for user in range(3):
        assert sign_in(user, **{"X-Forwarded-For": "1.2.3.4"}) == "10.0.0.1"
    (message,) = caplog.messages
    assert "10.0.0.1, and its X-Forwarded-For has another" in message
    assert "IDLEWATCH['CLIENT_IP']" in message


def test_one_that_is_read_is_not(process: Process, caplog: pytest.LogCaptureFixture, settings: Any):
    # By the server itself, then by the setting.
    sign_in(1, "1.2.3.4", **{"X-Forwarded-For": "1.2.3.4"})
    settings.IDLEWATCH = {"CLIENT_IP": "idlewatch.http.client_ip.x_forwarded_for"}
    assert sign_in(2, **{"X-Forwarded-For": "1.2.3.5"}) == "1.2.3.5"
    assert caplog.messages == []


def test_many_users_of_one_address_are_logged_unless_another_comes(process: Process, caplog: pytest.LogCaptureFixture):
    for user in range(MIN_USERS - 1):
        sign_in(user)
        sign_in(user)
    assert caplog.messages == []
    sign_in(MIN_USERS)
    assert "20 users signed in, all from the address 10.0.0.1" in caplog.text


def test_users_of_different_addresses_are_fine(process: Process, caplog: pytest.LogCaptureFixture):
    sign_in(0, "10.0.0.2")
    for user in range(2 * MIN_USERS):
        sign_in(user)
    assert caplog.messages == []
