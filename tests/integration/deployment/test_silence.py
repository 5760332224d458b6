"""Tabs that say nothing: nginx has to leave them alone."""

from __future__ import annotations

import asyncio
import re
import time

import pytest
from daphne.cli import CommandLineInterface
from websockets.exceptions import ConnectionClosed

from tests.integration.deployment import documented
from tests.integration.deployment.site import Deployment, nginx_before
from tests.integration.deployment.visitors import Guest
from tests.integration.server.visitors import story

NGINX_DEFAULT = 60.0


def documented_timeout() -> int:
    found = re.search(r"proxy_read_timeout (\d+)s;", documented.text("locations.conf"))
    assert found is not None
    return int(found[1])


async def test_a_silent_tab_stays_open_for_longer_than_nginx_waits_by_default(deployment: Deployment):
    async with Guest(deployment, "silent").tab() as tab:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            # Whatever came, a frame or a close, would end the wait.
            await asyncio.wait_for(tab.socket.recv(), NGINX_DEFAULT + 6)
        assert time.monotonic() - started > NGINX_DEFAULT
        assert (await tab.ask("sync"))["phase"] == "active"


async def test_a_tab_that_an_impatient_nginx_cut_off_comes_back_to_its_session(deployment: Deployment):
    """What happens without the documented timeout where it would be needed."""
    with nginx_before(deployment, {f"proxy_read_timeout {documented_timeout()}s;": "proxy_read_timeout 2s;"}) as hasty:
        guest = Guest(hasty, "cut-off")
        started = time.monotonic()
        async with guest.tab() as tab:
            with pytest.raises(ConnectionClosed):
                await tab.socket.recv()
            assert tab.socket.close_code == 1006
            assert 1.5 < time.monotonic() - started < 6
        # Longer than the grace of a closed browser: it was none.
        await asyncio.sleep(1.5)
        async with guest.tab() as tab:
            assert story([tab.first]) == [("active", None)]


def test_nginx_waits_for_longer_than_daphne_does_between_its_pings_and_for_the_answer():
    defaults = CommandLineInterface().parser.parse_args(["x:y"])
    assert documented_timeout() > NGINX_DEFAULT
    assert documented_timeout() > defaults.ping_interval + defaults.ping_timeout
