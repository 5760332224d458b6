from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from idlewatch.process import Lane, Process, current_process, in_thread, set_default


class Part:
    """Something that a process has once."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.closed = False

    def close(self) -> None:
        self.closed = True


def name_in_a_fork() -> str:
    """Return the name of the current process in a fork of this one."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, current_process().name.encode())
        os._exit(0)
    os.waitpid(child, 0)
    name = os.read(read, 100).decode()
    os.close(read)
    os.close(write)
    return name


class TestTheCurrentProcess:
    def test_is_the_default_which_is_made_once(self):
        set_default(None)
        with ThreadPoolExecutor(8) as threads:
            found = set(threads.map(lambda _: current_process(), range(50)))
        assert found == {current_process()}

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

    async def test_of_a_task_that_a_process_starts_is_that_process(self):
        found: list[Process] = []
        other = Process("other")

        async def work() -> None:
            found.append(current_process())

        await other.start(work())
        assert found == [other]

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("lane", Lane)
    async def test_of_a_thread_that_was_hopped_to_is_the_same(self, lane: Lane):
        with Process("other").entered():
            assert (await in_thread(lane, current_process)).name == "other"

    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_of_a_fork_has_a_name_of_its_own(self):
        """A server that loads the application before it forks (`--preload`) has workers, not copies."""
        before = current_process().name
        name = name_in_a_fork()
        assert len(name) == len(before)
        assert name != before

    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_of_a_fork_is_not_the_one_that_was_entered(self):
        """A view may fork: of the process that serves it, the fork has no threads."""
        with Process("other").entered():
            name = name_in_a_fork()
            assert current_process().name == "other"
        assert name not in {"other", current_process().name}


class TestParts:
    def test_are_made_once_for_each_process(self):
        one, two = Process(), Process()
        with ThreadPoolExecutor(8) as threads:
            found = set(threads.map(lambda _: one.part(Part), range(50)))
        assert found == {one.part(Part)}
        assert one.part(Part).process is one
        assert two.part(Part) is not one.part(Part)

    def test_are_closed_with_the_process(self):
        process = Process()
        part = process.part(Part)
        process.close()
        assert part.closed

    def test_one_that_was_discarded_is_closed_and_made_again(self):
        process = Process()
        part = process.part(Part)
        process.discard(Part)
        assert part.closed
        assert process.part(Part) is not part
        process.discard(list)


async def test_a_task_in_the_background_is_held_until_it_is_done():
    process, go_on = Process(), asyncio.Event()

    async def work() -> None:
        await go_on.wait()

    task = process.start(work())
    assert process._tasks == {task}
    go_on.set()
    await task
    assert process._tasks == set()
