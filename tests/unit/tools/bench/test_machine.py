from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import signal

from tests.tools.bench import machine

machine.unwind_when_terminated()
try:
    signal.raise_signal(signal.SIGTERM)
finally:
    print("stopped its servers")
"""


def test_a_run_that_is_terminated_unwinds():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=False)

    assert (done.returncode, done.stdout) == (143, "stopped its servers\n")
