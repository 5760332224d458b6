"""Print how long after its deadline a session's tabs are told of the end, on two processes over one Redis.

Run it with `python -m tests.tools.bench.delay [sessions]`. Each session has a tab on either process; the later one
is, mostly, that of the process which did not settle the end.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.integration.faults.people import Person
from tests.integration.server.visitors import Tab
from tests.integration.site import Site, running
from tests.support.serving import Server


async def delay(person: Person, server: Server) -> float:
    """Return the seconds from the deadline to the ended frame, in a tab on one process."""
    person.server = server
    tab = Tab(await person.connect())
    first = await tab.frame()
    deadline = time.monotonic() + first["remaining"]
    while True:
        async with asyncio.timeout(30):
            if '"ended"' in str(await tab.socket.recv()):
                return time.monotonic() - deadline


async def visit(site: Site, number: int) -> tuple[float, ...]:
    # Spread over a second, as sessions are.
    await asyncio.sleep(number * 0.01)
    person = await asyncio.to_thread(Person, site, f"person{number}")
    # Each takes its server before the next one does: a connection is begun at once.
    told = [asyncio.create_task(delay(person, web)) for web in site.webs]
    return tuple(sorted(await asyncio.gather(*told)))


async def measure(site: Site, sessions: int) -> None:
    both = await asyncio.gather(*(visit(site, number) for number in range(sessions)))
    for name, index in (("first process", 0), ("other process", 1)):
        told = sorted(1000 * delays[index] for delays in both)
        p99 = told[int(len(told) * 0.99)]
        print(
            f"{name}: median {statistics.median(told):.1f} ms, 99th percentile {p99:.1f} ms, latest {told[-1]:.1f} ms"
        )


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.settings")
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with tempfile.TemporaryDirectory() as name, running(Path(name), proxied=True) as site:
        asyncio.run(measure(site, sessions))


if __name__ == "__main__":
    main()
