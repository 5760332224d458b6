"""A site with a view of each kind that the rules of HTTP tell apart."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from inspect import isawaitable
from typing import Any

from django.contrib.auth import authenticate, get_user_model, login, logout, update_session_auth_hash
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import login_not_required, login_required
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.template import engines
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views.generic import RedirectView, View

import idlewatch
from idlewatch.http.request_state import state_of

during: list[Callable[[HttpRequest], object]] = []
"""Callbacks of a test, called with each request to `meanwhile`."""


def told(request: HttpRequest, user: AbstractBaseUser | AnonymousUser) -> dict[str, object]:
    state, notice = state_of(request), state_of(request).notice
    return {
        "user": user.get_username(),
        "phase": state.phase,
        "reason": state.reason,
        "remaining": state.remaining,
        "notice": None if notice is None else str(notice),
    }


@login_not_required
def open_view(request: HttpRequest) -> HttpResponse:
    return JsonResponse(told(request, request.user))


@login_not_required
async def aopen_view(request: HttpRequest) -> HttpResponse:
    return JsonResponse(told(request, await request.auser()))


@login_required
def closed(request: HttpRequest) -> HttpResponse:
    return JsonResponse(told(request, request.user))


@login_required
async def aclosed(request: HttpRequest) -> HttpResponse:
    return JsonResponse(told(request, await request.auser()))


def answer(content: str = "", **options: Any) -> Callable[[HttpRequest], HttpResponse]:
    """Make a view that gives the same answer to all."""

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(content, **options)

    return view


def aanswer() -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("async")

    return view


def api(request: HttpRequest) -> HttpResponse:
    return JsonResponse({}, status=200 if request.user.is_authenticated else 401)


def to_login(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return HttpResponse("in")
    return HttpResponseRedirect(request.build_absolute_uri("/login/?next=/elsewhere/"))


def leave(request: HttpRequest) -> HttpResponse:
    meanwhile(request)
    return HttpResponseRedirect(request.GET["url"])


def page(request: HttpRequest) -> HttpResponse:
    """Show a page with the tag."""
    template = "{% load idlewatch %}<body>{% idlewatch %}{{ user.username }}</body>"
    return HttpResponse(engines["django"].from_string(template).render({}, request))


def printed(request: HttpRequest) -> HttpResponse:
    """Show a document that was made of a page with the tag."""
    return HttpResponse(page(request).content, content_type="application/pdf")


def broken(request: HttpRequest) -> HttpResponse:
    """Fail once a page with the tag was rendered."""
    page(request)
    return HttpResponse("<p>Sorry.</p>", status=500)


def stripped(request: HttpRequest) -> HttpResponse:
    """Show a page from which the client was removed after it was rendered."""
    page(request)
    return HttpResponse("<body></body>")


def meanwhile(request: HttpRequest) -> HttpResponse:
    for happen in during:
        happen(request)
    return HttpResponse("done")


async def ameanwhile(request: HttpRequest) -> HttpResponse:
    for happen in during:
        waiting = happen(request)
        if isawaitable(waiting):
            await waiting
    return HttpResponse("done")


def _parts(request: HttpRequest) -> Iterator[str]:
    yield "<p>first</p>"
    meanwhile(request)
    yield "<p>last</p>"


async def _aparts(request: HttpRequest) -> AsyncIterator[str]:
    for part in _parts(request):
        yield part


def stream(request: HttpRequest) -> HttpResponse:
    return StreamingHttpResponse(_parts(request), content_type=request.GET.get("type", "text/html"))


async def astream(request: HttpRequest) -> HttpResponse:
    return StreamingHttpResponse(_aparts(request), content_type=request.GET.get("type", "text/html"))


class Plain(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("plain")


@method_decorator(idlewatch.active, name="dispatch")
class Active(Plain):
    pass


@method_decorator(idlewatch.passive, name="dispatch")
class Passive(Plain):
    pass


@idlewatch.passive
class PassiveItself(Plain):
    pass


class APassive(Passive):
    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("async")


def flush(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    return HttpResponse("flushed")


def note(request: HttpRequest) -> HttpResponse:
    """Write into the session's data."""
    request.session["note"] = "noted"
    meanwhile(request)
    return HttpResponse("noted")


def rotate(request: HttpRequest) -> HttpResponse:
    request.session.cycle_key()
    return meanwhile(request)


async def arotate(request: HttpRequest) -> HttpResponse:
    await request.session.acycle_key()
    return meanwhile(request)


def change_password(request: HttpRequest) -> HttpResponse:
    user = get_user_model().objects.get(pk=request.user.pk)
    user.set_password(request.POST["password"])
    user.save()
    update_session_auth_hash(request, user)
    return meanwhile(request)


@login_not_required
def sign_up(request: HttpRequest) -> HttpResponse:
    """Sign a new user in, then set the password."""
    user = get_user_model().objects.create_user(request.POST["username"])
    login(request, user, "django.contrib.auth.backends.ModelBackend")
    user.set_password(request.POST["password"])
    user.save()
    update_session_auth_hash(request, user)
    return HttpResponse("welcome")


@login_not_required
def keep_me(request: HttpRequest) -> HttpResponse:
    """Sign in for two weeks, as the view would have it."""
    if "before" in request.POST:
        request.session.set_expiry(1209600)
    login(request, authenticate(request, **_credentials(request)))
    if "after" in request.POST:
        request.session.set_expiry(1209600)
    return HttpResponse("in")


def act_as(request: HttpRequest) -> HttpResponse:
    """Sign the operator in as another user, or in again as themselves; note it as a package or a project does."""
    user = get_user_model().objects.get_by_natural_key(request.POST["username"])
    if "logout" in request.POST:
        logout(request)
    if "early" in request.POST:
        idlewatch.mark_impersonation(request)
    login(request, user, "django.contrib.auth.backends.ModelBackend")
    if "note" in request.POST:
        idlewatch.mark_impersonation(request)
    if "fail" in request.POST:
        raise RuntimeError("after the login")
    return page(request) if "page" in request.POST else HttpResponse("switched")


@login_not_required
def api_login(request: HttpRequest) -> HttpResponse:
    user = authenticate(request, **_credentials(request))
    if user is None:
        return JsonResponse({"error": "credentials"}, status=401)
    login(request, user)
    return JsonResponse({})


@login_not_required
def first_step(request: HttpRequest) -> HttpResponse:
    """Take a password, and ask for a code."""
    request.session["pending"] = 1
    return JsonResponse({"next": "code"}, status=401)


@login_not_required
def failing_login(request: HttpRequest) -> HttpResponse:
    """Sign in, then fail: by an exception, or by taking the transaction back."""
    user = authenticate(request, **_credentials(request))
    if "rollback" not in request.POST:
        login(request, user)
        raise RuntimeError("after the login")
    with transaction.atomic():
        login(request, user)
        transaction.set_rollback(True)
    return HttpResponse("rolled back")


def _credentials(request: HttpRequest) -> dict[str, str]:
    return {"username": request.POST["username"], "password": request.POST["password"]}


def body(request: HttpRequest) -> HttpResponse:
    return JsonResponse(json.loads(request.body or "{}"))


names = [path("named/", body, name="named")]

urlpatterns = [
    path("open/", open_view),
    path("aopen/", aopen_view),
    path("closed/", closed),
    path("aclosed/", aclosed),
    path("api/", api),
    path("forbidden/", answer(status=403)),
    path("to-login/", to_login),
    path("page/", page),
    path("printed/", printed),
    path("broken/", broken),
    path("stripped/", stripped, name="stripped"),
    path("bare/", answer("<p>bare</p>")),
    path("cached/", answer("<p>for all</p>", headers={"Cache-Control": "max-age=60"})),
    path("empty/", answer(status=204)),
    path("leave/", leave),
    path("redirect/", RedirectView.as_view(url="/bare/")),
    path("download/", answer("a,b", headers={"Content-Disposition": 'Attachment; filename="a.csv"'})),
    path("meanwhile/", meanwhile),
    path("ameanwhile/", ameanwhile),
    path("stream/", stream),
    path("astream/", astream),
    path("active/", idlewatch.active(answer())),
    path("aactive/", idlewatch.active(aanswer())),
    path("class-active/", Active.as_view()),
    path("passive/", idlewatch.passive(answer())),
    path("apassive/", idlewatch.passive(aanswer())),
    path("passive-within/", login_required(idlewatch.passive(answer()))),
    path("class-passive/", Passive.as_view()),
    path("itself-passive/", PassiveItself.as_view()),
    path("aclass-passive/", APassive.as_view()),
    path("flush/", flush),
    path("note/", note),
    path("rotate/", rotate),
    path("arotate/", arotate),
    path("change-password/", change_password),
    path("sign-up/", sign_up),
    path("keep-me/", keep_me),
    path("act-as/", act_as),
    path("api-login/", api_login),
    path("credentials/", body, name="api_sign-in"),
    path("failing-login/", failing_login),
    path("first-step/", first_step),
    path("members/", LoginView.as_view()),
    path("rest/", login_not_required(answer(status=403))),
    path("own/", include((names, "own"))),
    path("named/", body, name="named"),
    path("", include("tests.support.urls")),
]
