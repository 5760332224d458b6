"""A deterministic simulation: the product under a virtual clock, a seeded scheduler, and injected faults.

`make simulate` runs many schedules; `__main__` has the options, `runs` the run. A `World` plays one story: `stories`
draws it from a seed, with the actions and faults of `events`.

What runs is the product itself. What it stands on is replaced, each at one place: the event loop and its clock
(`loop`), threads (`threads`), the connections to the database (`database`) and to Redis (`redis_link`,
`redis_connections`), the channel layer (`channel_layer`), and chance (`bench`). Around it are `servers` with the views
of `site`, and people: `browsers` with `tabs` and `sockets`, and `operators`. `Seen` has what they were shown, and
compares it with the invariants; `Calm` compares more of it until the first fault, and `Convergence` looks whether all
is well once the faults are over.

To add

- an action: a method of `Browser`, a weight in `events.ACTIONS`, its arguments in `stories`. It notes in `Seen` what
  its user did and was shown.
- a fault: a function of `faults`, a weight in a table of `events`. Where the store loses data, or cannot be reached,
  it notes that in `Seen.losses` or `Seen.outages`; what it does to a message is an incident of `events`.
- a rule: a method of `Seen.check` for what was seen of one session, of `Calm` for what holds only where nothing has
  gone wrong, of `Convergence` for what holds once all faults are over. It is about what users, tabs, records and
  receivers saw, never about how the product works; a mutant shows that it notices.
- a mutant: an entry of `mutants`; `MUTANTS=name` searches for the seed, which becomes a part of the entry.
- a story in which an invariant was broken: an entry of `found`, as the run prints it once it is shrunk. It fails
  before the mend; `FOUND=seed` tells it in full.

A new action or fault changes what each seed means: stories of `found` stay as they are, mutants need their seeds
again.
"""
