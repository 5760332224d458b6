"""The project's URLs without those of idlewatch."""

from __future__ import annotations

from project.urls import urlpatterns as project_urls

urlpatterns = [each for each in project_urls if getattr(each, "app_name", None) != "idlewatch"]
