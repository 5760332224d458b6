"""A page whose list htmx polls."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.html import format_html_join


@login_required
def page(request: HttpRequest) -> HttpResponse:
    """Show the form, and a place for the list."""
    return render(request, "htmx/page.html")


@login_required
def notes(request: HttpRequest) -> HttpResponse:
    """Answer with the list, to which a POST adds a note."""
    kept = request.session.get("notes", [])
    if request.method == "POST":
        kept = request.session["notes"] = [*kept, request.POST["text"]]
    return HttpResponse(format_html_join("", "<li>{}</li>", ([note] for note in kept)))


urlpatterns = [
    path("", page, name="notes"),
    path("list/", notes, name="notes-list"),
]
