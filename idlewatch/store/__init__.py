"""The stores, which hold the facts of every watched session: a contract, and a module or package for each store."""
