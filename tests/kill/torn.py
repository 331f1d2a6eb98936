"""What a power cut may leave of SQLite's files beside what was synced, and worse."""

import contextlib
import shutil
import sqlite3
import subprocess

import cluster
from ledger import Wrong


def tear_and_start(town, ledger, chance):
    """Kills the server, tears what was never acknowledged, and starts it: everything acknowledged has to be there. Then tears what
    was acknowledged, in a copy of the folder: that may be lost, but the rest has to be one whole."""
    town.kill(0)
    wal, index = town.data / "otaru.db-wal", town.data / "otaru.db-shm"
    whole = wal.read_bytes() if wal.exists() else b""
    for damage in damages(whole, chance):
        # Frames behind the last commit, as a write leaves them that a power cut stopped.
        wal.write_bytes(whole + damage)
        spoil(index, chance)
        town.start(0)
        ledger.check(town.doors()[0], thorough=False, chance=chance)
        town.kill(0)
        whole = wal.read_bytes() if wal.exists() else b""
    lose_acknowledged(town, ledger, wal, chance)
    town.start(0)


def damages(whole, chance):
    page = 4096 + 24
    # A frame that looks right up to its checksum, half a frame, and noise.
    last = whole[-page:] if len(whole) > page else b""
    flipped = bytearray(last)
    if flipped:
        flipped[chance.randrange(24, len(flipped))] ^= 0x40
    return [bytes(flipped), last[: chance.randrange(1, page)], chance.randbytes(chance.randrange(1, 3 * page))]


def spoil(index, chance):
    """The index of the log is nothing that lasts: it may be gone, cut, or nonsense."""
    if not index.exists():
        return
    how = chance.randrange(3)
    if how == 0:
        index.unlink()
    elif how == 1:
        index.write_bytes(index.read_bytes()[: chance.randrange(1, 32768)])
    else:
        index.write_bytes(chance.randbytes(32768))


def lose_acknowledged(town, ledger, wal, chance):
    """A disk that lies about syncing: the last frames are torn. No promise is left but one: what is there is whole."""
    other = town.folder / "torn"
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(town.data, other)
    torn = other / wal.name
    content = torn.read_bytes() if torn.exists() else b""
    if len(content) > 3 * 4120:
        torn.write_bytes(content[: len(content) - chance.randrange(1, 3 * 4120)])
    spoil(other / "otaru.db-shm", chance)
    with contextlib.closing(sqlite3.connect(other / "otaru.db")) as database:
        if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise Wrong("a torn log leaves a damaged database")
        if database.execute("PRAGMA foreign_key_check").fetchall():
            raise Wrong("a torn log leaves records that refer to nothing")
        packages = database.execute("SELECT count(*) FROM packages").fetchone()[0]
        halves = database.execute("SELECT count(*) FROM packages WHERE id NOT IN (SELECT package_id FROM package_blobs)").fetchone()
        if halves[0]:
            raise Wrong(f"{halves[0]} packages without their files after a torn log")
    binary = cluster.os.environ.get("OTARU_BINARY", cluster.ROOT / "target/debug/otaru")
    command = [binary, "serve", "--data", other, "--http", "127.0.0.1:0", "--objects", "127.0.0.1:0"]
    log = (other / "torn.log").open("w")
    process = subprocess.Popen(command, cwd=other, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        line = next((line for line in process.stdout if line.startswith("ready ")), None)
        if line is None:
            raise Wrong("a server with a torn log does not start:\n" + (other / "torn.log").read_text())
        address = dict(word.split("=", 1) for word in line.split()[1:])["http"]
        listed = type(town.doors()[0])(f"http://{address}", "", town.doors()[0].pair).packages()
        if len(listed) != packages:
            raise Wrong(f"{packages} packages are on record after a torn log, {len(listed)} are listed")
    finally:
        cluster.end(process)
    shutil.rmtree(other)
