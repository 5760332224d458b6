"""The site in `SITE`, over ASGI."""

from __future__ import annotations

from django.core.asgi import get_asgi_application

from idlewatch.asgi import watched

django_application = get_asgi_application()

from tests.sites.settings import ROW  # noqa: E402 - the settings have to be ready

application = watched(django_application) if ROW.asgi is None else ROW.asgi(django_application)
