#!/usr/bin/env python3
"""Damage to one node's files, mended by the others: the end of its log, its archive, whole files."""

import contextlib
import os
import re
import subprocess
import sys

import harness
from files import fill, flip, node_arguments, segments, stop
from harness import Cluster, Daybook, Suite, until
from transfer import transfer
from wire import CREATE, ask, bearer, equal, event, holds, post, replay

MEGABYTES = 40


def metric(cluster, name, node):
    """The value of a node's metric, as the gateway tells it."""
    text = ask(cluster.base, "GET", "/metrics").body.decode()
    found = re.search(rf'^{name}{{node="{node}"}} (\d+)$', text, re.MULTILINE)
    holds(found, f"{name} of node {node} is among the metrics")
    return int(found.group(1))


def follower(cluster):
    leader = cluster.leader()
    return next(number for number in (1, 2, 3) if number != leader)


def everything(cluster):
    """All events; a gateway that is told to come again for a while is asked again."""
    def whole():
        answer = ask(cluster.base, "GET", "/v1/events", headers=bearer(cluster.token), timeout=60)
        holds(answer.status in (200, 500, 503), f"the status {answer.status}")
        return answer.lines if answer.status == 200 else None
    return until(whole, 30, "all can be read")


def read_from(cluster, node, before):
    """Makes the node lead, and reads everything from it."""
    until(lambda: cluster.view()[node]["reachable"], 20, f"node {node} is back")
    cluster.until_equal()
    done = transfer(cluster, node)
    equal(done.returncode, 0, f"the exit code of transfer, {done.stdout}{done.stderr}")
    equal(everything(cluster), before, "all events, read from the mended node")


def length(path):
    """Bytes of the file up to the zeros behind the entries."""
    with open(path, "rb") as file:
        return len(file.read().rstrip(b"\0"))


def mend_tail(suite, cluster, before):
    """Bits in several places of the last segment, which every byte of a start reads."""
    node = follower(cluster)
    stop(cluster, node)
    path = segments(cluster.data(node))[-1]
    end = length(path)
    with open(path, "rb") as file:
        good = file.read()
    with suite.check("bits flipped in the end of a log: the node mends it before it joins"):
        for part in range(1, 8):
            flip(path, end * part // 8)
        cluster.restart(node)
        read_from(cluster, node, before)
        log = cluster.log(node)
        for words in ("the end of the log is damaged", "the end of the log is whole again"):
            holds(words in log, f"the log says: {words}")
        with open(path, "rb") as file:
            equal(file.read(end) == good[:end], True, "its bytes are what they were")
        holds(metric(cluster, "daybook_repair_entries_total", node) > 0, "the metric")
        holds(cluster.view()[node]["repaired_entries"] > 0, "the status")


def two_tails(suite, cluster, before):
    """Different entries damaged on two nodes: each has what the other lacks."""
    with suite.check("different damage in the ends of all three logs, all stopped: all mend"):
        for node in (1, 2, 3):
            stop(cluster, node)
        for node in (1, 2, 3):
            path = segments(cluster.data(node))[-1]
            flip(path, length(path) * node // 4)
        cluster.start()
        cluster.until_ready(30)
        cluster.until_equal()
        equal(replay(cluster.base, cluster.token), before, "all events")
        for node in (1, 2, 3):
            holds("the end of the log is whole again" in cluster.log(node), f"node {node} says so")


def mend_archive(suite, cluster, before):
    """Bits in an archived segment; nothing reads it at the start."""
    node = follower(cluster)
    stop(cluster, node)
    path = segments(cluster.data(node))[0]
    with open(path, "rb") as file:
        good = file.read()
    with suite.check("bits flipped in an archived segment: reads are right, once they succeed"):
        for part in range(1, 8):
            flip(path, len(good) * part // 8)
        cluster.restart(node)
        read_from(cluster, node, before)
        with open(path, "rb") as file:
            equal(file.read() == good, True, "its bytes are what they were")
        holds(metric(cluster, "daybook_repair_chunks_total", node) >= 7, "the metric")
        equal(metric(cluster, "daybook_damaged_segments", node), 0, "damaged segments")


def lost_file(suite, cluster, before):
    node = follower(cluster)
    stop(cluster, node)
    path = segments(cluster.data(node))[0]
    with open(path, "rb") as file:
        good = file.read()
    with suite.check("the file of an archived segment deleted: it comes back whole"):
        os.remove(path)
        cluster.restart(node)
        read_from(cluster, node, before)
        with open(path, "rb") as file:
            equal(file.read() == good, True, "its bytes are what they were")
        chunks = -(-len(good) // 65536)
        holds(metric(cluster, "daybook_repair_chunks_total", node) >= chunks, "the metric")
    node = follower(cluster)
    stop(cluster, node)
    path = segments(cluster.data(node))[-1]
    with suite.check("the file of the last segment deleted: it comes back, entry by entry"):
        os.remove(path)
        cluster.restart(node)
        read_from(cluster, node, before)
        holds(metric(cluster, "daybook_repair_entries_total", node) > 0, "the metric")


def scrub(suite, cluster):
    """Damage that nobody reads is found by reading everything in turn."""
    node = follower(cluster)
    stop(cluster, node)
    path = segments(cluster.data(node))[0]
    with open(path, "rb") as file:
        good = file.read()
    flip(path, len(good) // 3)
    arguments = [*node_arguments(cluster, node), "--scrub-period-s", "1"]
    with suite.check("the scrubber finds a flipped bit that nobody reads, and mends it"):
        with Daybook(*arguments):
            def mended():
                with open(path, "rb") as file:
                    return file.read() == good
            until(mended, 60, "the bytes are what they were")
            until(lambda: metric(cluster, "daybook_scrub_passes_total", node) >= 2, 60,
                  "two passes over the archive")
            holds(metric(cluster, "daybook_scrub_bytes_total", node) >= len(good), "bytes")
            holds(metric(cluster, "daybook_scrub_last_pass_seconds", node) > 0, "its time")
    cluster.restart(node)
    cluster.until_equal()


def all_copies(suite, cluster, before):
    """The same archived bytes are bad everywhere: they are named, and nothing is made up."""
    with suite.check("the same damage on all nodes: it is named, the rest is readable"):
        for node in (1, 2, 3):
            stop(cluster, node)
        paths = [segments(cluster.data(node))[0] for node in (1, 2, 3)]
        for path in paths:
            flip(path, 1024)
        cluster.start()
        cluster.until_ready()
        answer = ask(cluster.base, "GET", "/v1/events?limit=1", headers=bearer(cluster.token),
                     timeout=30)
        equal(answer.status, 500, f"the status ({answer.body[:200]!r})")
        holds(b"entries 1 to" in answer.body, f"it names the entries: {answer.body[:200]!r}")
        last = before[-1]
        answer = ask(cluster.base, "GET", f"/v1/events?from={last['sequence']}",
                     headers=bearer(cluster.token), timeout=30)
        equal(answer.lines[-1:], [last], "the newest event")
        equal(post(cluster.base, CREATE, event("beside", token=cluster.token)).status, 200,
              "the status of a create")
        damaged = {node: view["damaged_entries"] for node, view in cluster.view().items()}
        holds(any(text.startswith("1-") for text in damaged.values()), f"the range: {damaged}")
        for path in paths[:1]:
            stop(cluster, 1)
            flip(path, 1024)
            cluster.restart(1)
        cluster.until_ready(30)
        cluster.until_equal()
        equal(everything(cluster)[:-1], before, "all events, once one copy is right again")


def alone(suite):
    """A cluster of one: nobody can help, so it names the place and changes nothing."""
    with Cluster(harness.PORTS + 70, topology="one", suite=suite) as cluster:
        with suite.check("a node that is alone refuses to start, and says where"):
            for number in range(20):
                equal(post(cluster.base, CREATE,
                           event(f"alone-{number}", token=cluster.token)).status, 200, "a create")
            stop(cluster, 1)
            path = segments(cluster.data(1))[-1]
            offset = length(path) // 2
            flip(path, offset)
            with Daybook(*node_arguments(cluster, 1)) as process:
                code = process.wait(20)
                said = process.said()
            holds(code > 0, f"it ends by itself, not by a trap ({code}): {said}")
            holds(os.path.basename(path) in said, f"it names the file: {said}")
            named = re.search(r"damaged at offset (\d+)", said)
            holds(named and offset - 4096 < int(named.group(1)) <= offset, f"the offset: {said}")
        with suite.check("mended, it starts and has all"):
            flip(path, offset)
            cluster.restart(1)
            cluster.until_ready()
            equal(len(replay(cluster.base, cluster.token)), 20, "the events")


def main():
    suite = Suite()
    with Cluster(harness.PORTS + 60, suite=suite) as cluster:
        with suite.check(f"{MEGABYTES} MiB of events, two segments of them archived"):
            fill(cluster, MEGABYTES)
            for number in range(40):
                equal(post(cluster.base, CREATE, event(f"tail-{number}", token=cluster.token)).status,
                      200, "the status of a create")
            cluster.until_equal()
            before = replay(cluster.base, cluster.token)
            until(lambda: all(len(segments(cluster.data(node))) >= 3 for node in (1, 2, 3)), 20,
                  "three segments")
            until(lambda: len({view["archived_through"] for view in cluster.view().values()}) == 1,
                  20, "all have archived as much")
        for part in (mend_tail, two_tails, mend_archive, lost_file):
            with contextlib.suppress(subprocess.SubprocessError):
                part(suite, cluster, before)
        scrub(suite, cluster)
        all_copies(suite, cluster, before)
    alone(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
