"""A real PostgreSQL server for tests: its own folder, a free loopback port, gone at the end."""

from __future__ import annotations

import importlib.util
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smcdesk.store import engine

USER = "smclab"
_numbers = itertools.count()
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
full_page_writes = off
max_connections = 40
lc_messages = 'C'
"""


def programs() -> Path | None:
    "The folder of initdb and pg_ctl: Debian's newest, else on the PATH."
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]))
    found = debian[-1] if debian else shutil.which("initdb")
    return Path(found).parent if found else None


def missing() -> str:
    "Why there can be no server here; empty when there can."
    if programs() is None:
        return "PostgreSQL's server is not installed: apt-get install postgresql"
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed: pip install 'smclab[postgres]'"
    return "" if os.geteuid() != 0 or _owner() else "root cannot run PostgreSQL, and there is no other user to run it"


def _owner() -> pwd.struct_passwd | None:
    "Whom root runs the server as."
    accounts = {p.pw_name: p for p in pwd.getpwall()}
    return accounts.get("postgres") or accounts.get("nobody")


def _free_port() -> int:
    "A loopback port nobody listens on at this moment."
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextmanager
def server() -> Iterator[str]:  # URL of its database `postgres`
    "A running server; whoever connects from this machine is trusted, nobody else can."
    home = Path(tempfile.mkdtemp(prefix="smclab-pg-"))
    who = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        owner = _owner()
        os.chown(home, owner.pw_uid, owner.pw_gid)
        who = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}

    def run(program: str, *words: str) -> None:
        log = home / f"{program}.txt"  # a file: the server would keep a pipe open
        with log.open("w") as out:
            done = subprocess.run(
                [programs() / program, "-D", home / "data", *words],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=home, timeout=120,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "Asia/Kathmandu"}, **who,
            )  # fmt: skip
        if done.returncode:
            server_log = home / "server.txt"
            output = log.read_text() + (server_log.read_text() if server_log.exists() else "")
            raise RuntimeError(f"{program} failed:\n{output}")

    def start() -> int:
        port = _free_port()
        run("pg_ctl", "-w", "-t", "60", "-l", str(home / "server.txt"), "-o", f"-p {port}", "start")
        return port

    try:
        run("initdb", "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync")
        with (home / "data" / "postgresql.conf").open("a") as conf:
            conf.write(SETTINGS)
        try:
            port = start()
        except RuntimeError:  # somebody took the port in between
            port = start()
        try:
            yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def new_schema(url: str) -> str:
    "The server's database, seen through an empty schema of its own: cheaper than a database for each test."
    name = f"store_{next(_numbers)}"
    with engine.writing(engine.engine(engine.checked(url))) as c:
        c.exec_driver_sql(f"CREATE SCHEMA {name}")
    return f"{url}?options=-csearch_path%3D{name}"
