"""What only a real server shows: Daphne as a process of its own, and clients that are not Django's."""
