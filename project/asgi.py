"""The site over ASGI: pages, and the sockets of the session monitor."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

from idlewatch.asgi import watched

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = watched(get_asgi_application())
