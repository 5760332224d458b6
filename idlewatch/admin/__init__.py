"""The live page and the session history in Django's admin."""

from __future__ import annotations

from django.contrib import admin

from idlewatch.admin.live import LiveAdmin
from idlewatch.admin.records import WatchedSessionAdmin
from idlewatch.models import Live, WatchedSession

admin.site.register(Live, LiveAdmin)
admin.site.register(WatchedSession, WatchedSessionAdmin)
