"""Clients of a drill: they post, repeat, read back and follow, and note what they were told."""

import json
import random
import threading
import time
import urllib.parse

from history import Acknowledged, History, Read
from wire import CREATE, JSON_TYPE, Closed, Connection, bearer, event, json_lines

NDJSON = [("Content-Type", "application/x-ndjson")]
# The gateway answers within five seconds; the rest is for a busy machine.
PATIENCE_SECONDS = 9
BULK_EVENTS = 40
WRITERS = 3


class Clients:
    """Threads that load the cluster until they are told to stop, each with its own connection."""

    def __init__(self, ports, token, seed, bulk_notes):
        """`bulk_notes`: bytes in the notes of each event that is posted in bulk."""
        self.bulk_notes = bulk_notes
        self.ports = ports
        self.token = token
        self.history = History()
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.retries = 0
        bodies = [(self.write, f"writer-{number}") for number in range(WRITERS)]
        bodies += [(self.write_bulk, "bulk"), (self.read, "reader"), (self.follow, "follower")]
        self.threads = [
            threading.Thread(target=self.run, args=(body, name, seed), daemon=True)
            for body, name in bodies]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)
            if thread.is_alive():
                raise AssertionError("a client does not end")

    def count(self):
        with self.lock:
            return len(self.history.acknowledged)

    def served_since(self, moment):
        """Whether an event that was sent after the moment is acknowledged."""
        with self.lock:
            return any(told.begun > moment for told in self.history.acknowledged[-300:])

    def run(self, body, name, seed):
        try:
            body(Line(self.ports, random.Random(f"{seed} {name}")), name)
        except AssertionError as failure:
            self.fail(f"{name}: {failure}")

    def fail(self, words):
        with self.lock:
            self.history.errors.append(words)

    def again(self, seconds=0.02):
        with self.lock:
            self.retries += 1
        self.stopping.wait(seconds)

    # Writing

    def make(self, unique_id, chance, notes=None):
        """An event whose content is its own, its notes of about so many bytes."""
        if notes is None:
            notes = chance.choice([0, 10, 200, 2000])
        made = event(unique_id, script_name=f"Script {chance.randint(1, 9)}",
                     notes=[unique_id, "x" * notes])
        with self.lock:
            self.history.sent[unique_id] = made
        return made

    def note(self, posted, receipt, begun, ended, repeats=False):
        told = Acknowledged(posted["unique_id"], receipt["sequence"], begun, ended)
        with self.lock:
            kept = self.history.repeated if repeats else self.history.acknowledged
            kept.append(told)

    def write(self, line, name):
        """Posts event after event, the same again until it is acknowledged, and some once more."""
        number, last = 0, None
        while not self.stopping.is_set():
            if last is not None and line.chance.random() < 0.05:
                self.post(line, last, repeats=True)
            number += 1
            posted = self.make(f"{name}-{number}", line.chance)
            self.post(line, posted)
            last = posted

    def post(self, line, posted, repeats=False):
        begun = time.monotonic()
        body = json.dumps({**posted, "token": self.token}).encode()
        while not self.stopping.is_set():
            answer = line.ask("POST", CREATE, body, JSON_TYPE)
            if answer is None or answer.status == 503:
                self.again()
                continue
            if answer.status != 200:
                return self.fail(f"{posted['unique_id']}: {answer.status} {answer.body[:300]!r}")
            receipt = answer.json["data"]
            if repeats and not receipt["duplicate"]:
                self.fail(f"{posted['unique_id']} was appended again as {receipt['sequence']}")
            return self.note(posted, receipt, begun, time.monotonic(), repeats)

    def write_bulk(self, line, name):
        """Posts many events in one request; those that were not taken again."""
        number, waiting = 0, []
        while not self.stopping.is_set():
            while len(waiting) < BULK_EVENTS:
                number += 1
                posted = self.make(f"{name}-{number}", line.chance, self.bulk_notes)
                waiting.append((posted, time.monotonic()))
            body = json_lines(posted for posted, _ in waiting)
            answer = line.ask("POST", "/v1/events", body, bearer(self.token) + NDJSON)
            ended = time.monotonic()
            if answer is None or answer.status == 503:
                self.again()
                continue
            if answer.status != 200 or len(answer.lines) != len(waiting):
                return self.fail(f"bulk: {answer.status} {answer.body[:300]!r}")
            left = []
            for (posted, begun), told in zip(waiting, answer.lines):
                if told["code"] == 200:
                    self.note(posted, told["data"], begun, ended)
                elif told["code"] == 503:
                    left.append((posted, begun))
                else:
                    self.fail(f"{posted['unique_id']}: {told}")
            waiting = left
            self.stopping.wait(0.01)
        return None

    # Reading

    def read(self, line, _):
        """Reads what was acknowledged, mostly what was acknowledged last."""
        while not self.stopping.is_set():
            with self.lock:
                known = self.history.acknowledged
                place = -1 if line.chance.random() < 0.7 else line.chance.randrange(-len(known), 0) \
                    if known else 0
                unique_id = known[place].unique_id if known else None
            if unique_id is None:
                self.stopping.wait(0.02)
                continue
            target = "/v1/events/" + urllib.parse.quote(unique_id)
            answer = line.ask("GET", target, b"", bearer(self.token))
            if answer is None or answer.status == 503:
                self.again()
            elif answer.status in (200, 404):
                row = answer.json if answer.status == 200 else None
                with self.lock:
                    self.history.reads.append(Read(unique_id, row))
                self.stopping.wait(0.005)
            else:
                self.fail(f"a read of {unique_id}: {answer.status} {answer.body[:300]!r}")

    def follow(self, line, _):
        """Follows the log from its beginning, and goes on where a stream breaks off."""
        while not self.stopping.is_set():
            begin = len(self.history.followed)
            target = f"/v1/events?follow=true&resource=all&from={begin}"
            status = line.begin("GET", target, bearer(self.token))
            rest = b""
            while status == 200 and not self.stopping.is_set():
                chunk = line.chunk()
                if not chunk:
                    break
                *rows, rest = (rest + chunk).split(b"\n")
                with self.lock:
                    self.history.followed += [json.loads(row) for row in rows if row]
            line.close()
            if status not in (200, 503, None):
                return self.fail(f"a followed replay: {status}")
            self.again(0.1)
        return None


class Line:
    """A connection to one gateway, and to the next one when it breaks."""

    def __init__(self, ports, chance):
        self.ports = ports
        self.chance = chance
        self.turn = chance.randrange(len(ports))
        self.connection = None

    def open(self):
        if self.connection is None:
            self.turn = (self.turn + 1) % len(self.ports)
            self.connection = Connection(self.ports[self.turn], timeout=PATIENCE_SECONDS)
        return self.connection

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def ask(self, method, target, body=b"", headers=()):
        """The answer; None when the connection is over before there is one."""
        try:
            return self.open().ask(method, target, body, headers)
        except (OSError, Closed):
            self.close()
            return None

    def begin(self, method, target, headers):
        """The status of an answer whose body is read by chunks; None when there is none."""
        self.close()
        try:
            connection = self.open()
            lines = [f"{method} {target} HTTP/1.1", "Host: drill"]
            lines += [f"{name}: {value}" for name, value in headers]
            connection.send(("\r\n".join(lines) + "\r\n\r\n").encode())
            connection.socket.settimeout(1.0)
            return connection.head()[0]
        except (OSError, Closed):
            self.close()
            return None

    def chunk(self):
        """The next chunk; None when the stream is over or silent for a second."""
        try:
            return self.connection.chunk()
        except (OSError, Closed, ValueError):
            return None
