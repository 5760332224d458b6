"""A page of Inertia."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest
from inertia import inertia


@login_required
@inertia("Page")
def page(request: HttpRequest) -> dict[str, Any]:
    return {"place": request.GET.urlencode()}
