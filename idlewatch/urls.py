"""The addresses at which pages talk to the server over HTTP."""

from __future__ import annotations

from django.urls import path

from idlewatch import draft_views, own_sessions, views

app_name = "idlewatch"
urlpatterns = [
    path("state/", views.state, name="state"),
    path("message/", views.message, name="message"),
    path("page/", views.page, name="page"),
    path("signed-in/", views.signed_in, name="signed-in"),
    path("drafts/", draft_views.keep, name="drafts"),
    path("logout/", views.logout, name="logout"),
    path("sessions/", own_sessions.own_sessions, name="sessions"),
]
