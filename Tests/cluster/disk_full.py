#!/usr/bin/env python3
"""Disks that fill up: real file systems of 64 MiB on loop devices, with a ballast to take away.

Nothing acknowledged is lost, reads go on, and events are taken again when there is room.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

import harness
from harness import Cluster, Suite, is_running, until
from wire import CREATE, ask, bearer, equal, event, holds, json_lines, post, replay

DISK_BYTES = 64 * 1024 * 1024
BALLAST_BYTES = 8 * 1024 * 1024
# Events of one request, of about 15 KB each.
BATCH = 100


def run(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    return done.returncode == 0


class Disks:
    """File systems under the data directories of some nodes, each with a ballast in it."""

    def __init__(self, cluster, nodes):
        self.cluster = cluster
        self.nodes = nodes
        self.images = tempfile.mkdtemp(prefix="daybook-images-")
        self.mounted = []

    def __enter__(self):
        """None where this user may not mount file systems."""
        self.cluster.run("wipe")
        self.cluster.start()
        self.cluster.run("stop")
        try:
            if not all(self.move(node) for node in self.nodes):
                return None
            self.cluster.start()
            self.cluster.until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def move(self, node):
        """The node's directory moves to a small disk of its own, mounted in its place."""
        image = os.path.join(self.images, f"{node}.img")
        path = self.cluster.data(node)
        copy = os.path.join(self.images, f"{node}.copy")
        with open(image, "wb") as file:
            file.truncate(DISK_BYTES)
        shutil.copytree(path, copy)
        if not (run("mkfs.ext4", "-q", "-m", "0", image)
                and run("mount", "-o", "loop", image, path)):
            return False
        self.mounted.append(path)
        shutil.copytree(copy, path, dirs_exist_ok=True)
        with open(os.path.join(path, "ballast"), "wb") as file:
            file.write(b"\1" * BALLAST_BYTES)
        return True

    def __exit__(self, *_):
        self.cluster.run("stop", expected=None)
        for path in self.mounted:
            if not run("umount", path):
                run("umount", "-l", path)
        self.cluster.run("wipe", expected=None)
        shutil.rmtree(self.images)

    def make_room(self, node):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(self.cluster.data(node), "ballast"))


def append(cluster, name):
    """One request of events: those that were recorded, and whether the cluster took them all."""
    notes = ["x" * 15000]
    events = [event(f"{name}-{number}", notes=notes) for number in range(BATCH)]
    answer = ask(cluster.base, "POST", "/v1/events", json_lines(events),
                 bearer(cluster.token) + [("Content-Type", "application/x-ndjson")], timeout=60)
    if answer.status == 503:
        return [], False
    equal(answer.status, 200, "the status of a bulk request")
    for line in answer.lines:
        holds(line["code"] in (200, 503), f"a line is recorded or not taken: {line}")
    recorded = [sent["unique_id"] for sent, line in zip(events, answer.lines)
                if line["code"] == 200]
    return recorded, len(recorded) == BATCH


def fill(cluster, name, requests):
    """Appends until the cluster takes no more, or so many requests; what was acknowledged."""
    acknowledged = []
    for number in range(requests):
        recorded, took_all = append(cluster, f"{name}-{number}")
        acknowledged += recorded
        if not took_all:
            return acknowledged, True
    return acknowledged, False


def all_there(cluster, acknowledged):
    rows = {row["unique_id"] for row in replay(cluster.base, cluster.token)}
    missing = [unique_id for unique_id in acknowledged if unique_id not in rows]
    equal(missing, [], "acknowledged events that replay does not have")


def status_of(cluster, node):
    return cluster.view()[node]


def all_nodes(suite):
    """All three disks are full."""
    cluster = Cluster(harness.PORTS + 120, suite=suite)
    with Disks(cluster, (1, 2, 3)) as disks:
        if disks is None:
            suite.note("skipped 1 group: this user may not mount file systems")
            return
        acknowledged = []
        with suite.check("three full disks: events get 503 not-ready, and nothing stops"):
            acknowledged, is_full = fill(cluster, "all", 60)
            holds(is_full, "events are refused in the end")
            holds(len(acknowledged) > 500, f"many were taken before: {len(acknowledged)}")
            answer = post(cluster.base, CREATE, event("one", token=cluster.token))
            equal(answer.status, 503, "the status of one more event")
            holds("Retry-After" in dict(answer.headers) or "retry-after" in dict(answer.headers),
                  "it says when to come again")
            for node in (1, 2, 3):
                holds(is_running(cluster.pid(node)), f"node {node} runs on")
        with suite.check("full disks: reads and replay go on, status says what is wrong"):
            all_there(cluster, acknowledged)
            low = [node for node in (1, 2, 3) if status_of(cluster, node)["disk_low"]]
            holds(len(low) >= 2, f"short of disk: {low}")
        with suite.check("full disks: nodes start, and serve reads"):
            for node in (1, 2, 3):
                cluster.kill(node)
            for node in (1, 2, 3):
                cluster.restart(node)
            cluster.leader(30)
            all_there(cluster, acknowledged)
        with suite.check("room is made: events are taken again by themselves"):
            for node in (1, 2, 3):
                disks.make_room(node)
            until(lambda: post(cluster.base, CREATE,
                               event("again", token=cluster.token)).status == 200, 30,
                  "an event is taken")
            more, _ = fill(cluster, "more", 3)
            all_there(cluster, acknowledged + more)


def one_node(suite):
    """One of three disks is full: two go on, and it catches up when there is room."""
    cluster = Cluster(harness.PORTS + 120, suite=suite)
    with Disks(cluster, (3,)) as disks:
        if disks is None:
            return
        acknowledged = []
        with suite.check("one full disk: two go on, it does not lead, and it does not stop"):
            acknowledged, is_full = fill(cluster, "one", 31)
            holds(not is_full, "all events are taken")
            until(lambda: status_of(cluster, 3)["disk_low"], 10, "it says that it is short of disk")
            until(lambda: cluster.leader() != 3, 10, "another node leads")
            holds(is_running(cluster.pid(3)), "it runs on")
            all_there(cluster, acknowledged)
        with suite.check("one full disk: it starts again as it is"):
            cluster.kill(3)
            cluster.run("restart", "3", expected=None)
            until(lambda: status_of(cluster, 3)["reachable"], 20, "it is back")
            holds(is_running(cluster.pid(3)), "it runs")
        with suite.check("one full disk: room is made, and it has everything"):
            disks.make_room(3)
            cluster.until_equal(seconds=60)
            holds(is_running(cluster.pid(3)), "it runs on")


def main():
    suite = Suite()
    all_nodes(suite)
    one_node(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
