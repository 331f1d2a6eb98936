"""A PostgreSQL of a run's own, for judges and benchmarks."""

import contextlib
import glob
import os
import shutil
import socket
import subprocess


def program(name):
    programs = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    if not programs:
        raise SystemExit("PostgreSQL's programs are missing: install the package `postgresql`, or run ./setup")
    return programs[-1]


@contextlib.contextmanager
def running(place, settings="", stop="immediate"):
    """Runs on what the folder holds, or on an empty database server in a new one; its URL without a database."""
    # It refuses to run as root.
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []

    def run(name, *arguments):
        command = [*as_user, program(name), *map(str, arguments)]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)

    place.mkdir(parents=True, exist_ok=True)
    if as_user:
        shutil.chown(place, "postgres")
        for folder in place.resolve().parents:
            if not os.stat(folder).st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o001)
    if not (place / "data/PG_VERSION").exists():
        run("initdb", "-D", place / "data", "-A", "trust", "-U", "otaru", "-E", "UTF8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = f"-p {port} -k {place} -c listen_addresses=127.0.0.1 {settings}"
    run("pg_ctl", "-D", place / "data", "-o", options, "-l", place / "log", "-w", "start")
    try:
        yield f"postgres://otaru@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "-D", place / "data", "-m", stop, "stop")


def database(url, name):
    """The URL of a database on it, made if it is not there."""
    port = url.rsplit(":", 1)[1]
    subprocess.run([program("createdb"), "-h", "127.0.0.1", "-p", port, "-U", "otaru", name], stderr=subprocess.DEVNULL)
    return f"{url}/{name}"
