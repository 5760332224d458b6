"""`manage.py idlewatch doctor`: it tries an installed site, and says what is wrong with it."""
