"""Ways to break the product, one at a time: each has to be noticed by some schedule.

A mutant replaces a text in one file, which must be there exactly once. It counts as noticed where an invariant is
broken in a schedule that keeps them all without it; that it raises does not count.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import idlewatch
from tests.simulation.options import Options

PACKAGE = Path(idlewatch.__file__).parent
MOST = 600
"""Schedules after which a mutant counts as not noticed."""


class Mutant(NamedTuple):
    """One way to break the product."""

    name: str
    file: str
    """Below the package."""
    old: str
    new: str
    servers: str = ""
    """How many processes it needs; empty: as the seed has it."""
    store: str = "redis"
    focus: str = ""
    """The actions and faults that stories are to be about mostly, for this mutant to be noticed soon."""
    seed: int = 0
    """The one that noticed it last: it is tried first."""

    @property
    def source(self) -> str:
        """The text of the file with the change.

        Raises:
            LookupError: what it is to replace is not there, or more than once.
        """
        return self.changed((PACKAGE / self.file).read_text())

    def changed(self, text: str) -> str:
        """Return a text with the change in it."""
        if text.count(self.old) != 1:
            raise LookupError(f"The mutant {self.name} finds its text {text.count(self.old)} times in {self.file}.")
        return text.replace(self.old, self.new)


SCRIPTS = "store/redis/scripts"

MUTANTS: Sequence[Mutant] = (
    # Redis.
    Mutant(
        "compare-and-set gone",
        f"{SCRIPTS}/change.lua",
        "version == '' or version ~= old.version",
        "version == ''",
        "3",
        focus="extend_at_once open close redis_slow",
        seed=14,
    ),
    Mutant("touch credits the future", f"{SCRIPTS}/credit.lua", "  local deadline = ", "  moment = moment + 4\n  local deadline = ", seed=3),
    Mutant("dead processes stay", f"{SCRIPTS}/reap.lua", "local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)", "local dead = {}", "2", focus="killed open extend", seed=1),
    Mutant("emptied store not resumed", f"{SCRIPTS}/renew.lua", "  redis.call('DEL', KEYS[4])\n", "  settle_after = ARGV[2]\n  redis.call('DEL', KEYS[4])\n  redis.call('HSET', KEYS[4], 'settle_after', settle_after)\n", "2", focus="extend end after redis_flushed", seed=32),
    Mutant("old copy not noticed", f"{SCRIPTS}/renew.lua", "elseif is_copy then", "elseif false then", "2", focus="extend end redis_failover", seed=12),
    Mutant("ends of records not queued", f"{SCRIPTS}/change.lua", "      put(prefix, 'record', id, now, row.ttl)\n", "", seed=6),
    Mutant("end by the clock while held back", f"{SCRIPTS}/common.lua", "  return is_ahead((tonumber(epoch[2]) or 0) + 30, now)\n", "  return false\n", "3", focus="extend end redis_failover stopped", seed=76),
    # The core.
    Mutant("acted in the future", "core/reducer.py", "moment = min(now, now - event.ago)", "moment = now + event.ago", focus="type sleep", seed=91),
    Mutant("activity extends a warning", "core/reducer.py", "and not policy.activity_extends_warning", "and False", seed=9),
    Mutant("extension not credited", "core/reducer.py", "extensions=activity.extensions + 1)", "extensions=activity.extensions + 1) if False else activity", focus="extend"),
    Mutant("tab count off by one", "core/reducer.py", "tabs=_counted(activity, event.process, -1)", "tabs=_counted(activity, event.process, 0)", focus="close_all sleep", seed=26),
    Mutant("end not final", "core/reducer.py", "    if now >= ends_at(activity, policy):\n", "    if False:\n", focus="request stopped redis_away end", seed=3),
    Mutant("idle limit forgotten", "core/policy.py", "end = min(absolute_end, closed_end, idle_end)", "end = min(absolute_end, closed_end, idle_end + 2.0)", seed=1),
    Mutant("hold not released", "core/reducer.py", "held_until=min(activity.held_until, last))", "held_until=activity.held_until)", focus="hold release"),
    Mutant("page without the client closes", "core/reducer.py", "replace(activity, has_client=event.has_client,", "replace(activity, has_client=True,", focus="request close_all", seed=22),
    Mutant("lost network closes", "core/protocol.py", "frozenset({Close.CLOSED, Close.GONE})", "frozenset({Close.CLOSED, Close.GONE, 1006})", focus="sleep", seed=16),
    # Records and fallback.
    Mutant("record closed twice", "monitor/records.py", "WatchedSession.objects.live().filter(among(\"pk\", [watched.id for", "WatchedSession.objects.filter(among(\"pk\", [watched.id for"),
    Mutant("record not advanced", "monitor/record_judge.py", "checkpoints.advance(", "(lambda *_: None)(", "2", focus="request end redis_away redis_hangs killed", seed=21),
    Mutant("ended record resumed", "monitor/records.py", "activity = activity.finished(reason_of(record), record.ended.timestamp())", "pass", "2", focus="revoke request redis_away redis_hangs", seed=3),
    Mutant("activity buffer drops", "monitor/write_behind.py", "                self._waiting[watch_id] = max(moment, self._waiting.get(watch_id, moment))\n", "                pass\n", seed=59),
    Mutant("tabs not reported", "monitor/reports.py", "        report = replace(seen, is_open=is_open)\n", "        report = replace(seen, active=0.0, held_until=0.0)\n", "2", focus="extend end after redis_flushed", seed=7),
    Mutant("checkpoint not written", "monitor/checkpoints.py", "for watch_id in sorted(progress)]", "for watch_id in ()]", "1", "memory", "extend request killed"),
    Mutant("records go back", "monitor/checkpoints.py", " AND {columns['last_active']} <= %s\"", " AND ({columns['last_active']} <= %s OR 1 = 1)\"", "2", focus="extend_at_once request redis_away database_slow", seed=6),
    Mutant("newest session makes room", "monitor/login.py", "order_by(\"signed_in\", \"pk\")", "order_by(\"-signed_in\", \"pk\")", focus="sign_in", seed=5),
    Mutant("one session too many", "monitor/login.py", "live[:-most]", "live[: -most - 1]", focus="sign_in"),
    Mutant("accounts not checked", "monitor/revalidation.py", "_flaws_of_accounts(live)\n", "{}\n", focus="disable type", seed=3),
    Mutant("revocation of the record alone", "monitor/service.py", "    ended = stores.current().sessions.end(watch_id, reason, now)\n    if closed:", "    ended = transitions.tombstone(watch_id, reason, now)\n    if closed:", focus="revoke", seed=27),
    # The others.
    Mutant("rotation not announced", "monitor/record_keys.py", "    WatchedSession.objects.live().filter(pk=watch_id).update(previous_digest=announced)\n", "    pass\n", "2", focus="change_password_while_polling", seed=20),
    Mutant("message to others lost", "runtime/publisher.py", "                    await layer.group_send(GROUP, message_of(self._process.name, elsewhere, at))\n", "                    pass\n", "2", seed=1),
    Mutant("missed changes stay missed", "runtime/publisher.py", "await self._hub.deliver([change for change in changes if not self._hub.has_told(change)])", "pass", "3", focus="sign_in open revoke after layer_lossy", seed=27),
    Mutant("leases not renewed", "runtime/membership.py", "            renewal = await self._store.presence.renew(self._process.name, now, PROCESS_LEASE)\n            self._has_lapsed = renewal.has_lapsed\n            recovery", "            renewal = await self._store.presence.renew(self._process.name, now, 0.5)\n            self._has_lapsed = renewal.has_lapsed\n            recovery", "2", focus="open extend", seed=12),
    Mutant("Django session stays", "runtime/ends.py", "left.update(keys[key] for key in django_sessions.delete(keys))", "pass", seed=23),
    Mutant("warning not sent", "runtime/publisher.py", "changes = changes_of([(each.after, each.verdict) for each in settled])\n", "changes = changes_of([(each.after, each.verdict) for each in settled if each.verdict.phase is not Phase.WARNED])\n", focus="open"),
    Mutant("second process judges", "monitor/store_lease.py", "        if owner is not None:\n            raise StoreElsewhere(_refusal(owner))\n", "", "2", "memory", seed=1),
    Mutant("stopped without a checkpoint", "runtime/shutdown.py", "        await process.threads.run(Lane.TIMER, _checkpoint, batch, process.clock.now())\n", "        pass\n", "1", "memory", "type request restarted", seed=14),
    Mutant("served after the end", "middleware.py", "    if not state.admission.state.is_ended:\n", "    if True:\n", seed=19),
)  # fmt: skip


def install(name: str) -> Any:
    """Break the product of this process; return what is to change scripts, if it is one of those."""
    mutant = next(each for each in MUTANTS if each.name == name)
    if mutant.file.endswith(".lua"):

        def change(_: str, text: str) -> str:
            # A script begins with the text of its parts.
            return mutant.changed(text) if mutant.old in text else text

        return change
    module = "idlewatch." + mutant.file.removesuffix(".py").replace("/", ".")
    sys.meta_path.insert(0, _Finder(module, mutant))
    return None


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, module: str, mutant: Mutant) -> None:
        self._module, self._mutant = module, mutant

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != self._module:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        loader = _Loader(name, spec.origin)
        loader.mutant = self._mutant
        return importlib.machinery.ModuleSpec(name, loader, origin=spec.origin)


class _Loader(importlib.machinery.SourceFileLoader):
    mutant: Mutant

    def get_data(self, path: str) -> bytes:
        return self.mutant.source.encode()

    def path_stats(self, path: str) -> Any:
        # Then Python looks for no compiled file, and writes none.
        raise OSError(path)


def main(asked: Options) -> int:
    """Try the mutants, some at a time; return the exit status."""
    chosen = [each for each in MUTANTS if asked.mutants in {"1", each.name}]
    for mutant in chosen:
        # One whose target is gone fails before any other is tried.
        assert mutant.source
    running: list[tuple[Mutant, subprocess.Popen[str], float]] = []
    survived = 0
    waiting = list(chosen)
    while waiting or running:
        while waiting and len(running) < asked.workers:
            mutant = waiting.pop(0)
            running.append((mutant, _start(mutant), time.monotonic()))
        mutant, process, began = running.pop(0)
        out, _ = process.communicate()
        answer = out.strip().splitlines()[-1] if out.strip() else "no answer"
        if answer.startswith("seed ") and _is_broken_anyway(mutant, int(answer.split()[1].rstrip(":"))):
            answer = f"not noticed: without it, too, {answer}"
        survived += not answer.startswith("seed ")
        print(f"{mutant.name:36} {mutant.file:34} {answer}  ({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{len(chosen)} mutants, {survived} not noticed")
    return 1 if survived else 0


def _is_broken_anyway(mutant: Mutant, seed: int) -> bool:
    """Return whether the schedule of a seed breaks an invariant without the mutant, too."""
    from tests.simulation import runs, stories

    bench = runs.bench()
    from tests.simulation import world

    servers = int(mutant.servers) if mutant.servers else None
    story = stories.story_of(seed, servers, mutant.store, mutant.focus.split())
    return bool(world.run(story, bench).violations)


def _start(mutant: Mutant) -> subprocess.Popen[str]:
    """Start a process that hunts a mutant, on the kind of site that the mutant needs."""
    site = {"SERVERS": mutant.servers, "STORE": mutant.store, "FOCUS": mutant.focus}
    environment = {**os.environ, **site, "MUTANTS": "", "MUTANT": mutant.name}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.simulation"], env=environment, stdout=subprocess.PIPE, text=True
    )


def hunt(bench: Any, story: Any, asked: Options) -> int:
    """Run schedules of a broken product until one shows it; print its seed and the first violation."""
    from tests.simulation import world

    known = next(each.seed for each in MUTANTS if each.name == asked.mutant)
    first, errors = asked.seed or 0, 0
    for seed in [known, *range(first, first + (asked.schedules or MOST))]:
        try:
            violations = [each for each in world.run(story(seed), bench).violations if not each.startswith("no 500")]
        except Exception:  # noqa: BLE001 - that it raises is not enough
            errors += 1
            continue
        if violations:
            print(f"seed {seed}: {violations[0][:110]}")
            return 0
    print(f"not noticed ({errors} schedules raised)")
    return 1
