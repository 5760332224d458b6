"""Django's own WSGI server with threads, at the port that is given."""

from __future__ import annotations

import sys

from django.core.servers.basehttp import run

from project.wsgi import application

if __name__ == "__main__":
    run("127.0.0.1", int(sys.argv[1]), application, threading=True)
