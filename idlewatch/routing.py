"""The sockets, by their paths."""

from __future__ import annotations

from idlewatch.consumers.tab import TabConsumer
from idlewatch.core.protocol import LIVE_PATH, TAB_PATH
from idlewatch.live.consumer import LiveConsumer

sockets = {TAB_PATH: TabConsumer.serve, LIVE_PATH: LiveConsumer.serve}
"""What `idlewatch.asgi.watched` serves."""
