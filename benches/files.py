"""Uploads against the disk and the digests; downloads against nginx."""

import os
import socket
import subprocess
import time
import urllib.parse

import signing
from ground import CLIENT_CORE, KEY, PLACE, SERVER_CORE, Otaru, end, free_port, paired, pinned, reference, wait_until

GIB = 1 << 30
RANGE_BYTES = 64 << 10


def big_file():
    path = PLACE / "big.bin"
    if not path.exists() or path.stat().st_size != GIB:
        with open(path, "wb") as file:
            block = os.urandom(1 << 20)
            for number in range(GIB >> 20):
                file.write(number.to_bytes(8, "big") + block[8:])
    return path


def push(otaru, path, version):
    """The upload alone, by our own API; the package it makes."""
    name, port = otaru.host.rsplit(":", 1)
    target = f"/packages/push?product=METER&version={version}&file_name=big.bin"
    head = signing.own("POST", target, otaru.host, KEY).replace(
        b"Content-Length: 0", f"Content-Length: {path.stat().st_size}".encode())
    began = time.monotonic()
    with socket.create_connection((name, int(port))) as connection, open(path, "rb") as file:
        connection.sendall(head)
        connection.sendfile(file)
        answer = connection.recv(65536)
    took = time.monotonic() - began
    if not answer.startswith(b"HTTP/1.1 201"):
        raise SystemExit(f"the upload was refused: {answer[:500]}")
    return took


def uploads(report, data):
    path = big_file()
    with Otaru(data, core="0,1") as otaru:
        if otaru.call("GET", "/products?limit=1")["total"] == 0:
            otaru.call("POST", "/products", {"name": "meter", "code": "METER"})

        def ours(round):
            # Each round's bytes are new, or they would be there already.
            with open(path, "r+b") as file:
                file.write(os.urandom(16))
            os.sync()
            return GIB / push(otaru, path, f"u{time.time_ns()}") / 1e6

        def theirs(_):
            copy = PLACE / "copy.bin"
            os.sync()
            copied = reference("copy", path, copy)
            copy.unlink()
            hashed = reference("hash", path)
            report.note(f"copy with sync {copied:.2f} s, both digests {hashed:.2f} s")
            return GIB / max(copied, hashed) / 1e6

        ours, theirs = paired(ours, theirs)
        report.ratio("upload of 1 GiB with all digests and sync, against the slower of copy and hashing", ours, theirs, "MB/s", 0.7)


def nginx(folder, nopush, certificate):
    port, tls_port = free_port(), free_port()
    (folder / "nginx").mkdir(exist_ok=True)
    tls = f"listen 127.0.0.1:{tls_port} ssl; ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};"
    (folder / "nginx.conf").write_text(f"""
        daemon off; worker_processes 1; pid {folder}/nginx/pid; error_log {folder}/nginx/error.log;
        user {"root" if os.geteuid() == 0 else "nobody"};
        events {{ worker_connections 4096; }}
        http {{ access_log off; sendfile on; tcp_nopush {nopush}; keepalive_requests 1000000000;
            ssl_protocols TLSv1.3; open_file_cache max=100;
            client_body_temp_path {folder}/nginx/b; proxy_temp_path {folder}/nginx/p; fastcgi_temp_path {folder}/nginx/f;
            uwsgi_temp_path {folder}/nginx/u; scgi_temp_path {folder}/nginx/s;
            server {{ listen 127.0.0.1:{port}; {tls} root {folder}/served; }} }}""")
    process = subprocess.Popen(pinned(SERVER_CORE, "nginx", "-p", folder, "-c", folder / "nginx.conf"))
    wait_until("nginx", lambda: listens(port), 10)
    return process, f"127.0.0.1:{port}", f"127.0.0.1:{tls_port}"


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def fetch(address, target, headers=(), tls=False, seconds=4, connections=4):
    """GETs in a loop from the other core; bytes and requests a second."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s"]
    for name, value in headers:
        command += ["-H", f"{name}: {value}"]
    url = f"{'https' if tls else 'http'}://{address}{target}"
    told = subprocess.run(pinned(CLIENT_CORE, *command, url), check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in told:
        raise SystemExit(told)
    line = next(line for line in told.splitlines() if " requests in " in line)
    words = line.replace(",", "").split()
    unit = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
    number = "".join(letter for letter in words[4] if letter.isdigit() or letter == ".")
    bytes_read = float(number) * unit[words[4][len(number):]]
    took = float(words[3].rstrip("s")) if words[3].endswith("s") and not words[3].endswith("ms") else seconds
    return bytes_read / took, float(words[0]) / took


def downloads(report, data, seconds):
    path = big_file()
    with Otaru(data, "--self-signed", "--https", "127.0.0.1:0", "--listen-max-requests-per-peer", "100000") as otaru:
        if otaru.call("GET", "/products?limit=1")["total"] == 0:
            otaru.call("POST", "/products", {"name": "meter", "code": "METER"})
        push(otaru, path, f"d{time.time_ns()}")
        package = otaru.call("GET", "/packages?limit=1")["items"][0]["id"]
        link = otaru.call("POST", f"/packages/{package}/link")["files"][0]["url"]
        parts = urllib.parse.urlsplit(link)
        target = f"{parts.path}?{parts.query}"
        served = PLACE / "served"
        served.mkdir(exist_ok=True)
        if not (served / "big.bin").exists():
            os.link(path, served / "big.bin")
        certificate = (data / "tls/cert.pem", data / "tls/key.pem")
        a_range = [("Range", f"bytes=1000000-{1000000 + RANGE_BYTES - 1}")]
        https = otaru.doors["https"]
        cases = [
            ("download of 1 GiB", [], False, 4, 0, "MB/s", 1.0),
            ("64 KiB ranges of 1 GiB", a_range, False, 16, 1, "requests/s", 0.5),
            ("download of 1 GiB, TLS", [], True, 4, 0, "MB/s", 1.0),
            ("64 KiB ranges of 1 GiB, TLS", a_range, True, 16, 1, "requests/s", 1.0),
        ]
        for title, headers, tls, connections, which, unit, bar in cases:
            best = {}
            scale = 1e6 if unit == "MB/s" else 1
            for nopush in ("off", "on"):
                process, plain, secure = nginx(PLACE, nopush, certificate)
                try:
                    best[nopush] = paired(
                        lambda _: fetch(https if tls else otaru.host, target, headers, tls, seconds, connections)[which] / scale,
                        lambda _: fetch(secure if tls else plain, "/big.bin", headers, tls, seconds, connections)[which] / scale)
                finally:
                    end(process)
            better = max(best, key=lambda nopush: best[nopush][1])
            report.ratio(f"{title}, against nginx with sendfile, tcp_nopush {better}", *best[better], unit, bar)
        readers(report, otaru, target)


def readers(report, otaru, target):
    """Memory that each of many slow readers takes: they ask for the whole file and read little of it."""
    name, port = otaru.host.rsplit(":", 1)
    before = otaru.memory_mb()
    open_readers = []
    for number in range(1_000):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((name, int(port)))
        connection.sendall(signing.raw("GET", target, otaru.host))
        connection.recv(1024)
        open_readers.append(connection)
        if number + 1 in (100, 1_000):
            time.sleep(2)
            each = (otaru.memory_mb() - before) * 1024 / (number + 1)
            report.below(f"memory of each of {number + 1} readers of 1 GiB", each, "KiB", 512)
    for connection in open_readers:
        connection.close()
