"""The endpoint at which a process reports on itself to `manage.py idlewatch doctor`."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.common import no_append_slash
from django.views.decorators.csrf import csrf_exempt
from msgspec import json

from idlewatch.decorators import outside_transactions, without_session
from idlewatch.http.challenge import HEADER, make_answer, secret_of
from idlewatch.ops.self_report import self_report
from idlewatch.process import now


@outside_transactions
@without_session
# A POST, or a path without its slash, must not show that the page exists.
@csrf_exempt
@no_append_slash
@never_cache
@login_not_required
def diagnosis(request: HttpRequest) -> HttpResponse:
    """Answer a challenge that is signed with the site's key by a report; for anything else there is no such page."""
    challenge = request.headers.get(HEADER, "")
    secret = secret_of(challenge, now())
    if secret is None or request.method not in {"GET", "HEAD"}:
        raise Http404
    body = json.encode(self_report(request))
    response = HttpResponse(body, content_type="application/json")
    response.headers[HEADER] = make_answer(challenge, body, secret)
    return response
