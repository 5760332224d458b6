from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async

from idlewatch.core.policy import Phase
from idlewatch.management.commands.runtimer import Command
from idlewatch.models import StoreOwner
from idlewatch.process import current_process, now
from idlewatch.runtime.runtime import runtime_of
from tests.support.serving import ROOT, clean_environment
from tests.support.watches import keep, known


@pytest.fixture
def command() -> Command:
    return Command(stderr=StringIO())


def said(command: Command) -> str:
    return command.stderr._out.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.django_db(transaction=True)
class TestOnTheMemoryStore:
    async def test_says_that_there_is_nothing_to_do_and_waits(self, command: Command):
        task = asyncio.create_task(command._run())
        await asyncio.wait([task], timeout=0.3)
        assert not task.done()
        assert "nothing to do here" in said(command)
        task.cancel()
        await asyncio.wait([task])

    async def test_takes_the_store_from_nobody(self, command: Command):
        task = asyncio.create_task(command._run())
        await asyncio.wait([task], timeout=0.3)
        assert not runtime_of(current_process()).runs
        assert not await StoreOwner.objects.aexists()
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("on_redis")
class TestOnAStoreThatIsShared:
    async def test_is_a_timer_like_any_other(self, command: Command):
        task = asyncio.create_task(command._run())
        await sync_to_async(keep)("w1", at=now(), idle_timeout=0.6, warn_before=0.3, checkpoint=60.0)
        async with asyncio.timeout(15):
            while (await sync_to_async(known)("w1")).shown.phase is not Phase.ENDED:
                assert not task.done()
                await asyncio.sleep(0.01)
        assert said(command) == ""
        assert runtime_of(current_process()).runs
        task.cancel()
        await asyncio.wait([task])
        assert not runtime_of(current_process()).runs


class TestAsAProcess:
    @pytest.fixture
    def process(self, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
        environ = clean_environment(DEBUG="1", DATABASE_URL=f"sqlite:///{tmp_path / 'db.sqlite3'}")
        process = subprocess.Popen(
            [sys.executable, "manage.py", "runtimer"], cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True
        )
        yield process
        if process.poll() is None:
            process.kill()
        process.wait()

    @pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
    def test_ends_when_it_is_told_to(self, process: subprocess.Popen[str], how: signal.Signals, code: int):
        assert process.stderr is not None
        assert "nothing to do here" in process.stderr.readline()
        process.send_signal(how)
        _, rest = process.communicate(timeout=10)
        assert process.returncode == code
        assert "Traceback" not in rest
