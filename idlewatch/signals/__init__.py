"""The public signals; `definitions` documents each."""

from idlewatch.signals.definitions import (
    SessionSignal,
    session_ended,
    session_extended,
    session_opened,
    session_warned,
)

__all__ = ["SessionSignal", "session_ended", "session_extended", "session_opened", "session_warned"]
