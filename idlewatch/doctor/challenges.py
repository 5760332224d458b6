"""Challenges: how one is sent to a site, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from idlewatch.doctor.clients.http_client import Answer, HttpClient, NoAnswer
from idlewatch.http.challenge import HEADER, is_answer, make_challenge, nonce_of
from idlewatch.monitor import session_cache
from idlewatch.ops.self_report import SelfReport
from idlewatch.process import now


class Answered(NamedTuple):
    """What came of one challenge."""

    report: SelfReport | None
    """None: no process with the site's key answered."""
    came: str
    """What came, in a phrase."""
    headers: Mapping[str, str]
    clock_ahead: float = 0.0
    """Seconds, at least, by which the clock of the process that answered is ahead of the doctor's."""
    answer: Answer | None = None
    """None: nothing answered at all."""

    def __repr__(self) -> str:
        return f"<Answered by {None if self.report is None else self.report.process}>"


def send_challenge(client: HttpClient, path: str, headers: Mapping[str, str] | None = None) -> Answered:
    """Send a challenge to the path at which a site answers them, with further headers; return what came."""
    challenge = make_challenge(now())
    nonce = nonce_of(challenge)
    session_cache.put(nonce)
    sent = {**(headers or {}), HEADER: challenge, "Accept": "application/json"}
    asked_at = now()
    try:
        # The query is another each time, for caches that keep what they should not.
        answer = client.request(f"{path}?{nonce}", headers=sent)
    except NoAnswer as error:
        return Answered(None, str(error), {})
    found, answered_at = dict(answer.headers.items()), now()
    proof = answer.headers.get(HEADER, "")
    if not is_answer(proof, challenge, answer.body):
        came = answer.summary if not proof else f"{answer.summary}, the answer to another challenge"
        return Answered(None, came, found, answer=answer)
    try:
        report = msgspec.json.decode(answer.body, type=SelfReport)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Answered(None, f"{answer.summary}, the report of another version of idlewatch", found, answer=answer)
    return Answered(report, answer.summary, found, ahead(report.now, asked_at, answered_at), answer)


def ahead(there: float, asked_at: float, answered_at: float) -> float:
    """Return by how many seconds, at least, a clock is ahead that was read between two moments of this one.

    >>> ahead(7.0, 2.0, 4.0), ahead(3.5, 2.0, 4.0), ahead(0.0, 2.0, 4.0)
    (3.0, 0.0, -2.0)
    """
    return there - min(max(there, asked_at), answered_at)
