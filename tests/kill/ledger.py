"""What the server acknowledged, and what of it is there.

Each worker writes down what it is about to do, and what was answered. What was answered is certain; what was cut may have
happened or not, but wholly one or the other."""

import hashlib
import random
import threading

from door import Refused


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class Wrong(AssertionError):
    """The server broke a promise."""


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        # version -> (digest, id or None): packages that must be there, that may be, and that must not be.
        self.there, self.maybe, self.gone = {}, {}, set()
        # (bucket, key) -> digests that the object may have; None is for no object.
        self.objects = {}
        # upload id -> (content, bytes that were acknowledged)
        self.uploads = {}
        self.recent = set()
        self.contents = {}
        self.acknowledged = 0

    def intend_package(self, version, digest):
        with self.lock:
            self.maybe[version] = (digest, None)

    def made_package(self, version, digest, package):
        with self.lock:
            self.maybe.pop(version, None)
            self.there[version] = (digest, package)
            self.recent.add(version)
            self.acknowledged += 1

    def refused_package(self, version):
        with self.lock:
            self.maybe.pop(version, None)
            self.gone.add(version)

    def intend_deletion(self, version):
        with self.lock:
            self.maybe[version] = self.there.pop(version)

    def deleted_package(self, version):
        with self.lock:
            self.maybe.pop(version, None)
            self.gone.add(version)
            self.acknowledged += 1

    def pick_package(self, mine, chance):
        """A package that is certainly there and of this worker."""
        with self.lock:
            own = [version for version in self.there if version.startswith(mine)]
            return chance.choice(own) if own else None

    def count_packages(self, mine):
        with self.lock:
            return sum(version.startswith(mine) for version in self.there)

    def object_may_be(self, place, digest):
        with self.lock:
            self.objects[place] = self.objects.get(place, {None}) | {digest}

    def object_is(self, place, digest):
        with self.lock:
            self.objects[place] = {digest}
            self.acknowledged += 1

    def check(self, door, thorough, chance=random, sample=8):
        """Holds the ledger against the server, and learns what became of what was cut."""
        listed = door.packages()
        by_version = {}
        for package in listed.values():
            if by_version.setdefault(package["version"], package) is not package:
                raise Wrong(f"two packages of the version {package['version']}")
        for version in list(self.maybe):
            digest, _ = self.maybe.pop(version)
            if version in by_version:
                self.there[version] = (digest, by_version[version]["id"])
                self.recent.add(version)
            else:
                self.gone.add(version)
        for version, (digest, known) in self.there.items():
            package = by_version.get(version)
            if package is None:
                raise Wrong(f"package {version} ({known}) was acknowledged and is not listed")
            if known not in (None, package["id"]):
                raise Wrong(f"package {version} was {known} and is {package['id']}")
        for version in by_version.keys() - self.there.keys():
            what = "was deleted" if version in self.gone else "nobody made"
            raise Wrong(f"package {version}, which {what}, is listed")
        older = sorted(self.there.keys() - self.recent)
        wanted = older if thorough else chance.sample(older, min(sample, len(older)))
        for version in [*wanted, *sorted(self.recent & self.there.keys())]:
            self.check_package(door, version, *self.there[version])
        self.recent.clear()
        self.check_objects(door)
        self.check_uploads(door)

    def check_package(self, door, version, digest, known):
        shown = door.api("GET", f"/packages/{known or self.there[version][1]}")
        file = shown["files"][0]
        if file["sha256"] != digest or shown["integrity"] != "ready":
            raise Wrong(f"package {version} is of {file['sha256']} ({shown['integrity']}), not of {digest}")
        verified = door.api("POST", f"/packages/{shown['id']}/verify")
        if not verified["is_intact"]:
            raise Wrong(f"package {version}: {verified['files']}")
        link = door.api("POST", f"/packages/{shown['id']}/link")["files"][0]
        content = door.download(link["url"])
        if sha256(content) != digest or len(content) != file["size_bytes"]:
            raise Wrong(f"package {version}: {len(content)} other bytes came than were uploaded")

    def check_objects(self, door):
        for place, digests in self.objects.items():
            try:
                digest = sha256(door.object("GET", *place)[1])
            except Refused as refused:
                if refused.status != 404:
                    raise
                digest = None
            if digest not in digests:
                raise Wrong(f"object {place} is {digest}, not one of {digests}")
            self.objects[place] = {digest}

    def check_uploads(self, door):
        """What was acknowledged of an upload in pieces is there, and it can be brought to its end."""
        for name, (content, acknowledged) in list(self.uploads.items()):
            tus = {"Tus_Resumable": "1.0.0"}
            offset = int(door.api("HEAD", f"/uploads/{name}", raw=True, **tus)["upload-offset"])
            if not acknowledged <= offset <= len(content):
                raise Wrong(f"upload {name}: {acknowledged} bytes were acknowledged, {offset} of {len(content)} are there")
            if offset < len(content):
                headers = {"Upload_Offset": str(offset), "Content_Type": "application/offset+octet-stream", **tus}
                door.api("PATCH", f"/uploads/{name}", content[offset:], **headers)
            shown = door.api("GET", f"/uploads/{name}")
            if not shown["is_complete"] or shown["sha256"] != sha256(content):
                raise Wrong(f"upload {name} was resumed at {offset} and is {shown}")
            door.api("DELETE", f"/uploads/{name}")
            del self.uploads[name]
