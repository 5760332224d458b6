"""A real MariaDB: on a free port, in a directory of its own, without time zone tables."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.serving import ServerProcess, find_program

USER = "mysql"


def program(name: str) -> str:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    return find_program(name, remedy="run scripts/ensure-servers mariadb-server", path=path)


class MariaServer(ServerProcess):
    def __init__(self) -> None:
        # Not below pytest's directory, which is root's alone.
        self.directory = Path(tempfile.mkdtemp(prefix="idlewatch-mariadb-"))
        super().__init__(self.directory / "mariadb.log")

    def start(self) -> None:
        data = self.directory / "data"
        where = ["--no-defaults", f"--datadir={data}"]
        if os.geteuid() == 0:
            shutil.chown(self.directory, USER, USER)
            where.append(f"--user={USER}")
        install = [program("mariadb-install-db"), *where, "--auth-root-authentication-method=normal"]
        subprocess.run(install, check=True, capture_output=True)
        quick = ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--innodb-buffer-pool-size=32M"]
        address = [f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.directory}/socket"]
        self.launch([program("mariadbd"), *where, *address, *quick])

    def remove(self) -> None:
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)


@contextmanager
def database() -> Iterator[str]:
    """Run a MariaDB with an empty database; return its port."""
    import pymysql

    server = MariaServer()
    try:
        server.start()
        with pymysql.connect(host="127.0.0.1", port=server.port, user="root") as connection:
            connection.cursor().execute("CREATE DATABASE site CHARACTER SET utf8mb4")
        yield str(server.port)
    finally:
        server.remove()
