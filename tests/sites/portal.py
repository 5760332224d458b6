"""A login on a host of its own: it knows no sessions, and sends users back to their site with a ticket."""

from __future__ import annotations

from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from sesame.utils import get_query_string


def portal(request: HttpRequest) -> HttpResponse:
    form = AuthenticationForm(request, request.POST or None)
    if form.is_valid():
        return HttpResponseRedirect(request.GET["next"] + get_query_string(form.get_user()))
    return render(request, "registration/login.html", {"form": form})
