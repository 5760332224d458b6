"""Show that idlewatch copes with many sessions on one machine: `make scale`, in half an hour at most.

It writes `docs/scale.md`; at other sizes `build/scale/scale.md`. Environment:

- `SESSIONS`: live sessions, 100,000 by default; a fifth of them are active, a tenth end at one moment.
- `RECORDS`: records of sessions that ended, 10,000,000 by default. `SESSIONS=5000 RECORDS=100000` takes five minutes.

It prints each goal beside its figure. The exit status is 1 where one falls short, and 2 where a variable has a value
that cannot be used, or the page can't be written.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.serving import ROOT
from tests.tools.bench import machine
from tests.tools.bench.options import OptionError, require_writable
from tests.tools.bench.report import goal_table, shortfalls
from tests.tools.scale import goals
from tests.tools.scale.options import Options, options
from tests.tools.scale.report import Report, query_table
from tests.tools.scale.site import MeasuredServer, Site, set_up_site

PACKAGES = ("Django", "channels", "daphne", "redis", "psycopg")


def main() -> int:
    """Do what the environment asks for; return the exit status."""
    machine.unwind_when_terminated()
    try:
        asked = options(os.environ)
        require_writable(_page_of(asked))
    except OptionError as error:
        print(error, file=sys.stderr)
        return 2
    report = _measure(asked)
    _write(report, _page_of(asked))
    print(query_table(report.queries), goal_table(report.verdicts, goals.WORK), sep="\n\n")
    short = shortfalls(report.verdicts, goals.WORK)
    print("\n".join(["", *(short or ["No goal falls short."])]))
    return 1 if short else 0


def _measure(asked: Options) -> Report:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="idlewatch-scale-") as name, set_up_site(asked, Path(name)) as site:
        _say("filled", began)
        queries = asyncio.run(_run(site, began))
        _judge_queries(site, queries)
        minutes = (time.monotonic() - began) / 60
        return Report(asked, minutes, machine.describe(PACKAGES), site.samples, queries)


async def _run(site: Site, began: float) -> Sequence[Mapping[str, Any]]:
    # They need Django to be set up.
    from idlewatch.store.redis import RedisStore
    from tests.tools.scale.rows import ends, pruning, requests, resumption, stop, upkeep

    with site.serving("first", "second", REDIS_URL=site.redis.url) as servers:
        await asyncio.gather(*(server.ready(site.options.sessions) for server in servers))
        _say("resumed at the start", began)
        store = RedisStore(site.redis.url)
        await asyncio.to_thread(_bind_keys, site, store)
        await upkeep.measure(site, servers, store)
        _say("upkeep", began)
        await asyncio.to_thread(pruning.measure, site)
        await requests.send(site, servers)
        _say("requests", began)
        await ends.measure(site, store)
        _say("ends", began)
        await store.aclose()
        store.close()
        await resumption.measure(site, servers)
        _say("resumption", began)
        queries = await _explained(servers)
        _say("queries", began)
    await stop.measure(site)
    return queries


def _bind_keys(site: Site, store: Any) -> None:
    """Bind the keys of all sessions in the store, as their sign-ins do."""
    for watch_id, key in zip(site.watch_ids, site.keys, strict=True):
        store.sessions.bind(watch_id, key)


async def _explained(servers: Sequence[MeasuredServer]) -> Sequence[Mapping[str, Any]]:
    """Return the statements of all processes, each with its slowest plan."""
    found: dict[str, dict[str, Any]] = {}
    for server in servers:
        for query in await server.control.ask("explained"):
            known = found.get(query["sql"], query)
            slower = max(known, query, key=lambda each: float(each["milliseconds"]))
            found[query["sql"]] = slower | ({} if known is query else {"count": known["count"] + query["count"]})
    return list(found.values())


def _judge_queries(site: Site, queries: Sequence[Mapping[str, Any]]) -> None:
    site.add("slowest", goals.TWO_PROCESSES, max(query["milliseconds"] for query in queries))


def _page_of(asked: Options) -> Path:
    return ROOT / ("docs" if asked.is_whole else "build/scale") / "scale.md"


def _write(report: Report, path: Path) -> None:
    path.write_text(report.page)
    print(f"Wrote {path.relative_to(ROOT)}, in {report.minutes:.1f} minutes.", file=sys.stderr)


def _say(done: str, began: float) -> None:
    print(f"{done}, after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
