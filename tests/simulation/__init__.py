"""A deterministic simulation: the product under a virtual clock, a seeded scheduler, and injected faults.

`make simulate` runs many schedules; `__main__` has the options. What runs is the product itself. What it stands on is
replaced, each at one place: the event loop and its clock (`loop`), threads (`threads`), the connections to the database
(`database`) and to Redis (`redis_link`), the channel layer (`channel_layer`), and chance (`bench`).
"""
