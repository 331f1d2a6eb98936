"""What keeps the server busy while it is killed: workers that upload, create, overwrite, delete and read, each on its own."""

import itertools
import random
import threading
import time
import urllib.parse

from door import Cut, Refused, Unreachable
from ledger import Wrong, sha256

TUS = {"Tus_Resumable": "1.0.0"}
PIECE = "application/offset+octet-stream"
PRODUCT = "kill-meter"
# A few contents come again and again, so that bytes are used anew that a collector is about to take.
POOL = [random.Random(number).randbytes(size) for number, size in enumerate([1, 300, 70_000, 70_001, 400_000, 1_500_000])]


# How many packages a worker keeps.
MOST_PACKAGES = 12


class Worker:
    def __init__(self, number, ledger, doors, seed):
        self.name = f"w{number}"
        self.ledger, self.doors = ledger, doors
        self.chance = random.Random(f"{seed}-{number}")
        self.bucket = f"kill-{number}"
        self.numbers = itertools.count()
        # What it asks of the server at this moment, when that changes something.
        self.flight = None
        self.stopping = threading.Event()
        self.thread = None
        self.wrong = None
        self.done, self.cut, self.refused = {}, {}, {}

    def start(self):
        self.stopping.clear()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def stop(self):
        """Lets the request that is under way come to its end."""
        self.stopping.set()
        self.thread.join()

    def work(self):
        moves = [self.push, self.push, self.upload_then_create, self.pieces, self.put, self.put, self.parts,
                 self.create_of_object, self.remove_object, self.remove, self.remove, self.read]
        while not self.stopping.is_set():
            too_many = self.ledger.count_packages(self.name + "-") > MOST_PACKAGES
            move = self.remove if too_many else self.chance.choice(moves)
            self.flight = move.__name__
            try:
                move(self.chance.choice(self.doors))
                self.count(self.done)
            except Unreachable:
                time.sleep(0.05)
            except Cut:
                self.count(self.cut)
            except Refused as refused:
                self.count(self.refused)
                # A server that works refuses nothing of this; one without room says so.
                # A request that was signed, or an upload that began, just before the clock was set is too old.
                is_late = refused.status == 410 or b"RequestTimeTooSkewed" in refused.body
                if refused.status not in (404, 409, 500, 503, 507) and not is_late:
                    self.wrong = self.wrong or Wrong(f"{move.__name__}: {refused}")
            except Exception as error:  # noqa: BLE001 - the run reports it
                self.wrong = self.wrong or error
            finally:
                self.flight = None

    def count(self, what):
        what[self.flight] = what.get(self.flight, 0) + 1

    def content(self):
        if self.chance.random() < 0.5:
            return self.chance.choice(POOL)
        return self.chance.randbytes(int(10 ** self.chance.uniform(0, 6.3)))

    def version(self):
        return f"{self.name}-{next(self.numbers)}"

    def create(self, version, digest, ask):
        """A package is there once that is answered, and not there once it is refused."""
        self.ledger.intend_package(version, digest)
        try:
            made = ask()
        except Refused as refused:
            # After an error of ours nobody knows.
            if refused.status < 500:
                self.ledger.refused_package(version)
            raise
        if made["files"][0]["sha256"] != digest:
            raise Wrong(f"package {version} was made of {made['files'][0]['sha256']}, not of {digest}")
        self.ledger.made_package(version, digest, made["id"])

    def push(self, door):
        content, version = self.content(), self.version()
        query = urllib.parse.urlencode({"product": PRODUCT, "version": version, "file_name": "a.bin"})
        self.create(version, sha256(content), lambda: door.api("POST", f"/packages/push?{query}", content))

    def package_of(self, door, version, file):
        body = {"product": PRODUCT, "version": version, "files": [file]}
        return door.api("POST", "/packages", body)

    def upload_then_create(self, door):
        content, version = self.content(), self.version()
        upload = door.api("POST", "/uploads?file_name=a.bin", content)
        if upload["sha256"] != sha256(content):
            raise Wrong(f"an upload of {sha256(content)} became {upload}")
        self.create(version, sha256(content), lambda: self.package_of(door, version, {"upload": upload["id"]}))

    def pieces(self, door):
        content, version = self.content() + b"!", self.version()
        made = door.api("POST", "/uploads?file_name=a.bin", raw=True, Upload_Length=str(len(content)), **TUS)
        name = made["location"].rsplit("/", 1)[1]
        # The ledger finishes what is cut here after the restart.
        self.ledger.uploads[name] = (content, 0)
        at = 0
        while at < len(content):
            end = min(len(content), at + self.chance.randint(1, len(content)))
            door.api("PATCH", f"/uploads/{name}", content[at:end], Upload_Offset=str(at), Content_Type=PIECE, **TUS)
            at = end
            self.ledger.uploads[name] = (content, at)
        del self.ledger.uploads[name]
        self.create(version, sha256(content), lambda: self.package_of(door, version, {"upload": name}))

    def place(self):
        return self.bucket, f"firmware/{self.chance.randrange(4)}.bin"

    def put(self, door):
        place, content = self.place(), self.content()
        self.ledger.object_may_be(place, sha256(content))
        door.object("PUT", *place, body=content)
        self.ledger.object_is(place, sha256(content))

    def parts(self, door):
        place, content = self.place(), self.content()
        _, text = door.object("POST", *place, query="uploads")
        upload = text.decode().split("<UploadId>")[1].split("<")[0]
        given, _ = door.object("PUT", *place, body=content, query=f"partNumber=1&uploadId={upload}")
        listed = f"<Part><PartNumber>1</PartNumber><ETag>{given['etag']}</ETag></Part>"
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        self.ledger.object_may_be(place, sha256(content))
        _, text = door.object("POST", *place, body=body, query=f"uploadId={upload}")
        # S3 tells a late failure in the body of a good answer.
        if b"<Error>" in text:
            raise Refused(500, text)
        self.ledger.object_is(place, sha256(content))

    def create_of_object(self, door):
        place, version = self.place(), self.version()
        digests = self.ledger.objects.get(place, {None})
        if len(digests) == 1 and None not in digests:
            file = {"object": {"bucket": place[0], "key": place[1]}}
            self.create(version, next(iter(digests)), lambda: self.package_of(door, version, file))

    def remove_object(self, door):
        place = self.place()
        self.ledger.object_may_be(place, None)
        door.object("DELETE", *place)
        self.ledger.object_is(place, None)

    def remove(self, door):
        version = self.ledger.pick_package(self.name + "-", self.chance)
        if version is not None:
            package = self.ledger.there[version][1]
            self.ledger.intend_deletion(version)
            door.api("DELETE", f"/packages/{package}")
            self.ledger.deleted_package(version)

    def read(self, door):
        door.api("GET", "/packages?limit=20")
        version = self.ledger.pick_package(self.name + "-", self.chance)
        if version is not None:
            self.ledger.check_package(door, version, *self.ledger.there[version])
