"""The sockets, by their paths."""

from __future__ import annotations

from idlewatch.consumers import TabConsumer
from idlewatch.live.consumer import LiveConsumer
from idlewatch.protocol import LIVE_PATH, TAB_PATH

sockets = {TAB_PATH: TabConsumer.as_asgi(), LIVE_PATH: LiveConsumer.as_asgi()}
"""What `idlewatch.asgi.watched` serves."""
