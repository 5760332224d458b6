"""Conversion of a client's message to an event, over the socket and over HTTP alike."""

from __future__ import annotations

from idlewatch.core.events import Acted, Event, Extended, Held, Released
from idlewatch.core.protocol import ActivityMessage, ExtendMessage, HoldMessage, Message, ReleaseMessage, SyncMessage


def event_of(message: Message) -> Event | None:
    """Return the event of a message; None for one that changes nothing."""
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
