"""What idlewatch raises. Every error of its own derives from `IdleWatchError`."""

from __future__ import annotations


class IdleWatchError(Exception):
    """Something in idlewatch went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").partition("\n")[0])


class HoldRefused(IdleWatchError):
    """The session can't be held any longer without activity."""


class TooManyTabs(IdleWatchError):
    """The session has as many tabs open as the site allows."""


class BadMessage(IdleWatchError):
    """A client sent something that is no message."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        """One of `idlewatch.core.protocol.ErrorCode`."""
        self.detail = detail


class StoreUnavailable(IdleWatchError):
    """The store of the sessions can't be reached."""


class LayerUnavailable(IdleWatchError):
    """The channel layer takes no message."""


class Undecided(IdleWatchError):
    """Nobody can tell just now whether the session still lives: ask again in a moment."""


class NotRunning(IdleWatchError):
    """Nothing runs beside the requests of this process: expected its application to be wrapped with `watched`."""
