from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

import pytest

from idlewatch.process import Lane, Process, current_process, in_thread, set_default
from tests.support.clocks import TestClock


class Part:
    """Something that a process has once."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.closed = False

    def close(self) -> None:
        self.closed = True


@contextmanager
def waiting_while(happen: Callable[[], object]) -> Iterator[None]:
    """A lock for which one waits while another thread, which has it, does something."""
    happen()
    yield


def name() -> str:
    return current_process().name


class TestTheCurrentProcess:
    def test_is_the_default_which_is_made_once(self):
        set_default(None)
        with ThreadPoolExecutor(8) as threads:
            found = set(threads.map(lambda _: current_process(), range(50)))
        assert found == {current_process()}

    def test_is_the_default_that_another_thread_has_just_made(self, monkeypatch: pytest.MonkeyPatch):
        other = Process("other")
        set_default(None)
        monkeypatch.setattr("idlewatch.process.process._choosing", waiting_while(lambda: set_default(other)))
        assert current_process() is other

    def test_is_the_one_that_was_entered(self):
        default, other = current_process(), Process("other")
        with other.entered():
            assert current_process() is other
            with default.entered():
                assert current_process() is default
            assert current_process() is other
        assert current_process() is default

    def test_of_a_bare_thread_is_the_default(self):
        found: list[Process] = []
        with Process("other").entered():
            thread = threading.Thread(target=lambda: found.append(current_process()))
            thread.start()
            thread.join()
        assert found == [current_process()]

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("lane", Lane)
    async def test_of_a_thread_that_was_hopped_to_is_the_same(self, lane: Lane):
        with Process("other").entered():
            assert (await in_thread(lane, current_process)).name == "other"

    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_of_a_fork_has_a_name_of_its_own_and_is_not_the_one_that_was_entered(self):
        """A server may load the application before it forks (`--preload`), and a view may fork."""
        before = name()
        with Process("other").entered():
            with ProcessPoolExecutor(1, get_context("fork")) as forks:
                forked = forks.submit(name).result(10)
            assert current_process().name == "other"
        assert len(forked) == len(before)
        assert forked not in {"other", before}


class TestAProcessThatWasMadeBeforeAFork:
    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_has_there_a_name_parts_and_threads_of_its_own(self):
        """Its lease, its tabs and its place in the group of hubs must be its own; it may have been locked, too."""
        process = Process("one", clock := TestClock())
        part, threads, fork = process.part(Part), process.threads, get_context("fork")
        received, sent = fork.Pipe(duplex=False)

        def look() -> None:
            found = process.part(Part)
            sent.send((process.name, found is part, process.threads is threads, process.clock is clock))

        with ThreadPoolExecutor(1) as threads_of_a_server, process._making:
            child = fork.Process(target=look)
            threads_of_a_server.submit(child.start).result(10)
        assert received.poll(10), "it waits for a lock that a thread of the parent has"
        name, *same = received.recv()
        child.join(10)
        assert name != "one"
        assert same == [False, False, True]
        assert (process.name, process.part(Part)) == ("one", part)


class TestParts:
    def test_are_made_once_for_each_process(self):
        one, two = Process(), Process()
        with ThreadPoolExecutor(8) as threads:
            found = set(threads.map(lambda _: one.part(Part), range(50)))
        assert found == {one.part(Part)}
        assert one.part(Part).process is one
        assert two.part(Part) is not one.part(Part)

    def test_that_another_thread_has_just_made_are_not_made_again(self, monkeypatch: pytest.MonkeyPatch):
        process, other = Process(), Part(Process())
        monkeypatch.setattr(process, "_making", waiting_while(lambda: process.keep(Part, other)))
        assert process.part(Part) is other

    def test_are_closed_with_the_process_or_when_they_are_discarded(self):
        process = Process()
        discarded = process.part(Part)
        process.discard(Part)
        process.discard(list)
        assert discarded.closed
        part = process.part(Part)
        assert part is not discarded
        process.close()
        assert part.closed


async def test_a_task_in_the_background_is_of_its_process_and_held_until_it_is_done():
    process, go_on = Process(), asyncio.Event()
    found: list[Process] = []

    async def work() -> None:
        await go_on.wait()
        found.append(current_process())

    task = process.start(work())
    assert process._tasks == {task}
    go_on.set()
    await task
    assert process._tasks == set()
    assert found == [process]
