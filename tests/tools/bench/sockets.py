"""The site, and beside it two sockets that do nothing: one bare, one a consumer of channels."""

from __future__ import annotations

import os

from channels.generic.websocket import AsyncWebsocketConsumer
from django.core.asgi import get_asgi_application

from idlewatch.asgi import watched

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")


class BareConsumer(AsyncWebsocketConsumer):
    """Answers `sync`, and takes the rest as it comes."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if "sync" in (text_data or ""):
            await self.send(text_data="{}")


async def bare_socket(scope, receive, send):
    """Do the same without channels."""
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif "sync" in message["text"]:
            await send({"type": "websocket.send", "text": "{}"})


site = watched(get_asgi_application())
others = {"/bare/": bare_socket, "/consumer/": BareConsumer.as_asgi()}


async def application(scope, receive, send):
    """Route a scope."""
    await others.get(scope["path"], site)(scope, receive, send)
