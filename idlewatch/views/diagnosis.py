"""The endpoint at which a process reports on itself to `manage.py idlewatch doctor`."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from msgspec import json

from idlewatch.decorators import outside_transactions, without_session
from idlewatch.http.challenge import HEADER, make_answer, secret_of
from idlewatch.ops.self_report import self_report
from idlewatch.process import now


@outside_transactions
@without_session
@require_safe
@never_cache
@login_not_required
def diagnosis(request: HttpRequest) -> HttpResponse:
    """Answer a challenge that is signed with the site's key by a report; for anything else there is no such page."""
    challenge = request.headers.get(HEADER, "")
    secret = secret_of(challenge, now())
    if secret is None:
        raise Http404
    body = json.encode(self_report(request))
    response = HttpResponse(body, content_type="application/json")
    response.headers[HEADER] = make_answer(challenge, body, secret)
    return response
