"""The live page's server: what operators are shown of the sessions that live, and how it is kept up to date.

`query` is what a page asks for; `finding` tells which sessions that is, and asks store and database (`database`) for
them; `searches` remembers what was dear to find; `rows` makes lines of them; `moment` is what all pages show alike;
`frames` says it all, and what changed. `reader` does it once a second for all operators of a process,
`viewer` is what one of them was told, `rights` whether they may watch, `consumer` their socket.
"""
