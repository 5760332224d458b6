"""The project's URLs, with a page for staff alone, and a login view that sends those back who are signed in."""

from __future__ import annotations

from django.contrib.auth.decorators import user_passes_test
from django.urls import path

from project import views
from project.urls import urlpatterns as project_urls

urlpatterns = [
    path("staff/", user_passes_test(lambda user: user.is_staff)(views.demo)),
    path("accounts/login/", views.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    *project_urls,
]
