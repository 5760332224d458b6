"""The use cases of a watched session, and the records, accounts and fallbacks that they stand on."""
