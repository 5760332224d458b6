"""The addresses at which pages talk to the server over HTTP."""

from __future__ import annotations

from django.urls import path

from idlewatch import views

app_name = "idlewatch"
urlpatterns = [
    path("state/", views.state, name="state"),
    path("message/", views.message, name="message"),
    path("logout/", views.logout, name="logout"),
]
