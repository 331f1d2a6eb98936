"""The servers that are killed, and a look at their storage that does not go through them."""

import base64
import contextlib
import hashlib
import os
import pathlib
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cluster"))

import cluster  # noqa: E402

from door import Door, Refused  # noqa: E402
from ledger import Wrong  # noqa: E402

PAIR = ("AKIDOFTHEKILLED000001", "the secret of the servers that are killed")
REFERENCED = "SELECT sha256 FROM package_blobs UNION SELECT sha256 FROM objects UNION SELECT sha256 FROM uploads"


class Town:
    """Copies of the server that are started again after they were killed."""

    def __init__(self, folder, copies, environment, housekeeping):
        self.folder, self.number_of_copies = folder, copies
        self.environment = {
            "OTARU_ACCESS_KEY_ID": PAIR[0],
            "OTARU_ACCESS_KEY_SECRET": PAIR[1],
            "OTARU_LOG_REQUESTS": "failed",
            **{f"OTARU_HOUSEKEEPING_{name.upper()}_S": str(seconds) for name, seconds in housekeeping.items()},
            **environment,
        }
        self.copies = [None] * copies
        for number in range(copies):
            self.start(number)

    def start(self, number):
        self.copies[number] = cluster.start_copy(
            number, self.folder, self.environment, "http://127.0.0.1:1", "http://127.0.0.1:2", self.number_of_copies
        )

    def kill(self, number):
        process = self.copies[number].process
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self):
        for copy in self.copies:
            if copy is not None:
                cluster.end(copy.process)

    def doors(self):
        """Their addresses stay the same when a copy is started again."""
        return [Door(copy.http, copy.objects, PAIR) for copy in self.copies]

    def log(self):
        return "".join(copy.log.read_text() for copy in self.copies)

    def collected(self):
        """How many blobs the collectors say they took."""
        return sum(int(number) for number in re.findall(r"\bblobs=(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", self.log())))

    def settle(self, patience_s):
        """Waits until the collectors have taken all they should, and fails if they take more or less; how many blobs stay."""
        deadline = time.monotonic() + patience_s
        while True:
            referenced, (blobs, other) = self.referenced(), self.stored()
            missing = referenced - blobs
            if missing:
                raise Wrong(f"{len(missing)} blobs are on record and not in storage: {sorted(missing)[:5]}")
            if blobs == referenced and not other:
                return len(blobs)
            if time.monotonic() > deadline:
                raise Wrong(f"in storage and of no use: {sorted(blobs - referenced)[:5]} {other[:5]}")
            time.sleep(1)


class OnSqlite(Town):
    def __init__(self, folder, housekeeping, environment=None):
        super().__init__(folder, 1, environment or {}, housekeeping)
        self.data = self.copies[0].data

    def referenced(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.data}/otaru.db?mode=ro", uri=True)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return {row[0].hex() for row in database.execute(REFERENCED) if row[0] is not None}

    def stored(self):
        """Digests of the blobs, and everything else that lies there. A blob whose bytes are others is something else."""
        blobs, other = set(), []
        for path in sorted((self.data / "blobs").rglob("*")):
            if path.is_dir():
                continue
            name = path.relative_to(self.data / "blobs")
            try:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
            except FileNotFoundError:
                # The collector was quicker.
                continue
            if digest == path.name and name.parts == ("objects", digest[:2], digest[2:4], digest):
                blobs.add(digest)
            else:
                other.append(str(name))
        return blobs, other


class OnPostgresAndS3(Town):
    def __init__(self, folder, housekeeping, shared, s3):
        self.store = shared["OTARU_STORE"]
        pair = (cluster.BLOBS_KEY["OTARU_BLOBS_ACCESS_KEY_ID"], cluster.BLOBS_KEY["OTARU_BLOBS_ACCESS_KEY_SECRET"])
        self.bucket = Door("", s3, pair)
        bucket = f"s3://{cluster.BUCKET}/blobs?endpoint={s3}&region=us-east-1"
        super().__init__(folder, 2, {**shared, **cluster.BLOBS_KEY, "OTARU_BLOBS": bucket}, housekeeping)

    def referenced(self):
        sql = f"SELECT encode(sha256, 'hex') FROM ({REFERENCED}) AS all_of_them WHERE sha256 IS NOT NULL"
        done = subprocess.run(["psql", self.store, "-Atc", sql], check=True, capture_output=True, text=True)
        return set(done.stdout.split())

    def keys(self):
        keys, token = [], ""
        while True:
            query = "list-type=2&prefix=blobs%2F" + (f"&continuation-token={urllib.parse.quote(token, safe='')}" if token else "")
            text = self.bucket.object("GET", cluster.BUCKET, query=query)[1].decode()
            keys += re.findall(r"<Key>([^<]*)</Key>", text)
            more = re.search(r"<NextContinuationToken>([^<]*)<", text)
            if not more:
                return keys
            token = more[1]

    def stored(self):
        blobs, other = set(), []
        for key in self.keys():
            name = re.fullmatch(r"blobs/objects/(..)/(\1[0-9a-f]{62})/[0-9a-f]{12}-\w+", key)
            # A blob of two objects was stored twice, and the older of them is in nobody's way, but not for ever.
            if name and name[2] not in blobs:
                try:
                    content = self.bucket.object("GET", cluster.BUCKET, key)[1]
                except Refused as refused:
                    if refused.status == 404:
                        continue
                    raise
                if hashlib.sha256(content).hexdigest() == name[2]:
                    blobs.add(name[2])
                    continue
            other.append(key)
        return blobs, other


@contextlib.contextmanager
def open_town(folder, on_postgres, housekeeping):
    with contextlib.ExitStack() as stack:
        if on_postgres:
            shared = stack.enter_context(cluster._judge.postgres(folder))
            town = OnPostgresAndS3(folder, housekeeping, shared, stack.enter_context(cluster.s3(folder)))
        else:
            town = OnSqlite(folder, housekeeping)
        stack.callback(town.stop)
        yield town
