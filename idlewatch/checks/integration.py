"""What connects idlewatch to the site: sockets, URLs, templates."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import global_settings, settings
from django.core.checks import Error, Warning  # noqa: A004 - Django's own names
from django.shortcuts import resolve_url
from django.template import engines
from django.template.backends.django import DjangoTemplates
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse
from django.utils.module_loading import import_string

from idlewatch.checks.middleware import position
from idlewatch.checks.registry import Found, of_site
from idlewatch.conf import conf

REQUEST_PROCESSOR = "django.template.context_processors.request"
LOCALE = "django.middleware.locale.LocaleMiddleware"
WRAP = (
    "Without sockets pages fall back to HTTP. In the site's asgi.py: from idlewatch.asgi import watched, then "
    "application = watched(get_asgi_application())."
)


@of_site()
def sockets_are_served() -> Found:
    """Say why no page would get its socket."""
    path = getattr(settings, "ASGI_APPLICATION", None)
    if not path:
        message = f"ASGI_APPLICATION is {path!r}; expected the dotted path of the site's ASGI application."
        yield Warning(message, hint=WRAP, id="idlewatch.W009")
        return
    from idlewatch.asgi import is_watched  # noqa: PLC0415 - it needs the models, and a command may never get here

    if is_watched():
        return
    try:
        import_string(path)
    except Exception as error:  # noqa: BLE001 - whatever the module raises is a finding, not a crash
        message = f"ASGI_APPLICATION is {path!r}, which can't be imported: {type(error).__name__} ({error})."
        yield Warning(message, hint=WRAP, id="idlewatch.W010")
        return
    if not is_watched():
        message = f"ASGI_APPLICATION is {path!r}; expected an application that idlewatch.asgi.watched made."
        yield Warning(message, hint=WRAP, id="idlewatch.W011")


@of_site()
def urls_are_included() -> Found:
    """Say that pages can't ask for their state."""
    try:
        reverse("idlewatch:state")
    except NoReverseMatch:
        message = f"{settings.ROOT_URLCONF} has no 'idlewatch:state'; expected idlewatch's URLs in it."
        hint = 'Add path("idlewatch/", include("idlewatch.urls")) to it.'
        yield Error(message, hint=hint, id="idlewatch.E027")
    except Exception:  # noqa: BLE001 - Django's own checks report a URLconf that can't be loaded
        return


@of_site()
def login_page_is_there() -> Found:
    """Say that users of ended sessions would be sent nowhere."""
    try:
        parts = urlsplit(conf.login_url)
        if parts.scheme or parts.netloc or position(LOCALE) is not None:
            return  # Another site's, or one that the language goes before.
        found = any(map(_leads_somewhere, (parts.path, f"{parts.path}/")))
    except NoReverseMatch:
        message = f"LOGIN_URL is {settings.LOGIN_URL!r}; expected a URL, or the name of one of this site's."
        yield Error(message, hint="Users are sent there when their session has ended.", id="idlewatch.E028")
    except Exception:  # noqa: BLE001 - Django's own checks report a URLconf that can't be loaded
        return
    else:
        if not found:
            message = f"LOGIN_URL is {settings.LOGIN_URL!r}, which no URL of this site matches; expected a login page."
            hint = (
                "Users are sent there when their session has ended. A site whose only login page is the admin's sets "
                "LOGIN_URL = 'admin:login'. Silence this if another server answers there."
            )
            yield Warning(message, hint=hint, id="idlewatch.W012")


@of_site()
def start_page_is_there() -> Found:
    """Say that pages which somebody else left open would be sent nowhere."""
    given = settings.LOGIN_REDIRECT_URL
    if given == global_settings.LOGIN_REDIRECT_URL:
        return  # Nobody chose it; where it leads nowhere, `/` will do.
    try:
        url = resolve_url(given) if given else None
        parts = urlsplit(url or "")
        if parts.scheme or parts.netloc or (url and position(LOCALE) is not None):
            return  # Another site's, or one that the language goes before.
        found = url is not None and any(map(_leads_somewhere, (parts.path, f"{parts.path}/")))
    except NoReverseMatch:
        found = False
    except Exception:  # noqa: BLE001 - Django's own checks report a URLconf that can't be loaded
        return
    if not found:
        message = f"LOGIN_REDIRECT_URL is {given!r}, which no URL of this site matches; expected its start page."
        hint = (
            "A page goes there whose user is gone when somebody else signs in. Silence this if another server answers."
        )
        yield Warning(message, hint=hint, id="idlewatch.W022")


@of_site()
def templates_know_the_request() -> Found:
    """Say that the tag would find no request."""
    try:
        backends = [backend.engine for backend in engines.all() if isinstance(backend, DjangoTemplates)]
    except Exception:  # noqa: BLE001 - Django's own checks report engines that can't be made
        return
    if not any(REQUEST_PROCESSOR in backend.context_processors for backend in backends):
        message = f"No template backend in TEMPLATES has the context processor {REQUEST_PROCESSOR!r}; expected one to."
        yield Warning(message, hint="The tag {% idlewatch %} needs the request.", id="idlewatch.W013")


def _leads_somewhere(path: str) -> bool:
    try:
        resolve("/" + path.removeprefix(get_script_prefix()).removeprefix("/"))
    except Resolver404:
        return False
    return True
