"""The URLs of a project that exposes no metrics."""

from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.urls import include, path

from tests.support.urls import private

urlpatterns = [
    path("login/", LoginView.as_view(), name="login"),
    path("private/", private),
    path("admin/", admin.site.urls),
    path("idlewatch/", include("idlewatch.urls")),
]
