"""The addresses at which pages talk to the server over HTTP."""

from __future__ import annotations

from django.urls import path

from idlewatch.drafts import views as draft_views
from idlewatch.views import client, own_sessions

app_name = "idlewatch"
urlpatterns = [
    path("state/", client.state, name="state"),
    path("message/", client.message, name="message"),
    path("page/", client.page, name="page"),
    path("signed-in/", client.signed_in, name="signed-in"),
    path("drafts/", draft_views.keep, name="drafts"),
    path("logout/", client.logout, name="logout"),
    path("sessions/", own_sessions.own_sessions, name="sessions"),
]
