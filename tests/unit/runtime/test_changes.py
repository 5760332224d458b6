"""Changes, in the form in which processes send them to each other."""

from __future__ import annotations

import json

from idlewatch.runtime.changes import Change, change_from, changes_in, message_of

CHANGE = Change("w1", '{"phase": "warned"}', ended=False, shown=("warned", "idle", True))


def test_a_change_comes_through_a_message_as_it_was():
    changes = [CHANGE, Change("w1", '{"phase": "ended"}', ended=True, shown=("ended", None, False))]
    message = json.loads(json.dumps(message_of("p1", changes, 0.0)))
    assert [change_from(each) for each in message["changes"]] == changes


def test_a_change_that_another_version_made_keeps_no_other_of_its_message_from_the_tabs():
    unknown = ["w2", "{}", False, ["a new phase", None, True]]
    known = message_of("another", [CHANGE], 0.0)["changes"]
    assert changes_in([unknown, *known]) == [CHANGE]
