"""Clients that post while things break, and the account of what they were promised."""

import collections
import json
import threading
import time

from harness import until
from wire import CREATE, JSON_TYPE, Closed, Connection, equal, event, holds

Sent = collections.namedtuple("Sent", "unique_id sequence sent_at acknowledged_at")


class Load:
    """Clients that post events one by one, each on a connection of its own, until told to stop.

    What was acknowledged is in `acknowledged`, in the order of the acknowledgements. An answer
    `not-ready`, or none at all, is no acknowledgement, and the same event is posted again: the
    promise is that repeating is safe.
    """

    def __init__(self, port, token, name, clients=4):
        self.port = port
        self.token = token
        self.acknowledged = []
        self.errors = []
        self.retries = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self.post_all, args=(f"{name}-{number}",), daemon=True)
            for number in range(clients)
        ]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
            holds(not thread.is_alive(), "a client does not end")

    def count(self):
        with self.lock:
            return len(self.acknowledged)

    def until_more(self, count, seconds=15):
        """Waits until that many more events are acknowledged."""
        goal = self.count() + count
        until(lambda: self.count() >= goal, seconds, f"{count} more acknowledgements", 0.005)

    def post_all(self, name):
        connection, number, pending = None, 0, None
        while not self.stopping.is_set():
            if pending is None:
                number += 1
                pending = event(f"{name}-{number}", token=self.token)
                begun = time.monotonic()
            try:
                connection = connection or Connection(self.port, timeout=20)
                answer = connection.ask("POST", CREATE, json.dumps(pending).encode(), JSON_TYPE)
            except (OSError, Closed):
                if connection:
                    connection.close()
                connection = None
                self.again()
                continue
            if answer.status == 503:
                self.again()
                continue
            if answer.status != 200:
                with self.lock:
                    self.errors.append(answer.body.decode(errors="replace"))
                return
            self.took(pending, answer.json["data"], begun)
            pending = None
        if connection:
            connection.close()

    def again(self):
        with self.lock:
            self.retries += 1
        self.stopping.wait(0.01)

    def took(self, posted, receipt, begun):
        sent = Sent(posted["unique_id"], receipt["sequence"], begun, time.monotonic())
        with self.lock:
            self.acknowledged.append(sent)


def account_for(acknowledged, rows):
    """Checks that every acknowledged event is there once, as it was acknowledged, in real time's
    order, and that the sequences of all rows have no gap."""
    equal([row["sequence"] for row in rows], list(range(len(rows))), "the sequences")
    found = {}
    for row in rows:
        if "unique_id" in row:
            holds(row["unique_id"] not in found, f"{row['unique_id']} is there twice")
            found[row["unique_id"]] = row
    for sent in acknowledged:
        holds(sent.unique_id in found, f"{sent.unique_id} was acknowledged and is lost")
        equal(found[sent.unique_id]["sequence"], sent.sequence, f"the place of {sent.unique_id}")
        equal(found[sent.unique_id]["script_name"], "Nightly", "an event's content")
    highest = -1
    ends = sorted(acknowledged, key=lambda sent: sent.acknowledged_at)
    place = 0
    for sent in sorted(acknowledged, key=lambda sent: sent.sent_at):
        while place < len(ends) and ends[place].acknowledged_at < sent.sent_at:
            highest = max(highest, ends[place].sequence)
            place += 1
        holds(sent.sequence > highest,
              f"{sent.unique_id} was sent after sequence {highest} was acknowledged")
