"""Tools for a project's own tests: let time pass, end a session, speak as an open tab.

`docs/testing.md` shows them. Each twin with the prefix `a` is for tests that run in an event loop.
"""

from idlewatch.testing.clock import SystemClock, Travel, atravel, isolated, travel
from idlewatch.testing.sessions import aexpire, expire
from idlewatch.testing.tab import TabCommunicator

__all__ = ["SystemClock", "TabCommunicator", "Travel", "aexpire", "atravel", "expire", "isolated", "travel"]
