from __future__ import annotations

import json

from idlewatch.hub import Change
from idlewatch.listener import change_from, message_of


def test_a_change_comes_through_a_message_as_it_was():
    changes = [
        Change("w1", '{"phase": "warned"}', ended=False, shown=("warned", "idle", True)),
        Change("w1", '{"phase": "ended"}', ended=True, shown=("ended", None, False)),
    ]
    message = json.loads(json.dumps(message_of(changes)))
    assert [change_from(each) for each in message["changes"]] == changes
