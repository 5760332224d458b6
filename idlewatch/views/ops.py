"""The endpoints for process supervisors and monitoring: health, readiness and metrics."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from idlewatch.conf import conf
from idlewatch.conf.extras import Extra, is_installed
from idlewatch.decorators import outside_transactions, passive, without_session
from idlewatch.ops import exposition, health
from idlewatch.permissions import may_watch
from idlewatch.process import Lane, in_thread


# It works without a database.
@outside_transactions
@without_session
@require_safe
@never_cache
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """Return 200: the process is up."""
    return HttpResponse("ok\n", content_type="text/plain")


# Django has no transactions around asynchronous views, and refuses to serve one that is to have one.
@outside_transactions
@without_session
@require_safe
@never_cache
@login_not_required
async def readyz(request: HttpRequest) -> JsonResponse:
    """Return whether the process is ready, and which parts are not: database, store, channel layer, timer."""
    failing = await health.failing_parts()
    return JsonResponse({"ready": not failing, "problems": failing}, status=503 if failing else 200)


@outside_transactions
@without_session
@passive
@require_safe
@never_cache
@login_not_required
async def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics of this process to requests with the token and to staff who may see the sessions."""
    allowed = exposition.has_token(request.headers.get("Authorization", ""))
    if not allowed and not await in_thread(Lane.REQUEST, _may_see_sessions, request):
        exposition.log_refusal("no token, and no user who may see the sessions")
        return HttpResponse("Forbidden\n", status=403, content_type="text/plain")
    if not is_installed(Extra.METRICS):
        raise Http404(f"The package 'prometheus-client' is not installed: {Extra.METRICS.command}")
    body, content_type = await exposition.exposition(request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type)


def _may_see_sessions(request: HttpRequest) -> bool:
    # Without a session cookie, there is no user to look up.
    if not request.COOKIES.get(conf.session_cookie_name):
        return False
    return may_watch(request.user)
