from __future__ import annotations

import pytest

from tests.support.serving import ROOT
from tests.tools.bench import stacks

LIBRARY = "/usr/lib/python3.11"
PACKAGES = "/home/user/idlewatch/.venv-bench/lib/python3.11/site-packages"
LOOP = f"BaseEventLoop._run_once ({LIBRARY}/asyncio/base_events.py:1845)"
CONSUMER = f"TabConsumer.receive ({ROOT}/idlewatch/consumers/tab.py:80)"


def stack(*frames: str, count: int = 1) -> str:
    return f"{';'.join(frames)} {count}"


@pytest.mark.parametrize(
    ("frames", "owner"),
    [
        ([LOOP, f"dataReceived ({PACKAGES}/autobahn/websocket/protocol.py:1)"], "autobahn"),
        ([LOOP, f"dataReceived ({PACKAGES}/daphne/ws_protocol.py:1)"], "Daphne"),
        ([LOOP, f"Implements ({PACKAGES}/zope/interface/declarations.py:1)"], "Twisted"),
        ([f"get ({PACKAGES}/redis/_parsers/hiredis.py:1)", f"0x1 ({PACKAGES}/hiredis/hiredis.so)"], "redis-py"),
        ([LOOP], "asyncio"),
        ([LOOP, f"loads ({LIBRARY}/json/__init__.py:299)"], "standard library"),
        (["import_ (<frozen importlib._bootstrap>:1)"], "standard library"),
        ([LOOP, CONSUMER], "idlewatch.consumers"),
        ([LOOP, f"watched ({ROOT}/idlewatch/asgi.py:12)"], "idlewatch.asgi"),
        ([LOOP, f"bare ({ROOT}/tests/tools/bench/applications.py:12)"], stacks.BENCHMARK),
        ([f"execute ({PACKAGES}/django/db/backends/sqlite3/base.py:1)"], "Django"),
        ([f"execute ({PACKAGES}/django/db/base.py:1)", "step (/usr/lib/libsqlite3.so.0.8.6)"], "database driver"),
        (["0x1 (/usr/lib/libc.so.6)"], "interpreter"),
    ],
)
def test_a_sample_belongs_to_the_package_whose_code_ran(frames, owner):
    assert stacks.by_owner([stack(*frames)]) == {owner: 1}


def test_the_interpreter_and_the_c_library_count_to_who_called_them():
    sent = stack(CONSUMER, "sock_send (/build/Python-3.11/Modules/socketmodule.c)", "send (/usr/lib/libc.so.6)")

    assert stacks.by_owner([sent]) == {"idlewatch.consumers": 1}


def test_a_compiled_package_has_samples_of_its_own():
    encoded = stack(
        CONSUMER, f"encode ({PACKAGES}/msgspec/_core.cpython-311-x86_64-linux-gnu.so)", "memcpy (libc.so.6)"
    )

    assert stacks.by_owner([encoded]) == {"msgspec": 1}


def test_the_garbage_collector_is_told_from_whose_code_it_interrupted():
    collected = stack(CONSUMER, "gc_collect_main (/usr/lib/libpython3.11.so.1.0)", "traverse (/build/_bz2module.c)")

    assert stacks.by_owner([collected]) == {stacks.COLLECTOR: 1}


def test_a_wait_for_events_counts_as_such_and_a_wait_for_a_lock_not_at_all():
    waited = stack(LOOP, f"EpollSelector.select ({LIBRARY}/selectors.py:451)", "epoll_wait (libc.so.6)", count=3)
    rested = stack(
        f"_worker ({LIBRARY}/concurrent/futures/thread.py:83)",
        "PyThread_acquire_lock_timed (/usr/lib/libpython3.11.so.1.0)",
        "0x7f0d90 (/usr/lib/libc.so.6)",
    )

    assert stacks.by_owner([waited, rested]) == {stacks.WAIT: 3}
    assert list(stacks.by_function([waited, rested], 5)) == ["standard library: EpollSelector.select (selectors.py)"]


def test_owners_and_functions_are_summed_with_the_largest_first():
    lines = [stack(LOOP, count=2), stack(LOOP, CONSUMER, count=3), stack(CONSUMER, count=4)]

    assert list(stacks.by_owner(lines).items()) == [("idlewatch.consumers", 7), ("asyncio", 2)]
    assert stacks.by_function(lines, 1) == {"idlewatch.consumers: TabConsumer.receive (tab.py)": 7}
