"""The site in `SITE`, over WSGI."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

from idlewatch.wsgi import watched

application = watched(get_wsgi_application())
