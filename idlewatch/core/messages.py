"""What a client's message does, over the socket or over HTTP: the same code for both."""

from __future__ import annotations

from idlewatch.core.events import Acted, Event, Extended, Held, Released
from idlewatch.core.protocol import ActivityMessage, ExtendMessage, HoldMessage, Message, ReleaseMessage, SyncMessage


def event_of(message: Message) -> Event | None:
    """Return what a message changes; None for one that only asks."""
    match message:
        case ActivityMessage(ago=ago):
            return Acted(ago)
        case ExtendMessage():
            return Extended()
        case HoldMessage(id=hold, label=label):
            return Held(hold, label)
        case ReleaseMessage(id=hold):
            return Released(hold)
        case SyncMessage():
            return None
