"""The site over WSGI: pages alone; their sessions end all the same, told by the next response."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from idlewatch.wsgi import watched

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = watched(get_wsgi_application())
