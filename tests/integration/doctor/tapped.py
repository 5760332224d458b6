"""The command `manage.py idlewatch doctor`, which also writes each secret that it sends or gets into a file.

`python -m tests.integration.doctor.tapped FILE OPTIONS`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import execute_from_command_line

MIN_LENGTH = 8


def main(path: Path, options: list[str]) -> None:
    """Run the doctor, with everything logged that can be logged."""
    settings.LOGGING["root"]["level"] = "DEBUG"
    django.setup()
    from idlewatch.doctor.clients import browsing, http_client, socket_client
    from idlewatch.doctor.pages import html
    from idlewatch.monitor import probes

    secrets = {str(settings.SECRET_KEY)}
    request, write, connect = http_client.HttpClient.request, probes._write, socket_client.open_socket
    config_in = html.Client.config.fget

    def note_request(self: Any, *args: Any, **given: Any) -> http_client.Answer:
        answer = request(self, *args, **given)
        secrets.update((given.get("cookies") or {}).values())
        secrets.update(morsel.value for morsel in browsing.cookies_set_by(answer).values())
        secrets.update(value for name, value in (given.get("headers") or {}).items() if "csrf" in name.lower())
        return answer

    def note_session(probe: probes.Probe, now: float) -> None:
        write(probe, now)
        secrets.add(str(probe.session.session_key))
        secrets.add(str(probe.session.get("_auth_user_hash")))

    def note_socket(*args: Any, **given: Any) -> Any:
        secrets.update((given.get("cookies") or {}).values())
        return connect(*args, **given)

    def note_config(client: html.Client) -> Any:
        config = config_in(client)  # type: ignore[misc]
        secrets.update(str(config[name]) for name in ("csrf", "token") if config)
        return config

    http_client.HttpClient.request = note_request  # type: ignore[method-assign]
    probes._write = note_session
    socket_client.open_socket = note_socket
    sys.modules["idlewatch.doctor.site"].open_socket = note_socket  # type: ignore[attr-defined]
    html.Client.config = property(note_config)  # type: ignore[method-assign, assignment]
    try:
        execute_from_command_line(["manage.py", "idlewatch", "doctor", *options])
    finally:
        path.write_text(json.dumps(sorted(each for each in secrets if len(each) >= MIN_LENGTH)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
