"""Where the facts of every watched session live: a contract, and one module for each store."""
