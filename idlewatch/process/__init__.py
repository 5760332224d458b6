"""The server process: what exists once in it, and its hops to threads."""

from idlewatch.process.per_loop import PerLoop
from idlewatch.process.process import Process, current_process, in_thread, lives_here, now, set_default
from idlewatch.process.threads import Lane, Threads, in_tests
from idlewatch.process.together import together

__all__ = [
    "Lane",
    "PerLoop",
    "Process",
    "Threads",
    "current_process",
    "in_tests",
    "in_thread",
    "lives_here",
    "now",
    "set_default",
    "together",
]
