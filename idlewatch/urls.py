"""The URLs at which pages talk to the server over HTTP."""

from __future__ import annotations

from django.apps import apps
from django.urls import path

from idlewatch.views import client, diagnosis, own_sessions, reauthentication

app_name = "idlewatch"
urlpatterns = [
    path("state/", client.state, name="state"),
    path("message/", client.message, name="message"),
    path("page/", client.page, name="page"),
    path("signed-in/", client.signed_in, name="signed-in"),
    path("reauthenticate/", reauthentication.reauthenticate, name="reauthenticate"),
    path("logout/", client.logout, name="logout"),
    path("diagnosis/", diagnosis.diagnosis, name="diagnosis"),
    path("sessions/", own_sessions.own_sessions, name="sessions"),
]

if apps.is_installed("idlewatch.drafts"):
    from idlewatch.drafts.views import drafts

    urlpatterns.append(path("drafts/", drafts, name="drafts"))
