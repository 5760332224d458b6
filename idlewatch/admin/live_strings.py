"""The strings of the live page's script, and their plural forms in the active language."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

PLURAL_PERIOD = 200
"""Numbers for which the page gets the plural form. From a hundred on, the last two digits decide."""

STRINGS: dict[str, str | Promise] = {
    "active": _("Active"),
    "warned": _("Warned"),
    # Translators: {reason} is why the session is about to end, such as “inactivity”.
    "warned_for": _("Warned: {reason}"),
    # Translators: of a session; what stands where the time until its end would.
    "never": _("never"),
    # Translators: work that needs no input holds the session open, and has given no label of its own.
    "held": _("Held"),
    # Translators: beside the operator's own name.
    "you": _("you"),
    "impersonator": _("impersonated by"),
    "gone": _("Ended"),
    "left": _("No longer on this page"),
    "present": _("This is your current session."),
    # Translators: {user} is a name, {started} a time.
    "select": _("Select the session of {user}, started {started}"),
    "record": _("Record of the session of {user}, started {started}"),
    "lost": _("The connection to the server was lost at {time}. Trying again…"),
    "unavailable": _("The server can’t read the sessions right now. This page shows them as of {time}."),
    "empty": _("No one is signed in right now."),
    "no_match": _("No live session matches."),
    "bounded": _("Too many sessions match to search all of them. Narrow the search or the filter."),
    # Translators: numbers of pages.
    "page": _("Page {page} of {pages}"),
    "all_unknown": _("Select all matching sessions"),
    # Translators: {total} is a number of sessions.
    "at_least": _("At least {total}"),
    "all_selected": _("All matching sessions are selected."),
    # Translators: {most} is a number of sessions.
    "most": _("At most {most} can be selected one by one."),
    "chart": _(
        # Translators: the numbers stand for sessions.
        "The last hour. Active: {active} now, {most_active} at most. Warned: {warned} now, {most_warned} at most. "
        "Ended: {ended}."
    ),
    "chart_empty": _("No data yet. The first numbers appear within half a minute."),
    "chart_ended": _("Ended per minute"),
    # Translators: of the sessions that an operator is about to act on; {user} is a name.
    "one_user": _("This affects one user: {user}."),
    "blank": _("Enter a message."),
    "characters": _("{count} of {limit} characters"),
    # Translators: how far an action is: 120 of 10,000.
    "progress": _("{done} of {total}"),
    # Translators: headings over how far an action is, and over what it has done.
    "title_ending": _("Ending…"),
    "title_sending": _("Sending…"),
    "title_done": _("Done"),
    "title_stopped": _("Stopped"),
    "title_unfinished": _("Not finished"),
    "stopping": _("Stopping…"),
    "stopped": _("Stopped."),
    "reached": _("The message reached {reached} of {open} open tabs."),
    "unreachable": _("The server can’t be reached."),
    "refused": _("The server refused the request. Reload the page."),
    "nothing": _("None of these sessions is live any longer."),
    "nothing_but_own": _("Only your own sessions are selected, and they are excluded."),
}
"""The strings of the script; the template has the others."""

PLURALS: dict[str, tuple[str, str] | Any] = {
    "changes": ngettext_lazy("{n} change, show", "{n} changes, show", "n"),
    "selected": ngettext_lazy("{n} session selected", "{n} sessions selected", "n"),
    "all": ngettext_lazy("Select the {n} matching session", "Select all {n} matching sessions", "n"),
    "total": ngettext_lazy("{n} session", "{n} sessions", "n"),
    "end": ngettext_lazy("End {n} session?", "End {n} sessions?", "n"),
    "notice": ngettext_lazy("Send a message to {n} session?", "Send a message to {n} sessions?", "n"),
    # Translators: of the sessions that an operator is about to act on.
    "users": ngettext_lazy("This affects {n} user.", "This affects {n} users.", "n"),
    "own": ngettext_lazy("{n} of your own sessions is excluded.", "{n} of your own sessions are excluded.", "n"),
    "ended": ngettext_lazy("{n} session ended.", "{n} sessions ended.", "n"),
    "own_left": ngettext_lazy("{n} of your own sessions was excluded.", "{n} of your own sessions were excluded.", "n"),
}
"""Sentences with a number, in the plural forms of the language."""


@lru_cache(maxsize=32)
def plurals(_language: str) -> Mapping[str, Mapping[str, object]]:
    """Return the forms of each sentence, and which belongs to each number: the rules stay in the catalogue."""
    return {name: _forms(sentence) for name, sentence in PLURALS.items()}


def _forms(sentence: Any) -> dict[str, object]:  # noqa: ANN401 - Django's lazy strings have no type of their own
    texts = [str(sentence % {"n": number}) for number in range(PLURAL_PERIOD)]
    forms = list(dict.fromkeys(texts))
    return {"forms": forms, "which": "".join(str(forms.index(each)) for each in texts)}
