"""A cluster on one machine, without containers: PostgreSQL, an S3 server that is not ours, equal copies of Otaru that share
both, and nginx in front of them."""

import base64
import contextlib
import importlib.machinery
import importlib.util
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUCKET = "otaru"
# moto takes any key pair; a real store would not.
BLOBS_KEY = {"OTARU_BLOBS_ACCESS_KEY_ID": "AKOFTHEBUCKET", "OTARU_BLOBS_ACCESS_KEY_SECRET": "the bucket's secret"}

# The judges of tests/clients start a PostgreSQL in the same way.
_loader = importlib.machinery.SourceFileLoader("clients_judge", str(ROOT / "tests/clients/judge"))
_judge = importlib.util.module_from_spec(importlib.util.spec_from_loader("clients_judge", _loader))
_loader.exec_module(_judge)

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def wait_for(url, method="GET", within_s=60, process=None):
    """Asks until the answer is a good one."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return DIRECT.open(urllib.request.Request(url, method=method), timeout=5).read()
        except (urllib.error.URLError, OSError) as error:
            if process is not None and process.poll() is not None:
                raise SystemExit(f"{process.args[0]} ended with {process.returncode}") from error
            if time.monotonic() > deadline:
                raise SystemExit(f"{url} does not answer: {error}") from error
            time.sleep(0.1)


def end(process, number=signal.SIGTERM, within_s=15):
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


@contextlib.contextmanager
def s3(folder):
    """The S3 server with an empty bucket; its address."""
    program = ROOT / "target/cluster/venv/bin/moto_server"
    if not program.exists():
        raise SystemExit("the S3 server is missing: run tests/cluster/setup")
    port = free_port()
    log = open(folder / "s3.log", "w")
    process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/{BUCKET}", "PUT", process=process)
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)


def start_copy(number, folder, environment, public_url, objects_url, copies):
    """One copy of the server, once it is ready."""
    data = folder / f"copy-{number}"
    data.mkdir(exist_ok=True)
    binary = os.environ.get("OTARU_BINARY", ROOT / "target/debug/otaru")
    # Its ports stay the same when it is started again: nginx knows them.
    ports = [(data / name).read_text() if (data / name).exists() else str(free_port()) for name in ("http", "objects")]
    for name, port in zip(("http", "objects"), ports):
        (data / name).write_text(port)
    command = [binary, "serve", "--data", data, "--http", f"127.0.0.1:{ports[0]}", "--objects", f"127.0.0.1:{ports[1]}"]
    command += ["--public-url", public_url, "--objects-url", objects_url, "--copies", str(copies)]
    log = open(data / "log", "a")
    process = subprocess.Popen(command, cwd=data, env=dict(os.environ, **environment), stdout=log, stderr=log)
    wait_for(f"http://127.0.0.1:{ports[0]}/readyz", process=process)
    return SimpleNamespace(
        process=process,
        data=data,
        http=f"http://127.0.0.1:{ports[0]}",
        objects=f"http://127.0.0.1:{ports[1]}",
        log=data / "log",
    )


NGINX = """
daemon off;
error_log {folder}/nginx.log;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;

    # Packages stream through, up and down.
    client_max_body_size 0;
    proxy_request_buffering off;
    proxy_buffering off;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    # The clouds' signatures cover these.
    proxy_set_header Host $http_host;
    underscores_in_headers on;
    # A copy that is gone is passed by; a request that may have done something is not sent twice.
    proxy_next_upstream error timeout;
    proxy_connect_timeout 2s;

    upstream http_doors {{ {http_servers} keepalive 16; }}
    upstream object_doors {{ {object_servers} keepalive 16; }}
    server {{ listen 127.0.0.1:{http_port}; location / {{ proxy_pass http://http_doors; }} }}
    server {{ listen 127.0.0.1:{objects_port}; location / {{ proxy_pass http://object_doors; }} }}
}}
"""


def servers(urls):
    return " ".join(f"server {url.split('://')[1]} max_fails=1 fail_timeout=5s;" for url in urls)


@contextlib.contextmanager
def cluster(folder, copies=2):
    """Everything, started and at the end stopped; where it is."""
    with contextlib.ExitStack() as stack:
        shared = stack.enter_context(_judge.postgres(folder))
        store = stack.enter_context(s3(folder))
        http_port, objects_port = free_port(), free_port()
        town = SimpleNamespace(
            http=f"http://127.0.0.1:{http_port}",
            objects=f"http://127.0.0.1:{objects_port}",
            postgres=shared["OTARU_STORE"],
            s3=store,
            bucket=f"s3://{BUCKET}/blobs?endpoint={store}&region=us-east-1",
            access_key="AKIDOFTHECLUSTER00001",
            secret_key=base64.b64encode(os.urandom(24)).decode(),
            copies=[],
        )
        town.environment = {
            **shared,
            **BLOBS_KEY,
            "OTARU_BLOBS": town.bucket,
            "OTARU_ACCESS_KEY_ID": town.access_key,
            "OTARU_ACCESS_KEY_SECRET": town.secret_key,
        }

        def start(**options):
            """One more copy, which nginx does not know if it comes later."""
            environment = {**town.environment, **options}
            one = start_copy(len(town.copies), folder, environment, town.http, town.objects, copies)
            town.copies.append(one)
            return one

        town.start = start
        stack.callback(lambda: [end(one.process) for one in town.copies])
        for _ in range(copies):
            town.start()
        text = NGINX.format(
            folder=folder,
            http_port=http_port,
            objects_port=objects_port,
            http_servers=servers(one.http for one in town.copies),
            object_servers=servers(one.objects for one in town.copies),
        )
        (folder / "nginx.conf").write_text(text)
        nginx = "/usr/sbin/nginx" if os.path.exists("/usr/sbin/nginx") else "nginx"
        front = subprocess.Popen([nginx, "-c", folder / "nginx.conf", "-e", folder / "nginx.log"])
        stack.callback(end, front, signal.SIGQUIT)
        wait_for(town.http + "/readyz", process=front)
        yield town
