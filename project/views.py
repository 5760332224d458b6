"""The demo's pages."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from project.limits import limits


@require_safe
@login_required
def demo(request: HttpRequest) -> HttpResponse:
    """Show the live state of the session, and what to try."""
    return render(request, "project/demo.html", {"limits": limits(), "accounts": settings.DEBUG})


@require_safe
@login_required
def elsewhere(request: HttpRequest) -> HttpResponse:
    """Show a page without the client, such as a payment page."""
    return render(request, "project/elsewhere.html")


@require_GET
@login_required
def clock(_request: HttpRequest) -> JsonResponse:
    """Answer a poll. Marked as passive or not, it keeps no session alive."""
    return JsonResponse({"time": timezone.now().strftime("%H:%M:%S")})


@require_safe
def icon(_request: HttpRequest) -> HttpResponse:
    """Redirect browsers that look for the icon at its default URL."""
    return redirect(static("demo/icon.svg"))


class LoginView(auth_views.LoginView):
    """The login page; it shows why the last session ended."""

    template_name = "project/login.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the demo's accounts, where they exist, and the limits."""
        return {**super().get_context_data(**kwargs), "accounts": settings.DEBUG, "limits": limits()}
