"""The client's endpoints as they are where the app of drafts is not installed."""

from __future__ import annotations

from django.urls import include, path

from idlewatch.views import client

endpoints = [path("state/", client.state, name="state"), path("message/", client.message, name="message")]
urlpatterns = [path("", include((endpoints, "idlewatch")))]
