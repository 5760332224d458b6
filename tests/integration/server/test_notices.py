"""A notice on real processes: told to the tabs of all of them, and counted."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.integration.server.test_layer import CORE, PUBSUB
from tests.integration.server.visitors import Visitor
from tests.integration.site import running

AT_ONCE = 2.0


class Person(Visitor):
    """A signed-in user who knows their watch id."""

    def whose(self) -> str:
        watch_id: str = json.loads(self.get("/watch-id/").text)["watch_id"]  # type: ignore[attr-defined]
        return watch_id

    def say(self, text: str, *watches: str) -> dict[str, int]:
        query = urlencode({"text": text, "watch": watches}, doseq=True)
        said: dict[str, int] = json.loads(self.get(f"/notify/?{query}").text)  # type: ignore[attr-defined]
        return said


@pytest.mark.parametrize("layer", [PUBSUB, CORE])
async def test_it_reaches_the_tabs_of_both_processes_and_a_dead_one_makes_it_fewer(tmp_path: Path, layer: str):
    with running(tmp_path, IDLEWATCH_IDLE_TIMEOUT="600", LAYER=layer) as site:
        here, there = site.webs
        person = await asyncio.to_thread(Person, here, "ann")
        watch_id = await asyncio.to_thread(person.whose)
        async with person.tab() as one, person.tab() as two:
            person.server = there
            async with person.tab() as three:
                tabs = [one, two, three]
                for server in (here, there):
                    person.server = server
                    asked = time.monotonic()
                    text = f"First line\nsecond, <b>from</b> {server.port}"
                    assert await asyncio.to_thread(person.say, text, watch_id) == {"reached": 3, "open": 3}
                    frames = await asyncio.gather(*(tab.frame() for tab in tabs))
                    assert time.monotonic() - asked < AT_ONCE
                    assert [(frame["type"], frame["text"]) for frame in frames] == [("notice", text)] * 3
                    assert len({frame["id"] for frame in frames}) == 1
                person.server = here
                there.stop(signal.SIGKILL)
                # Its tab is still counted: its death has not been noticed yet.
                assert await asyncio.to_thread(person.say, "Noon", watch_id) == {"reached": 2, "open": 3}
                for tab in (one, two):
                    assert (await tab.frame())["text"] == "Noon"
