"""The URLs of the project."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from idlewatch.views.ops import healthz, metrics, readyz
from project import views

urlpatterns = [
    path("", views.demo, name="demo"),
    path("demo/clock/", views.clock, name="demo-clock"),
    path("demo/elsewhere/", views.elsewhere, name="demo-elsewhere"),
    path("accounts/login/", views.LoginView.as_view(), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("idlewatch/", include("idlewatch.urls")),
    path("favicon.ico", views.icon),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
