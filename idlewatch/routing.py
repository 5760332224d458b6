"""The sockets, by their paths."""

from __future__ import annotations

from idlewatch.consumers import TabConsumer
from idlewatch.protocol import TAB_PATH

sockets = {TAB_PATH: TabConsumer.as_asgi()}
"""What `idlewatch.asgi.watched` serves."""
