"""One `daybook serve` under measurement: filled in bulk, killed, started again."""

import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BINARY = os.path.join(ROOT, ".build", "release", "daybook")
GIGABYTE = 1_000_000_000
BATCH = 4_000


class Failure(Exception):
    """What the user is told; the command ends with 1."""


def new_id(source):
    return source.randbytes(16).hex()


def events(source, first, ids=None):
    """NDJSON of events like those of the scripts: about 430 bytes each, ids at random unless given."""
    lines = []
    for number in range(first, first + BATCH):
        unique_id = ids[number - first] if ids else new_id(source)
        lines.append(json.dumps({
            "unique_id": unique_id, "script_name": f"Nightly export {number % 40}",
            "host_name": f"fms{number % 12:02}.example.com", "file_name": "Orders.fmp12",
            "start_time": "2026-03-01T02:00:00Z", "stop_time": "2026-03-01T02:00:09Z",
            "notes": [source.randbytes(75).hex()], "updated_in": "planoorder",
        }))
    return ("\n".join(lines) + "\n").encode()


class Node:
    """One `daybook serve` on a directory."""

    def __init__(self, directory, port):
        self.directory = directory
        self.port = port
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [BINARY, "serve", "--data", self.directory, "--listen", f"127.0.0.1:{self.port}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def found(self):
        """Starts on an empty directory, and returns the size of the first event."""
        self.start()
        first = events(random.Random(0), 0).split(b"\n")[0] + b"\n"
        until = time.monotonic() + 30
        while not os.path.exists(os.path.join(self.directory, "admin-token")):
            if time.monotonic() > until:
                raise Failure("the node does not start")
            time.sleep(0.01)
        self.until_acknowledged(first, 30)
        return len(first)

    def kill(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def token(self):
        with open(os.path.join(self.directory, "admin-token"), encoding="utf-8") as file:
            return file.read().strip()

    def post(self, body, connection=None):
        own = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        own.request("POST", "/v1/events", body, {
            "Authorization": f"Bearer {self.token()}", "Content-Type": "application/x-ndjson"})
        answer = own.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise Failure(f"the node answers {answer.status}: {text[:200]!r}")
        return text.splitlines()

    def until_acknowledged(self, body, seconds):
        """Posts the event until it is acknowledged."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if json.loads(self.post(body)[0])["code"] == 200:
                    return
            except (OSError, http.client.HTTPException, Failure, KeyError):
                if time.monotonic() > deadline:
                    raise Failure(f"no event is taken within {seconds} s") from None
            time.sleep(0.002)

    def anonymous_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
        raise Failure("the process has no memory")

    def stored_bytes(self):
        data = os.path.join(self.directory, "node")
        sizes = {}
        for name in os.listdir(data):
            try:
                sizes[name] = os.stat(os.path.join(data, name)).st_size
            except FileNotFoundError:
                continue
        return (sum(size for name, size in sizes.items() if name.endswith(".segment")),
                sum(sizes.values()))


def fill(node, source, gigabytes, filled, batch=events):
    """Appends what `batch` makes until the segments have that size; returns events and their own
    bytes."""
    count, own_bytes = filled
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=60)
    while node.stored_bytes()[0] < gigabytes * GIGABYTE:
        body = batch(source, count)
        lines = node.post(body, connection)
        if any(b'"code":200' not in line.replace(b" ", b"") for line in lines):
            raise Failure("an event was not recorded")
        count += BATCH
        own_bytes += len(body) - BATCH
        if sys.stderr.isatty():
            print(f"\r{node.stored_bytes()[0] / GIGABYTE:.1f} of {gigabytes} GB", end="",
                  file=sys.stderr)
    connection.close()
    return count, own_bytes


def check_room(directory, gigabytes):
    """Refuses to begin without the program, or without half as much room again."""
    needed = gigabytes * 1.5 * GIGABYTE
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise Failure(f"{needed / GIGABYTE:.0f} GB are needed, {free / GIGABYTE:.0f} are free")
    if not os.path.exists(BINARY):
        raise Failure("build it first: tools/build")
