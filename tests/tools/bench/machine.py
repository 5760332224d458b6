"""The machine of a run: what a process uses, what else runs on the server's core, and which versions these are."""

from __future__ import annotations

import os
import platform
import resource
import signal
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
SERVER_CORE, LOAD_CORE = 0, 1
"""Servers have a core of their own; the load and Redis share the other one."""
PACKAGES = ("Django", "channels", "daphne", "Twisted", "autobahn", "redis", "channels-redis", "django-session-security")
CALIBRATION_LOOP = 500_000
"""Additions, which take about twenty milliseconds."""


def cpu_seconds(pid: int) -> float:
    """Return the processor time of all threads of a process, those that ended too."""
    # clock_getcpuclockid(3), which the standard library does not have.
    return time.clock_gettime(~pid << 3 | 2)


def family_seconds(pid: int) -> float:
    """Return the processor time of a process and its children, those that ended too."""
    used = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if pid in (int(stat.parent.name), int(fields[1])):
                used += sum(map(int, fields[11:15] if int(stat.parent.name) == pid else fields[11:13]))
    return used / TICKS


def resident_bytes(pid: int) -> int:
    """Return the memory of a process that is in use."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_SIZE


@dataclass
class CoreUse:
    """What happened to the server's core while a row was measured."""

    calibration: float
    """Milliseconds that a fixed loop took before it: the core's speed."""
    others: float = 0.0
    """The share of it that other programs used."""
    steal: float = 0.0
    """The share of it that the host gave to other machines."""


@contextmanager
def observed_core() -> Iterator[CoreUse]:
    """Observe the server's core; every server has been started and stopped within."""
    use = CoreUse(calibrate())
    busy, steal = _core_seconds(SERVER_CORE)
    children, began = _children_seconds(), time.monotonic()
    yield use
    seconds = time.monotonic() - began
    busy_after, steal_after = _core_seconds(SERVER_CORE)
    use.others = max(0.0, busy_after - busy - (_children_seconds() - children)) / seconds
    use.steal = (steal_after - steal) / seconds


def busy_seconds(cores: Collection[int]) -> float:
    """Return for how long these cores have not been free, the host's other machines included."""
    return sum(sum(_core_seconds(core)) for core in cores)


def _core_seconds(core: int) -> tuple[float, float]:
    """Return for how long a core was busy, and for how long the host gave it to other machines."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    user, nice, system, _, _, irq, softirq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + softirq) / TICKS, steal / TICKS


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def calibrate() -> float:
    """Return the milliseconds that a fixed loop takes on the server's core, of five tries the best."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER_CORE})
    try:
        return min(_loop_seconds() for _ in range(5)) * 1e3
    finally:
        os.sched_setaffinity(0, before)


def _loop_seconds() -> float:
    began, total = time.perf_counter(), 0
    for number in range(CALIBRATION_LOOP):
        total += number
    return time.perf_counter() - began


def allow_many_files(needed: int) -> bool:
    """Raise the limit of open files, for this process and those that it starts; return whether that is enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, needed)
    if hard != resource.RLIM_INFINITY and wanted > hard:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return True


def unwind_when_terminated() -> None:
    """Let SIGTERM unwind this program, as Ctrl-C does: it would leave the servers behind that it has started."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def describe(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return what the figures were measured on, and with which versions."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    found = {
        "Processor": model.partition(":")[2].strip() or platform.machine(),
        "Cores": str(os.cpu_count()),
        "Linux": platform.release(),
        "Python": platform.python_version(),
    }
    return found | {name: version(name) for name in packages}
