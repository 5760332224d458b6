"""Checks of the project's sockets, URLs and templates."""

from __future__ import annotations

from urllib.parse import urlsplit

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import global_settings, settings
from django.core.checks import Error, Warning  # noqa: A004 - Django's own names
from django.core.handlers.asgi import ASGIHandler
from django.http.request import HttpHeaders
from django.shortcuts import resolve_url
from django.template import TemplateDoesNotExist
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from idlewatch.checks.middleware import position
from idlewatch.checks.registry import Messages, check
from idlewatch.conf import conf
from idlewatch.conf.django_settings import leads_to_a_page
from idlewatch.core.protocol import TAB_PATH
from idlewatch.http.site_urls import below_script_name
from idlewatch.http.templates import find_template

TEMPLATE = "idlewatch/client.html"
LOCALE = "django.middleware.locale.LocaleMiddleware"
WRAP = (
    "Without sockets pages fall back to HTTP. In your asgi.py: from idlewatch.asgi import watched, then "
    "application = watched(get_asgi_application())."
)


@check()
def sockets_are_served() -> Messages:
    """Check that the ASGI application serves the sockets."""
    path = getattr(settings, "ASGI_APPLICATION", None)
    if not path:
        message = f"ASGI_APPLICATION is {path!r}; expected the dotted path of your ASGI application."
        yield Warning(message, hint=WRAP, id="idlewatch.W009")
        return
    from idlewatch.asgi import is_watched  # noqa: PLC0415 - it needs the models, and a command may never get here

    try:
        application = import_string(path)
    except Exception as error:  # noqa: BLE001 - an exception in the module is a finding, not a crash
        if not is_watched():
            message = f"ASGI_APPLICATION is {path!r}, which can't be imported: {type(error).__name__} ({error})."
            yield Warning(message, hint=WRAP, id="idlewatch.W010")
        return
    if not is_watched():
        message = f"ASGI_APPLICATION is {path!r}; expected an application that is wrapped by idlewatch.asgi.watched."
        yield Warning(message, hint=WRAP, id="idlewatch.W011")
    elif not _gets_sockets(application):
        message = (
            f"ASGI_APPLICATION is {path!r}, in which sockets do not reach idlewatch.asgi.watched; expected it around "
            "the whole: application = watched(ProtocolTypeRouter({…}))."
        )
        hint = "It serves the sockets below /ws/idlewatch/ itself, and passes all others on to your own consumers."
        yield Error(message, hint=hint, id="idlewatch.E046")


def _gets_sockets(application: object) -> bool:
    """Return whether a socket reaches `watched`, as far as an application of channels or Django shows that."""
    from idlewatch.asgi import WatchedApplication  # noqa: PLC0415 - it needs the models

    if isinstance(application, WatchedApplication):
        return True
    if isinstance(application, ProtocolTypeRouter):
        return _gets_sockets(application.application_mapping.get("websocket"))
    if isinstance(application, URLRouter):
        return any(_gets_sockets(getattr(route, "callback", None)) for route in application.routes)
    # A middleware of channels names what it wraps `inner`, its validators of origins `application`.
    inner = getattr(application, "inner", None) or getattr(application, "application", None)
    if inner is not None:
        return _gets_sockets(inner)
    is_end = application is None or isinstance(application, ASGIHandler) or hasattr(application, "consumer_class")
    return not is_end


@check()
def session_cookie_covers_the_client() -> Messages:
    """Check that browsers send the session cookie with the requests of a page's client."""
    path = settings.SESSION_COOKIE_PATH
    try:
        urls = [below_script_name(TAB_PATH), reverse("idlewatch:state")]
    except Exception:  # noqa: BLE001 - other checks report a URLconf without idlewatch's URLs, or that can't be loaded
        return
    for url in urls:
        if not f"{url}/".startswith(f"{path}".removesuffix("/") + "/"):
            message = f"SESSION_COOKIE_PATH is {path!r}, and pages request {url}; expected a path that includes it."
            hint = (
                "Otherwise every page counts as signed out. If the site lies below a path, set FORCE_SCRIPT_NAME to "
                "it, also where your server does that by itself."
            )
            yield Warning(message, hint=hint, id="idlewatch.W035")
            return


@check()
def csrf_header_can_arrive() -> Messages:
    """Check that scripts can send the CSRF token."""
    name = settings.CSRF_HEADER_NAME
    if not isinstance(name, str) or HttpHeaders.parse_header_name(name) is None:
        expected = f"HTTP_{name}".upper().replace("-", "_")
        message = f"CSRF_HEADER_NAME is {name!r}, which is the key of no header; expected one like {expected!r}."
        hint = "Django looks it up in request.META. Without it, messages over HTTP and the live page's actions fail."
        yield Warning(message, hint=hint, id="idlewatch.W036")


@check()
def urls_are_included() -> Messages:
    """Check that pages can ask for their state."""
    try:
        reverse("idlewatch:state")
    except NoReverseMatch:
        message = f"{settings.ROOT_URLCONF} has no 'idlewatch:state'; expected idlewatch's URLs there."
        hint = 'Add path("idlewatch/", include("idlewatch.urls")) to it.'
        yield Error(message, hint=hint, id="idlewatch.E027")
    except Exception:  # noqa: BLE001 - Django's own checks report a URLconf that can't be loaded
        return


@check()
def login_page_exists() -> Messages:
    """Check that users of ended sessions are redirected to a page."""
    try:
        parts = urlsplit(conf.login_url)
        if parts.scheme or parts.netloc or position(LOCALE) is not None:
            return  # On another site, or prefixed with the language.
        exists = _leads_somewhere(parts.path)
    except NoReverseMatch:
        message = f"LOGIN_URL is {settings.LOGIN_URL!r}; expected a URL, or the name of one of your project."
        yield Error(message, hint="Users are redirected there when their session has ended.", id="idlewatch.E028")
    except Exception:  # noqa: BLE001 - Django's own checks report a URLconf that can't be loaded
        return
    else:
        if not exists:
            message = f"LOGIN_URL is {settings.LOGIN_URL!r}, which matches no URL of yours; expected a login page."
            hint = (
                "Users are redirected there when their session has ended. If your only login page is the admin's, set "
                "LOGIN_URL = 'admin:login'. Silence this if another server serves that page."
            )
            yield Warning(message, hint=hint, id="idlewatch.W012")


@check()
def start_page_exists() -> Messages:
    """Check that pages which another user left open are redirected to a page."""
    given = settings.LOGIN_REDIRECT_URL
    if given == global_settings.LOGIN_REDIRECT_URL:
        return  # Unset: where the default leads nowhere, `/` takes its place.
    try:
        url = resolve_url(given) if given else None
        parts = urlsplit(url or "")
        if parts.scheme or parts.netloc or (url and position(LOCALE) is not None):
            return  # On another site, or prefixed with the language.
        exists = url is not None and _leads_somewhere(parts.path)
    except NoReverseMatch:
        exists = False
    except Exception:  # noqa: BLE001 - Django's own checks report a URLconf that can't be loaded
        return
    if not exists:
        message = f"LOGIN_REDIRECT_URL is {given!r}, which matches no URL of yours; expected a start page."
        hint = (
            "A page that one user left open goes there when another signs in. Silence this if another server serves it."
        )
        yield Warning(message, hint=hint, id="idlewatch.W022")


@check()
def templates_are_found() -> Messages:
    """Check that the tag can render its templates."""
    try:
        find_template(TEMPLATE)
    except TemplateDoesNotExist:
        message = f"No backend in TEMPLATES finds {TEMPLATE!r}; expected one of Django's, with APP_DIRS."
        hint = "Its 'BACKEND' is 'django.template.backends.django.DjangoTemplates'. A site on Jinja2 needs one as well."
        yield Error(message, hint=hint, id="idlewatch.E057")
    except Exception:  # noqa: BLE001 - Django's own checks report engines that can't be made
        return


def _leads_somewhere(path: str) -> bool:
    """Return whether a URL matches, with or without a slash at the end."""
    return leads_to_a_page(path) or leads_to_a_page(f"{path}/")
