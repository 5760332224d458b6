"""The exceptions that idlewatch raises. The first line of a docstring is the default message."""

from __future__ import annotations

from typing import ClassVar


class IdleWatchError(Exception):
    """An error of idlewatch; the base class of all others."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").partition("\n")[0])


class HoldRefused(IdleWatchError):
    """The session can't be held any longer without activity."""


class TooManyTabs(IdleWatchError):
    """The session has the maximum number of open tabs."""


class BadMessage(IdleWatchError):
    """A client's message is invalid."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        """One of `idlewatch.core.protocol.ErrorCode`."""
        self.detail = detail
        """What came, and what was expected."""


class StoreUnavailable(IdleWatchError):
    """The session store is unavailable."""


class LayerUnavailable(IdleWatchError):
    """The channel layer accepts no messages."""


class EngineUnavailable(IdleWatchError):
    """The engine of Django's sessions does not answer."""


class Undecided(IdleWatchError):
    """The session's state cannot be determined right now; retry."""

    retry_after: ClassVar[int] = 2
    """Seconds after which to retry."""


class HeldBack(Undecided):
    """A session that is over by the clock does not end by that right now: others may know of later activity."""


class StoreElsewhere(Undecided):
    """The memory store belongs to another process."""

    retry_after: ClassVar[int] = 5


class NotRunning(IdleWatchError):
    """The runtime is not running in this process; expected its application to be wrapped with `watched`."""
