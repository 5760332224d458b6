"""What a proxy in front of a right site does wrong."""

from __future__ import annotations

from idlewatch.doctor.findings import Trial
from tests.integration.doctor.breakage import EVERYTHING_WITH_A_SESSION, Breakage

UPGRADE = """\
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_upgrade;
"""
PROTO = "proxy_set_header X-Forwarded-Proto $scheme;\n"
FORWARDED_FOR = "proxy_set_header X-Forwarded-For $remote_addr;"
HOST = "proxy_set_header Host $http_host;"
FROM_ELSEWHERE = f"{FORWARDED_FOR} proxy_bind 127.0.0.2;"
"""A proxy on another machine than the visitor: its address is another."""
PASS = "location / {\n    proxy_pass http://idlewatch;"
CACHE = """\
proxy_cache_path pages keys_zone=pages:1m;

"""
LISTEN = "server {\n    listen 443 ssl;"
CACHED = """\
location {place} {{
    proxy_cache pages;
    proxy_cache_key $uri;
    proxy_cache_valid 200 1m;
    proxy_ignore_headers Cache-Control Expires Set-Cookie Vary;
    proxy_pass http://idlewatch;
}}
"""
OTHER_CACHE_CONTROL = """\
location / {
    proxy_hide_header Cache-Control;
    add_header Cache-Control "public, max-age=600";
    proxy_pass http://idlewatch;"""
NO_SCRIPTS = """\
location / {
    add_header Content-Security-Policy "script-src 'none'";
    proxy_pass http://idlewatch;"""

BREAKAGES = [
    Breakage(name="a proxy without upgrade", nginx={UPGRADE: ""}, faults={Trial.HANDSHAKE: "Upgrade"}),
    Breakage(
        name="a proxy that cuts idle sockets",
        nginx={"proxy_read_timeout 120s;": "proxy_read_timeout 3s;"},
        options=("--idle", "6"),
        faults={Trial.IDLE_SOCKET: "timeout"},
    ),
    Breakage(
        name="a proxy that tells no scheme, and redirects",
        nginx={PROTO: ""},
        faults={Trial.SCHEME: "X-Forwarded-Proto"},
    ),
    Breakage(
        name="a forwarded scheme that is not believed",
        settings=lambda _: {"SECURE_PROXY_SSL_HEADER": None, "SECURE_SSL_REDIRECT": False},
        web={" --proxy-headers": ""},
        faults={Trial.SCHEME: "SECURE_PROXY_SSL_HEADER"},
        consequences=frozenset({Trial.FALLBACK}),
    ),
    Breakage(name="a proxy that does not pass the host on", nginx={HOST: ""}, faults={Trial.HOST: "Host $http_host"}),
    Breakage(
        name="a proxy that does not pass the host on, and every host is allowed that it names",
        nginx={HOST: ""},
        environ={"ALLOWED_HOSTS": "localhost,127.0.0.1,idlewatch"},
        faults={Trial.HOST: "Host $http_host"},
    ),
    Breakage(
        name="a proxy that loses the port",
        nginx={HOST: "proxy_set_header Host $host;"},
        faults={Trial.HOST: "port"},
        consequences=frozenset({Trial.FALLBACK}),
    ),
    Breakage(
        name="a proxy that changes the origin",
        nginx={UPGRADE: UPGRADE + "proxy_set_header Origin http://idlewatch;\n"},
        faults={Trial.HANDSHAKE: "Origin"},
        consequences=frozenset({Trial.FALLBACK}),
    ),
    Breakage(
        name="a proxy that takes the origin away",
        nginx={UPGRADE: UPGRADE + 'proxy_set_header Origin "";\n'},
        faults={Trial.HANDSHAKE: "Origin"},
    ),
    Breakage(
        name="a proxy that keeps a user's page for all",
        nginx={LISTEN: CACHE + LISTEN, PASS: CACHED.format(place="= /") + PASS},
        faults={Trial.PAGE_CACHE: "cache"},
    ),
    Breakage(
        name="a proxy that keeps a visitor's way to the login page for all",
        nginx={
            LISTEN: CACHE + LISTEN,
            PASS: CACHED.format(place="= /").replace("valid 200", "valid 302").replace("$uri", "$request_uri") + PASS,
        },
        faults={Trial.PAGE_CACHE: "cache"},
    ),
    Breakage(
        name="a proxy that keeps all answers",
        nginx={LISTEN: CACHE + LISTEN, PASS + "\n}\n": CACHED.format(place="/")},
        faults={Trial.CHALLENGE: "cache"},
        consequences=EVERYTHING_WITH_A_SESSION,
    ),
    Breakage(
        name="a proxy that lets browsers keep pages",
        nginx={PASS: OTHER_CACHE_CONTROL},
        faults={Trial.CACHE_HEADERS: "public"},
    ),
    Breakage(
        name="a proxy whose policy blocks the script",
        nginx={PASS: NO_SCRIPTS},
        faults={Trial.POLICY_SCRIPT: "script-src 'none'"},
    ),
    Breakage(
        name="an address that is the proxy's",
        nginx={FORWARDED_FOR: FROM_ELSEWHERE},
        web={" --proxy-headers": ""},
        faults={Trial.CLIENT_ADDRESS: "CLIENT_IP"},
    ),
    Breakage(
        name="a forged address that is believed",
        nginx={FORWARDED_FOR: "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"},
        faults={Trial.FORGED_ADDRESS: "X-Forwarded-For"},
    ),
    Breakage(
        name="a proxy that passes only pages on",
        nginx={"location /ws/ {": "location /ws/ {\n    return 404;"},
        faults={Trial.HANDSHAKE: "404"},
    ),
    Breakage(
        name="static files that were not collected",
        nginx={"alias /srv/idlewatch/staticfiles/;": "alias /srv/idlewatch/staticfiles/none/;"},
        faults={Trial.SCRIPT: "404", Trial.STYLESHEET: "404"},
    ),
    Breakage(
        name="a script that is served as text",
        nginx={"expires max;": "types { } default_type text/plain; expires max;"},
        faults={Trial.SCRIPT: "text/plain", Trial.STYLESHEET: "text/plain"},
    ),
]
