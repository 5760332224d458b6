"""The tests' site over ASGI."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

from idlewatch.asgi import watched

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.settings")

application = watched(get_asgi_application())
