from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async

from idlewatch.core.policy import Phase
from idlewatch.management.commands.runtimer import Command
from idlewatch.models import StoreOwner
from idlewatch.process import current_process
from idlewatch.runtime.runtime import runtime_of
from tests.conftest import Time
from tests.support.serving import ROOT, clean_environment
from tests.support.watches import keep, known


@pytest.fixture
def command() -> Command:
    return Command(stderr=StringIO())


def printed(command: Command) -> str:
    return command.stderr._out.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.django_db(transaction=True)
async def test_on_the_memory_store_it_takes_nothing_and_waits(command: Command):
    task = asyncio.create_task(command._run())
    await asyncio.wait([task], timeout=0.05)
    assert not task.done()
    assert "nothing to do here" in printed(command)
    assert not runtime_of(current_process()).runs
    assert not await StoreOwner.objects.aexists()
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("on_redis")
async def test_on_a_shared_store_it_is_a_timer_like_any_other(command: Command, clock: Time):
    await sync_to_async(keep)("w1", idle_timeout=60.0)
    task = asyncio.create_task(command._run())
    async with asyncio.timeout(15):
        while (await sync_to_async(known)("w1")).shown.phase is not Phase.ENDED:
            assert not task.done()
            clock.pass_(1)
            await asyncio.sleep(0.01)
    assert printed(command) == ""
    assert runtime_of(current_process()).runs
    task.cancel()
    await asyncio.wait([task])
    assert not runtime_of(current_process()).runs


def test_an_interrupt_ends_the_process_without_a_traceback(tmp_path: Path):
    environ = clean_environment(DEBUG="1", DATABASE_URL=f"sqlite:///{tmp_path / 'db.sqlite3'}")
    command = [sys.executable, "manage.py", "runtimer"]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "nothing to do here" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=10)
        assert process.returncode == 0
        assert "Traceback" not in rest
