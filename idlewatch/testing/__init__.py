"""Tools for a project's own tests: let time pass, end a session, speak as an open tab.

`docs/testing.md` shows them. Each twin with the prefix `a` is for tests that run in an event loop.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from idlewatch.testing.clock import SystemClock, Travel, atravel, isolated, travel
    from idlewatch.testing.sessions import aexpire, expire
    from idlewatch.testing.tab import TabCommunicator

__all__ = ["SystemClock", "TabCommunicator", "Travel", "aexpire", "atravel", "expire", "isolated", "travel"]


def __getattr__(name: str) -> object:
    """Import a tool when it is first used: pytest loads the plugin in this package before Django has its settings."""
    if name in __all__:
        for module in ("clock", "sessions", "tab"):
            tool: object = getattr(import_module(f"{__name__}.{module}"), name, None)
            if tool is not None:
                return tool
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
