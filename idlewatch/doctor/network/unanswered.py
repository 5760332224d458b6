"""Why a site has not answered a challenge that is signed with its key."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.http.request import validate_host
from django.urls import NoReverseMatch, reverse

from idlewatch.doctor.address import Address
from idlewatch.doctor.challenges import Answered
from idlewatch.doctor.clients.http_client import Answer, NoAnswer, shown
from idlewatch.doctor.findings import Trial
from idlewatch.doctor.network.forwarding import NGINX_HOST, NGINX_SCHEME, SSL_HEADER
from idlewatch.doctor.site import Site
from idlewatch.http.challenge import CHALLENGE_VALIDITY, HEADER
from idlewatch.http.login_views import REDIRECTS
from idlewatch.process import now

HTTPS = (
    "It redirects to the address that was asked for, because it takes the request for plain http: have the proxy send "
    f"X-Forwarded-Proto ({NGINX_SCHEME}), and set {SSL_HEADER}."
)
PUBLIC = "the site answers at its public address alone; give that by --url"


class Cause(NamedTuple):
    """Why a challenge was not answered."""

    trial: Trial
    """The trial to which the fault belongs."""
    hint: str
    is_fault: bool = True
    """Whether something is wrong with the site; a right one may answer at its public address alone."""

    def __repr__(self) -> str:
        return f"<Cause {self.trial}>"


def why_unanswered(site: Site, failed: Answered) -> Cause:
    """Return what is likely wrong where a challenge was not answered, and the remedy."""
    answer = failed.answer
    if site.diagnosis_path is None:
        return Cause(Trial.CHECKS, "Include it in ROOT_URLCONF: path('idlewatch/', include('idlewatch.urls')).")
    if answer is not None and answer.status in REDIRECTS:
        return _redirected(site.address, answer)
    if answer is not None and answer.status == 400:
        return _bad_host(site.address)
    return Cause(Trial.CHALLENGE, _nothing(failed.came) if answer is None else _other(site, answer))


def _other(site: Site, answer: Answer) -> str:
    if HEADER in answer.headers:
        return (
            "A cache on the way keeps answers that it must not (Cache-Control: no-store), or a proxy changes them: "
            "exclude the site's pages and idlewatch's URLs from the cache of the proxy or CDN."
        )
    match answer.status:
        case 404:
            return _not_found(site, answer)
        case 401 | 403:
            return (
                "Something in front of idlewatch asks for a sign-in or refuses requests: exempt idlewatch's URLs there."
            )
        case 429:
            return "Something limits how many requests a client may send: exempt this machine there for the run."
        case 502 | 503 | 504:
            return "The proxy does not reach the server, or the server is not ready: see the logs of both."
        case status if status >= 500:
            return "The site failed: see its log."
    return "Another site, a catch-all page or a cache answers there: give the address that users visit with --url."


def _nothing(came: str) -> str:
    if "certificate" in came:
        return (
            "Browsers refuse it, too. Renew it, or have the server send the whole chain; for an issuer of your own, "
            "have this machine trust it (SSL_CERT_FILE)."
        )
    if "TLS" in came:
        return "Give the address that users visit, beginning with http:// or https://, with --url."
    return "Start the site, or give the address that users visit with --url."


def _redirected(address: Address, answer: Answer) -> Cause:
    target = urljoin(answer.url, answer.headers.get("Location", ""))
    if target == answer.url:
        return Cause(Trial.SCHEME if address.scheme == "https" else Trial.CHALLENGE, HTTPS)
    parts = urlsplit(target)
    if address.has(target):
        hint = (
            "A middleware or the proxy sends requests without a session elsewhere, to a login page for example: exempt "
            "idlewatch's URLs; those that need a session ask for one themselves."
        )
    elif address.is_loopback and parts.scheme == "https":
        return Cause(Trial.CHALLENGE, PUBLIC, is_fault=False)
    elif parts.hostname == urlsplit(address.origin).hostname and parts.scheme == "https":
        hint = f"The site uses https: give that address, --url {shown(urljoin(target, '/'))}."
    else:
        hint = (
            "The site has another address: give the one to which it redirects with --url. If that is where users "
            "sign in before they get to the site, exempt idlewatch's URLs there."
        )
    return Cause(Trial.CHALLENGE, hint)


def _bad_host(address: Address) -> Cause:
    refused = "Django refuses hosts that ALLOWED_HOSTS lacks"
    if validate_host(address.host, settings.ALLOWED_HOSTS):
        passed_on = f"{refused}, and it has {address.host!r}: the proxy passes on another Host header; {NGINX_HOST}"
        return Cause(Trial.HOST, passed_on)
    if address.is_loopback:
        return Cause(Trial.CHALLENGE, PUBLIC, is_fault=False)
    return Cause(Trial.CHALLENGE, f"{refused}: add {address.host!r}, or give another address with --url.")


def _not_found(site: Site, answer: Answer) -> str:
    skew = _skew(answer)
    if abs(skew) > CHALLENGE_VALIDITY:
        return f"The clock there differs from this one by {skew:+.0f} s: set both by NTP. Challenges last for a minute."
    if _has_idlewatch(site):
        return (
            "idlewatch is there, and does not accept the challenge: it runs with another SECRET_KEY than this command, "
            "or an older version of idlewatch. Run the command with the site's environment, and restart the site."
        )
    return (
        "No idlewatch is there: another site answers, or the running code lacks include('idlewatch.urls'), or the site "
        "lies below a path that --url has to name, or at another port."
    )


def _skew(answer: Answer) -> float:
    """Return how many seconds the clock of a site is ahead of this one's; 0 where it does not show that."""
    try:
        shows = parsedate_to_datetime(answer.headers.get("Date", ""))
        return shows.replace(tzinfo=shows.tzinfo or UTC).timestamp() - now()
    except (ValueError, OverflowError):
        return 0.0


def _has_idlewatch(site: Site) -> bool:
    try:
        answer = site.request(site.path_to(reverse("idlewatch:state")))
    except (NoAnswer, NoReverseMatch):
        return False
    return answer.headers.get_content_type() == "application/json" and b'"idle_timeout"' in answer.body
