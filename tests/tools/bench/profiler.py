"""Stacks of running processes, as py-spy samples them: from outside, so that it is no part of what it shows."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.serving import ROOT
from tests.tools.bench import machine

PROGRAM = Path(sys.executable).with_name("py-spy")
KEPT = ROOT / "build" / "bench" / "stacks"
"""Where what was sampled is kept, as input for a flame graph."""
RATE, OFTEN = 150, 400
"""Samples a second. Each holds the process up for a millisecond or two: often is for one that is idle, or busy for less
than a second."""
READY = "Sampling process"
"""What py-spy prints once it samples."""
START_TIMEOUT, STOP_TIMEOUT = 30.0, 30.0
POLL_INTERVAL = 0.01
PR_SET_PTRACER, PR_SET_PTRACER_ANY = 0x59616D61, -1
REMEDY = (
    "Set the kernel's yama.ptrace_scope to 0 or 1, or run as root; in a container, give it the capability SYS_PTRACE. "
    "PROFILE=0 leaves the profiles out."
)
SAMPLED_PROGRAM = (
    "import sys; from tests.tools.bench.profiler import permit; permit(); print(flush=True); sys.stdin.read()"
)
"""One that waits, to try whether it can be sampled."""


class ProfilerError(RuntimeError):
    """The stacks of a process can't be sampled."""


def permit() -> None:
    """Let other processes of this user sample this one: without it, many systems let only its parents do so."""
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(PR_SET_PTRACER_ANY), 0, 0, 0)


def require() -> None:
    """Check that the stacks of another process can be sampled.

    Raises:
        ProfilerError: they can't.
    """
    if not PROGRAM.exists():
        raise ProfilerError(f"{PROGRAM} is missing; `make bench` installs it. PROFILE=0 leaves the profiles out.")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", SAMPLED_PROGRAM], cwd=ROOT, **pipes) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with sampled("check", other.pid):
            pass
        other.kill()


@contextmanager
def sampled(name: str, *pids: int, rate: int = RATE) -> Iterator[list[str]]:
    """Sample the stacks of these processes; the list has them afterwards, one a line with how often it was seen.

    Raises:
        ProfilerError: it is refused.
    """
    KEPT.mkdir(parents=True, exist_ok=True)
    slug = "".join(letter if letter.isalnum() else "-" for letter in name)
    lines: list[str] = []
    with ExitStack() as stack:
        samplers = [Sampler(pid, KEPT / f"{slug}-{number}.txt", rate) for number, pid in enumerate(pids, 1)]
        for sampler in samplers:
            stack.callback(sampler.kill)
            sampler.start()
        yield lines
        for sampler in samplers:
            lines += sampler.stop()


def permit_if_wanted() -> bool:
    """Let others sample this program if profiles are wanted of it; return whether they are."""
    if wanted := "BENCH_PROFILE" in os.environ:
        permit()
    return wanted


class Sampler:
    """One py-spy, which samples one process."""

    def __init__(self, pid: int, file: Path, rate: int) -> None:
        self._pid = pid
        self._file = file
        self._log = file.with_suffix(".log")
        self._rate = rate
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin, and wait until it samples."""
        self._file.unlink(missing_ok=True)
        # Native frames tell the garbage collector and compiled packages from who calls them.
        what = ["--native", "--function", "--full-filenames", "--format", "raw", "--rate", str(self._rate)]
        # A shell that runs the benchmark in the background has its programs ignore what stops py-spy.
        core = ["env", "--default-signal=INT", "taskset", "--cpu-list", str(machine.LOAD_CORE)]
        command = [*core, str(PROGRAM), "record", *what, "--output", str(self._file), "--pid", str(self._pid)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT
        while READY not in self._log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ProfilerError(f"py-spy may not sample another process here: {self._said()} {REMEDY}")
            time.sleep(POLL_INTERVAL)

    def stop(self) -> list[str]:
        """End it, and return what it sampled."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(STOP_TIMEOUT)
        if not self._file.exists():
            # The process was idle all the time.
            return []
        return self._file.read_text().splitlines()

    def kill(self) -> None:
        """End it, whatever it does."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT)

    def _said(self) -> str:
        return " ".join(self._log.read_text().partition("Stack backtrace")[0].split())
