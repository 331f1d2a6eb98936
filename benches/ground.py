"""What the benchmarks stand on: servers on loopback with their data on a disk, and tools that load them."""

import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import time

import signing

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "tests/support"))

from postgres import database, running  # noqa: E402, F401

PROGRAMS = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
PLACE = pathlib.Path(os.environ.get("OTARU_BENCH_DATA", ROOT / "target/bench"))
# The server has one core and everything else the other, so that a ratio of rates is a ratio of costs.
SERVER_CORE, CLIENT_CORE = "0", "1"
KEY = ("AKIDBENCHMARKS00000001", "sk-Benchmarks-Secret-000000000000001")


def pinned(core, *command):
    return ["taskset", "-c", core, *map(str, command)]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def end(process, number=signal.SIGTERM):
    process.send_signal(number)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Otaru:
    """A server of its own in a data folder, by default on SQLite and the file system."""

    def __init__(self, data, *options, store=None, core=SERVER_CORE):
        data.mkdir(parents=True, exist_ok=True)
        environment = dict(os.environ, OTARU_ACCESS_KEY_ID=KEY[0], OTARU_ACCESS_KEY_SECRET=KEY[1])
        if store:
            environment |= {"OTARU_STORE": store, "OTARU_MASTER_KEY": "b3RhcnUgYmVuY2htYXJrcyBtYXN0ZXIga2V5IDMyYnk="}
        limits = ["--oceanconnect-calls-per-minute", "4000000000", "--aliyun-max-packages", "4000000000",
                  "--aliyun-qps", "ListOTAFirmware=4000000000,QueryOTAFirmware=4000000000",
                  # A line for each request would be measured against handlers that write none.
                  "--log-requests", "failed"]
        command = [PROGRAMS / "otaru", "serve", "--data", data, "--http", "127.0.0.1:0", "--objects", "127.0.0.1:0"]
        self.log = open(data / "server.log", "a")
        self.process = subprocess.Popen(
            pinned(core, *command, *limits, *options), env=environment, cwd=data, text=True,
            stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            raise SystemExit(f"the server did not get ready; see {data}/server.log")
        self.doors = dict(word.split("=", 1) for word in line.split()[1:])
        self.host = self.doors["http"]

    def call(self, method, path, body=None):
        text = signing.as_json(body) if body is not None else b""
        status, answer = exchange(self.host, signing.own(method, path, self.host, KEY, text))
        if status >= 300:
            raise SystemExit(f"{method} {path}: {status} {answer[:500]}")
        return json.loads(answer) if answer else None

    def command(self, *arguments):
        environment = dict(os.environ, OTARU_SERVER=f"http://{self.host}",
                           OTARU_ACCESS_KEY_ID=KEY[0], OTARU_ACCESS_KEY_SECRET=KEY[1])
        return subprocess.run([PROGRAMS / "otaru", *map(str, arguments)], env=environment, check=True,
                              capture_output=True, text=True).stdout

    def memory_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self.log.close()


def exchange(host, request):
    """One request as it is, one answer: its status and its body."""
    name, port = host.rsplit(":", 1)
    with socket.create_connection((name, int(port)), timeout=60) as connection:
        connection.sendall(request)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read()


def postgres(place):
    """A PostgreSQL of the benchmarks' own, syncing to disk as it does by default; its URL without a database."""
    return running(place, "-c shared_buffers=512MB -c max_wal_size=4GB", stop="fast")


def wrk(host, requests, seconds, connections=32):
    """Loads a server with prepared requests; what came of it. Any refusal ends the run: it would be measured as speed."""
    command = pinned(CLIENT_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", HERE / "requests.lua",
                     f"http://{host}/", "--", requests)
    # wrk hands the script what follows the URL.
    command.remove("--")
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    outcome = json.loads(told.strip().splitlines()[-1])
    if outcome["refused"] or outcome["broken"]:
        raise SystemExit(f"requests were refused: {outcome}")
    outcome["rate"] = outcome["requests"] / outcome["seconds"]
    return outcome


@contextlib.contextmanager
def handler(statement, holding, parameters, body_bytes, sqlite=None, postgres_url=None):
    """The bare handler; its address."""
    where = ["--sqlite", sqlite] if sqlite else ["--postgres", postgres_url]
    command = [PROGRAMS / "otaru-reference", "handler", *where, "--name", statement, "--holding", holding,
               "--parameters", json.dumps(parameters), "--bytes", body_bytes]
    process = subprocess.Popen(pinned(SERVER_CORE, *command), stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()[1]
    finally:
        end(process)


def reference(*arguments, core=None):
    """What a reference run tells: a number."""
    command = [PROGRAMS / "otaru-reference", *map(str, arguments)]
    told = subprocess.run(pinned(core, *command) if core else command, check=True, capture_output=True, text=True)
    return float(told.stdout)


def paired(ours, theirs, rounds=3):
    """Both, alternating, so that neither has the quieter machine: the medians, ours first."""
    pairs = [(ours(round), theirs(round)) for round in range(rounds)]
    return tuple(statistics.median(side) for side in zip(*pairs))


def wait_until(what, holds, within_s):
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {within_s} s")
        time.sleep(1)
