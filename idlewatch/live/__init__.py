"""The server side of the live page.

`consumer` is the socket of an open page, `query` what it asks for, `subscriber` what it shows, `authorization` whether
it may stay open. `reader` reads the results of all queries (`readings`) once a second: `search` finds the sessions
(`candidates` narrows them down, `search_cache` keeps what was expensive), `rows` makes table rows of them, `summary`
counts. `frames` encodes all that and its changes.
"""
