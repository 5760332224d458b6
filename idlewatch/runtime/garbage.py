"""The garbage collector of a server process: while it goes through all objects, no tab is served."""

from __future__ import annotations

import gc

from idlewatch.conf import conf
from idlewatch.process import Process, in_tests


def tune_collector(_process: Process) -> tuple[int, int, int]:
    """If `GC_THRESHOLDS` is set, freeze what the process has loaded, and apply them; return the thresholds in force."""
    if conf.gc_thresholds is not None and not in_tests():
        # Frozen garbage would never be freed.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*conf.gc_thresholds)
    return gc.get_threshold()
