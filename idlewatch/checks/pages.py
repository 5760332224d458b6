"""Checks that the browser may run the client in the project's pages: static files and Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import Warning  # noqa: A004 - Django's own name
from django.http.request import split_domain_port, validate_host
from django.templatetags.static import static

from idlewatch.checks.middleware import position
from idlewatch.checks.registry import Messages, check
from idlewatch.conf.declaration import DOCUMENTATION

SCRIPT = "idlewatch/idlewatch.min.js"
POLICIES = {
    "SECURE_CSP": "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "CONTENT_SECURITY_POLICY": "csp.middleware.CSPMiddleware",
}
"""Settings with a policy, and the middleware that sends it: of Django 6.0 and later, and of django-csp."""
NONCES = ("<CSP_NONCE_SENTINEL>", "csp.constants.NONCE", "'nonce-")
"""What those settings have in the place of the request's nonce, as text."""
NEEDED = {"script-src": "run the script", "style-src": "load the stylesheet", "connect-src": "connect"}
"""Directives that the client needs, and what for; `default-src` applies where one is missing."""
KEYWORDS = ("'none'", "'unsafe-", "'strict-dynamic'", "'report-sample'", "'wasm-", "'inline-speculation-rules'", "'sha")
"""Beginnings of sources that allow no URL."""


@check()
def static_files_allow_the_site() -> Messages:
    """Check whether static files come from another origin, which has to allow the site to load a module."""
    try:
        url = static(SCRIPT)
    except Exception:  # noqa: BLE001 - a manifest may be made only by the deployment
        url = str(settings.STATIC_URL or "")
    parts = urlsplit(url)
    if not parts.netloc or _is_own(parts.netloc):
        return
    message = f"Static files come from {parts.netloc}, another origin: browsers block the client if it sends no CORS."
    hint = (
        f"Have it send Access-Control-Allow-Origin with every script, such as {SCRIPT}, then silence this. "
        f"Without it pages neither warn nor hide their content at the end. "
        f"See {DOCUMENTATION}/pages.md#static-files-on-another-origin"
    )
    yield Warning(message, hint=hint, id="idlewatch.W023")


@check()
def policy_allows_the_client() -> Messages:
    """Check that the Content-Security-Policy lets the client run."""
    for name, middleware in POLICIES.items():
        policy = getattr(settings, name, None)
        directives = policy.get("DIRECTIVES", policy) if isinstance(policy, Mapping) else None
        if not isinstance(directives, Mapping) or position(middleware) is None:
            continue
        for needed, purpose in NEEDED.items():
            # What is said of elements alone comes first (CSP level 3).
            directive = f"{needed}-elem" if directives.get(f"{needed}-elem") else needed
            sources = directives.get(directive) or directives.get("default-src")
            if not sources or _allows(_texts(sources), has_nonce=needed != "connect-src"):
                continue
            message = f"{name} has {directive} {sources!r}, by which the client can't {purpose}; expected 'self' there."
            hint = (
                "Pages then neither warn nor hide their content at the end. A nonce will do for script and stylesheet: "
                f"they carry the request's. See {DOCUMENTATION}/pages.md#content-security-policy"
            )
            yield Warning(message, hint=hint, id="idlewatch.W037")


def _allows(sources: Collection[str], *, has_nonce: bool) -> bool:
    """Return whether sources may allow the site's own files; a URL among them may be theirs."""
    if has_nonce and any(source.startswith(NONCES) for source in sources):
        return True
    if "'strict-dynamic'" in sources:
        return False
    return any(not source.startswith((*KEYWORDS, *NONCES)) for source in sources)


def _texts(sources: object) -> Collection[str]:
    if isinstance(sources, list | tuple | set | frozenset):
        return [str(source) for source in sources]
    return str(sources).split()


def _is_own(netloc: str) -> bool:
    hosts = [str(host) for host in settings.ALLOWED_HOSTS if host != "*"]
    return validate_host(split_domain_port(netloc.lower())[0], hosts)
