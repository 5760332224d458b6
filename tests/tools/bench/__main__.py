"""Print processor time per heartbeat and memory per open tab, beside two bare sockets on the same Daphne.

Run it with `python -m tests.tools.bench [tabs] [heartbeats]`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import websockets

from tests.support.serving import Server, clean_environment

TICK = os.sysconf("SC_CLK_TCK")
SOCKETS = {"bare ASGI socket": "/bare/", "bare consumer": "/consumer/", "idlewatch tab": "/ws/idlewatch/tab/"}
MAKE_SESSIONS = """
from django.conf import settings; from django.contrib.auth import get_user_model; from django.test import Client
user = get_user_model().objects.create_user("bench"); name = settings.SESSION_COOKIE_NAME
for _ in range({tabs}):
    client = Client(); client.force_login(user); print(f"{{name}}={{client.cookies[name].value}}")
"""


def used(pid: int) -> tuple[float, int]:
    """Return a process's processor time in seconds and its resident memory in bytes."""
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return (int(times[11]) + int(times[12])) / TICK, pages * os.sysconf("SC_PAGE_SIZE")


async def measure(server: Server, path: str, cookies: list[str], heartbeats: int) -> tuple[float, float]:
    """Return microseconds of processor time per heartbeat and KiB of memory per tab."""
    assert server.process is not None
    pid = server.process.pid

    async def synced(tab: websockets.ClientConnection) -> None:
        await tab.send('{"type":"sync"}')
        await tab.recv()

    async def open_tab(cookie: str | None) -> websockets.ClientConnection:
        url, headers = server.socket_url(path), {"Cookie": cookie} if cookie else {}
        tab = await websockets.connect(url, origin=server.origin, additional_headers=headers, compression=None)
        if cookie and "idlewatch" in path:
            await tab.recv()
        return tab

    await (await open_tab(cookies[0])).close()
    _, memory_before = used(pid)
    tabs = [await open_tab(cookie) for cookie in cookies]
    await asyncio.gather(*map(synced, tabs))
    time_before, memory = used(pid)
    for _ in range(heartbeats):
        await asyncio.gather(*(tab.send('{"type":"activity","ago":0.5}') for tab in tabs))
    await asyncio.gather(*map(synced, tabs))
    time, _ = used(pid)
    await asyncio.gather(*(tab.close() for tab in tabs))
    return (time - time_before) / (heartbeats * len(tabs)) * 1e6, (memory - memory_before) / len(tabs) / 1024


def main(tabs: int = 300, heartbeats: int = 90) -> None:
    """Measure each kind of socket on a Daphne of its own."""
    results = {}
    with tempfile.TemporaryDirectory() as directory:
        database = f"sqlite:///{directory}/db.sqlite3"
        environ = clean_environment(DEBUG="1", DATABASE_URL=database)
        for name, path in SOCKETS.items():
            server = Server("tests.tools.bench.sockets:application", environ, Path(directory) / "daphne.log")
            if not results:
                server.manage("migrate", "--verbosity", "0")
                cookies = server.manage("shell", "--verbosity", "0", "-c", MAKE_SESSIONS.format(tabs=tabs)).split()
            server.start()
            try:
                results[name] = asyncio.run(measure(server, path, cookies, heartbeats))
            finally:
                server.stop()
    bare = results["bare consumer"][0]
    print(f"{tabs} tabs, {heartbeats} heartbeats each; the last column is relative to the bare consumer")
    for name, (time, memory) in results.items():
        print(f"{name:18} {time:7.1f} µs/heartbeat  {memory:6.1f} KiB/tab  {time / bare:5.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
