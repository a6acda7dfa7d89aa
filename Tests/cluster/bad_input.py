#!/usr/bin/env python3
"""What no good client sends: the gateway and the nodes answer or close, and go on as before."""

import contextlib
import json
import os
import select
import socket
import sys
import time

import frames
import harness
from harness import Cluster, Suite, processor_seconds, resident_bytes, socket_count, until
from wire import (
    CREATE, JSON_TYPE, Closed, Connection, ask, bearer, equal, event, holds, post, replay,
    request_bytes,
)

MEMORY_LIMIT = 256 * 1024 * 1024
IDLE_CONNECTIONS = 1000
MIB = 1024 * 1024

HOST = b"Host: a\r\n"
POST_LINE = b"POST /api/v1/audit_events_fmp/create HTTP/1.1\r\n" + HOST
# (what, bytes, status of the one answer after which the connection is closed)
MALFORMED = [
    ("a line that ends in LF alone", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    ("a CR in a header", b"GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n", 400),
    ("a folded header", b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", 400),
    ("a space in front of the colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    ("a header without a colon", b"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", 400),
    ("a header without a name", b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
    ("NUL in a header", b"GET / HTTP/1.1\r\nHost: a\r\nA: \0\r\n\r\n", 400),
    ("no Host", b"GET /health/live HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("two spaces in the request line", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("no version", b"GET /\r\nHost: a\r\n\r\n", 400),
    ("a version of the future", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64, 400),
    ("a space in the target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a byte above 127 in the target", b"GET /\xc3\xb6 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("both lengths", POST_LINE + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("two lengths that differ", POST_LINE + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n", 400),
    ("two lengths that agree", POST_LINE + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n", 400),
    ("a list of lengths", POST_LINE + b"Content-Length: 2, 2\r\n\r\n", 400),
    ("a signed length", POST_LINE + b"Content-Length: +2\r\n\r\n", 400),
    ("a negative length", POST_LINE + b"Content-Length: -1\r\n\r\n", 400),
    ("a hexadecimal length", POST_LINE + b"Content-Length: 0x2\r\n\r\n", 400),
    ("an empty length", POST_LINE + b"Content-Length: \r\n\r\n", 400),
    ("a length of 40 digits", POST_LINE + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", 400),
    ("a coding that is not chunked", POST_LINE + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    ("chunked twice", POST_LINE + b"Transfer-Encoding: chunked, chunked\r\n\r\n", None),
    ("chunked in HTTP/1.0", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("another expectation", POST_LINE + b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n", 417),
    ("a request line of 9 KiB", b"GET /" + b"a" * 9216 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ("a request line that never ends", b"GET /" + b"a" * 20000, 414),
    ("a header of 33 KiB", b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"b" * 33792 + b"\r\n\r\n", 431),
    ("101 headers", b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 100 + b"\r\n", 431),
]
MALFORMED += [
    (f"a chunk size {what}",
     POST_LINE + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + size,
     400)
    for what, size in [
        ("that is no number", b"zz\r\n"), ("that is signed", b"-1\r\n"), ("with 0x", b"0x2\r\n"),
        ("behind a space", b" 2\r\n"), ("in front of a space", b"2 \r\n"),
        ("of 9 digits", b"000000002\r\n"),
        ("that ends in LF", b"2\n{}\n0\n\n"), ("that is too small", b"1\r\n{}\r\n0\r\n\r\n"),
        ("that is empty", b"\r\n"), ("with 2 KiB of extensions", b"2;" + b"a" * 2048 + b"\r\n"),
    ]
]


def check_alive(cluster):
    """The gateway serves: an event goes all the way."""
    answer = post(cluster.base, CREATE, event("alive", token=cluster.token))
    equal(answer.status, 200, f"the status of {answer.body!r}")


def refused_and_closed(port, content, status):
    with Connection(port) as connection:
        connection.send(content)
        with contextlib.suppress(OSError):
            connection.end_output()
        answer = connection.answer()
        if status is not None:
            equal(answer.status, status, f"the status ({answer.body!r})")
        holds(400 <= answer.status < 600, f"the status {answer.status}")
        equal(connection.rest(), b"", "what follows the answer")


def malformed(suite, cluster):
    for what, content, status in MALFORMED:
        with suite.check(f"malformed: {what}"):
            refused_and_closed(cluster.base, content, status)
    with suite.check("malformed: random bytes, 500 times, are answered or closed"):
        for _ in range(500):
            with Connection(cluster.base, timeout=5) as connection:
                with contextlib.suppress(Closed, OSError):
                    connection.send(suite.random.randbytes(suite.random.randint(1, 300)))
                    connection.end_output()
                    connection.rest()
        check_alive(cluster)
    with suite.check("malformed: a good request with one byte changed, 500 times"):
        good = create_bytes("mutant", cluster.token)
        for _ in range(500):
            place = suite.random.randrange(len(good))
            bad = good[:place] + suite.random.randbytes(1) + good[place + 1:]
            with Connection(cluster.base, timeout=10) as connection:
                with contextlib.suppress(Closed, OSError):
                    connection.send(bad)
                    connection.end_output()
                    connection.rest()
        check_alive(cluster)


def create_bytes(unique_id, token, headers=()):
    body = json.dumps(event(unique_id, token=token)).encode()
    return request_bytes("POST", CREATE, body, JSON_TYPE + list(headers))


# Sizes


def declared(path, size, content_type, headers=()):
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers)
    return (head + f"Content-Length: {size}\r\n\r\n").encode()


def send_oversized(cluster, head, total, chunked):
    """Sends a body that is too long as fast as it goes, and reads the answer afterwards."""
    with Connection(cluster.base) as connection:
        connection.send(head)
        piece = b"x" * 65536
        with contextlib.suppress(OSError):
            for _ in range(total // len(piece)):
                connection.send(b"10000\r\n" + piece + b"\r\n" if chunked else piece)
        answer = connection.answer()
        equal(answer.status, 413, "the status")
        return answer


def oversized(suite, cluster):
    chunked = (b"POST " + CREATE.encode() + b" HTTP/1.1\r\nHost: a\r\n"
               b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    with suite.check("a body of 1 MiB and one byte is 413, and the answer can be read"):
        answer = send_oversized(
            cluster, declared(CREATE, MIB + 1, "application/json"), MIB + 65536, False)
        equal(answer.json["status"], "payload-too-large", "the word")
    with suite.check("a chunked body of 2 MiB is 413, and the answer can be read"):
        answer = send_oversized(cluster, chunked, 2 * MIB, True)
        equal(answer.json["status"], "payload-too-large", "the word")
    with suite.check("a declared length of an exabyte is 413 before any of it is sent"):
        with Connection(cluster.base) as connection:
            connection.send(declared(CREATE, 10 ** 17, "application/json"))
            equal(connection.answer().status, 413, "the status")
    with suite.check("the content type is judged before the size"):
        with Connection(cluster.base) as connection:
            connection.send(declared(CREATE, 10 ** 9, "text/plain"))
            equal(connection.answer().json["status"], "invalid-content-type", "the word")
    with suite.check("a bulk body of 16 MiB and one byte is 413"):
        with Connection(cluster.base) as connection:
            connection.send(declared("/v1/events", 16 * MIB + 1, "application/x-ndjson",
                                     bearer(cluster.token)))
            equal(connection.answer().status, 413, "the status")
    with suite.check("a body of exactly 1 MiB is read"):
        body = json.dumps(event("exact", token=cluster.token)).encode()
        answer = ask(cluster.base, "POST", CREATE, body + b" " * (MIB - len(body)), JSON_TYPE)
        equal(answer.status, 200, f"the status of {answer.body!r}")
    with suite.check("Expect: 100-continue is not invited to send what is too long"):
        with Connection(cluster.base) as connection:
            connection.send(declared(CREATE, 2 * MIB, "application/json",
                                     [("Expect", "100-continue")]))
            until(lambda: readable(connection), 5, "an answer")
            connection.more()
            holds(connection.input.startswith(b"HTTP/1.1 413"), f"{connection.input[:40]!r}")


def readable(connection):
    return bool(select.select([connection.socket], [], [], 0)[0])


# Clients


def slow_and_odd(suite, cluster):
    base = cluster.base
    with suite.check("a request that comes byte by byte is answered"):
        with Connection(base) as connection:
            for byte in create_bytes("byte-by-byte", cluster.token):
                connection.send(bytes([byte]))
            equal(connection.answer().status, 200, "the status")
    with suite.check("a body in chunks of one byte is answered"):
        body = json.dumps(event("chunked", token=cluster.token)).encode()
        with Connection(base) as connection:
            connection.send(b"POST " + CREATE.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Type: "
                            b"application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
            for byte in body:
                connection.send(b"1\r\n" + bytes([byte]) + b"\r\n")
            connection.send(b"0\r\nTrailer: x\r\n\r\n")
            equal(connection.answer().status, 200, "the status")
    with suite.check("a client that closes its sending side reads its answer"):
        with Connection(base) as connection:
            connection.send(create_bytes("half-closed", cluster.token))
            connection.end_output()
            equal(connection.answer().status, 200, "the status")
            equal(connection.rest(), b"", "what follows")
    with suite.check("a client that closes its side inside a request is closed without an answer"):
        with Connection(base) as connection:
            connection.send(create_bytes("cut", cluster.token)[:-5])
            connection.end_output()
            equal(connection.rest(), b"", "the answer")
    with suite.check("200 pipelined requests are answered in order"):
        with Connection(base) as connection:
            connection.send(b"".join(
                create_bytes(f"pipelined-{number}", cluster.token) for number in range(200)))
            ids = [connection.answer().json["data"]["unique_id"] for _ in range(200)]
            equal(ids, [f"pipelined-{number}" for number in range(200)], "the answers")
    with suite.check("a malformed request behind good ones: they are answered, it is refused"):
        with Connection(base) as connection:
            connection.send(create_bytes("before", cluster.token) * 2 + b"NONSENSE\r\n\r\n")
            equal([connection.answer().status for _ in range(3)], [200, 200, 400], "the answers")
            equal(connection.rest(), b"", "what follows")


def vanishing(suite, cluster):
    """Clients that end by a reset at every stage of a request."""
    base, pid = cluster.base, cluster.pid("gateway")
    request = create_bytes("vanished", cluster.token)
    with suite.check("300 clients that vanish inside a request"):
        for number in range(300):
            connection = Connection(base)
            connection.send(request[:1 + number % (len(request) - 1)])
            connection.vanish()
        check_alive(cluster)
    with suite.check("300 clients that vanish before their answer"):
        for _ in range(300):
            connection = Connection(base)
            connection.send(request)
            connection.vanish()
        check_alive(cluster)
    with suite.check("what a vanished client is owed never goes to the next one, 500 times"):
        check_own_answers(cluster)
    with suite.check("51 clients that vanish inside a replay, a bulk append, a following stream"):
        bulk = b"".join(json.dumps(event(f"vanish-{number}")).encode() + b"\n"
                        for number in range(2000))
        for target, method, body in [
                ("/v1/events", "GET", b""), ("/v1/events?follow=true", "GET", b""),
                ("/v1/events", "POST", bulk)]:
            for _ in range(17):
                connection = Connection(base)
                connection.send(request_bytes(
                    method, target, body,
                    bearer(cluster.token) + [("Content-Type", "application/x-ndjson")]))
                until(lambda: readable(connection), 10, "the answer begins")
                connection.vanish()
        check_alive(cluster)
    with suite.check("a client that vanishes while nobody can answer does not make a busy loop"):
        check_no_busy_loop(cluster, pid, request)


def check_own_answers(cluster):
    """Each client that posts right behind one that vanished gets the answer to its own event."""
    receipts = {}
    for number in range(500):
        gone = Connection(cluster.base)
        gone.send(create_bytes(f"gone-{number}", cluster.token))
        if number % 2:
            gone.vanish()
        with Connection(cluster.base) as connection:
            connection.send(create_bytes(f"own-{number}", cluster.token))
            gone.close()
            data = connection.answer().json["data"]
            receipts[data["unique_id"]] = data["sequence"]
    rows = {row["unique_id"]: row["sequence"] for row in replay(cluster.base, cluster.token)}
    for unique_id, sequence in receipts.items():
        equal(sequence, rows[unique_id], f"the sequence that {unique_id} was told")


def check_no_busy_loop(cluster, pid, request):
    """With the majority stopped, a half-closed and a vanished client wait without costing time."""
    nodes = [cluster.pid(node) for node in (1, 2, 3)]
    for node in nodes:
        os.kill(node, 19)
    try:
        half_closed, vanished = Connection(cluster.base), Connection(cluster.base)
        for connection in (half_closed, vanished):
            connection.send(request.replace(b"vanished", b"vanisher"))
        half_closed.end_output()
        vanished.vanish()
        before, start = processor_seconds(pid), time.monotonic()
        equal(half_closed.answer().status, 503, "the status")
        used = processor_seconds(pid) - before
        holds(used < 0.3 * (time.monotonic() - start), f"{used:.2f} s of processor time")
        half_closed.close()
    finally:
        for node in nodes:
            os.kill(node, 18)
    cluster.leader()


def idle_connections(suite, cluster, sockets):
    """`sockets` are the gateway's before anything was asked of it."""
    pid = cluster.pid("gateway")
    with suite.check(f"{IDLE_CONNECTIONS} idle connections, half of them inside a request"):
        # Those of clients that vanished go when what they asked is answered.
        until(lambda: socket_count(pid) <= sockets, 10, "the sockets of earlier clients are closed")
        before = socket_count(pid)
        connections = []
        for number in range(IDLE_CONNECTIONS):
            connections.append(Connection(cluster.base))
            if number % 2:
                connections[-1].send(b"POST /v1/events HTTP/1.1\r\nHos")
        until(lambda: socket_count(pid) >= before + IDLE_CONNECTIONS, 10, "all are accepted")
        check_alive(cluster)
        used = processor_seconds(pid)
        with Connection(cluster.base) as connection:
            for _ in range(200):
                equal(connection.ask("GET", "/health/live").status, 200, "live")
        holds(processor_seconds(pid) - used < 1, "idle connections cost little")
        for connection in connections:
            connection.close()
        until(lambda: socket_count(pid) <= before, 10, "their sockets are closed")


def slow_reader(suite, cluster):
    """A client that asks for much and reads nothing holds little memory."""
    with suite.check("20 clients that replay 40 MiB each and do not read"):
        notes = ["x" * 60000]
        lines = b"".join(json.dumps(event(f"long-{number}", notes=notes)).encode() + b"\n"
                         for number in range(230))
        for part in range(3):
            answer = ask(cluster.base, "POST", "/v1/events", lines.replace(
                b"long-", b"long-%d-" % part), bearer(cluster.token)
                + [("Content-Type", "application/x-ndjson")], timeout=60)
            holds(all(line["code"] == 200 for line in answer.lines), "all are recorded")
        connections = []
        for _ in range(20):
            connections.append(Connection(cluster.base))
            connections[-1].send(request_bytes("GET", "/v1/events", headers=bearer(cluster.token)))
        for connection in connections:
            until(lambda: readable(connection), 20, "the answer begins")
        check_alive(cluster)
        check_memory(cluster)
        for connection in connections:
            connection.close()
    with suite.check("a history longer than a frame is refused, and no node dies of it"):
        check_long_history(cluster)


def check_long_history(cluster):
    pids = [cluster.pid(node) for node in (1, 2, 3)]
    lines = b"".join(
        json.dumps(event("revised", notes=[number, "x" * 60000])).encode() + b"\n"
        for number in range(400))
    half = lines.index(b"\n", len(lines) // 2) + 1
    for part in (lines[:half], lines[half:]):
        answer = ask(cluster.base, "POST", "/v1/events", part, bearer(cluster.token)
                     + [("Content-Type", "application/x-ndjson")], timeout=60)
        holds(all(line["code"] == 200 for line in answer.lines), "all are recorded")
    answer = post(cluster.base, "/api/v1/audit_events_fmp/history",
                  {"token": cluster.token, "unique_id": "revised"}, timeout=30)
    equal([cluster.pid(node) for node in (1, 2, 3)], pids, "the nodes")
    equal(answer.json["status"], "invalid-param", "the word")
    answer = ask(cluster.base, "GET", "/v1/events/revised?history=true",
                 headers=bearer(cluster.token), timeout=30)
    holds(answer.status in (400, 413), f"the status {answer.status}")
    answer = ask(cluster.base, "GET", "/v1/events?unique_id=revised",
                 headers=bearer(cluster.token), timeout=60)
    equal([row["revision"] for row in answer.lines], list(range(1, 401)), "the revisions")


def check_memory(cluster):
    for member in (1, 2, 3, "gateway"):
        used = resident_bytes(cluster.pid(member))
        holds(used < MEMORY_LIMIT, f"{member} holds {used / MIB:.0f} MiB")


# The nodes' port


def node_port(suite, cluster):
    # The leader: it alone knows for certain who is a member.
    node = cluster.leader()
    port, pid = cluster.base + node, cluster.pid(node)
    before = socket_count(pid)
    with suite.check("random bytes at a node's port, 300 times"):
        for _ in range(300):
            with Connection(port, timeout=5) as connection:
                with contextlib.suppress(Closed, OSError):
                    connection.send(suite.random.randbytes(suite.random.randint(1, 5000)))
                    connection.end_output()
                    connection.rest()
        check_alive(cluster)
    for what, content in frames.defective(cluster):
        with suite.check(f"a node's port: {what}, closed without harm"):
            with Connection(port, timeout=5) as connection:
                connection.send(content)
                with contextlib.suppress(OSError):
                    connection.end_output()
                    connection.rest()
            check_alive(cluster)
    for what, content, reason in frames.refused(cluster, node):
        with suite.check(f"a node refuses {what}, and says why here and there"):
            with Connection(port, timeout=5) as connection:
                connection.send(content)
                kind, payload = frames.read(connection)
                equal(kind, frames.REFUSAL, "the kind of the answer")
                holds(reason in payload.decode(errors="replace"), f"the reason: {payload!r}")
            until(lambda: reason in cluster.log(node), 5, "the reason in the log")
    with suite.check("the node has as many sockets as before"):
        until(lambda: socket_count(pid) <= before, 10, "sockets are closed")


def other_cluster(suite, cluster):
    """A whole node of another cluster at this one's door: both logs say why it may not in."""
    with Cluster(harness.PORTS + 55, topology="one", suite=suite) as other:
        with suite.check("a gateway of another cluster is refused, both logs say why"):
            genesis = os.path.join(other.directory, "genesis")
            address = f"127.0.0.1:{cluster.base + 1}"
            with harness.Daybook(
                    "gateway", "--listen", f"127.0.0.1:{harness.PORTS + 58}", "--genesis", genesis,
                    "--nodes", address) as gateway:
                until(lambda: "is not this cluster" in gateway.said(), 5, "the gateway says it")
                until(lambda: "is not this cluster" in cluster.log(1), 5, "the node says it")


def main():
    suite = Suite()
    with Cluster(harness.PORTS + 50, suite=suite) as cluster:
        cluster.until_equal()
        pids = {member: cluster.pid(member) for member in (1, 2, 3, "gateway")}
        counts = {member: socket_count(pid) for member, pid in pids.items()}
        malformed(suite, cluster)
        oversized(suite, cluster)
        slow_and_odd(suite, cluster)
        vanishing(suite, cluster)
        idle_connections(suite, cluster, counts["gateway"])
        node_port(suite, cluster)
        other_cluster(suite, cluster)
        slow_reader(suite, cluster)
        with suite.check("the same processes run, with as many sockets and bounded memory"):
            equal({member: cluster.pid(member) for member in pids}, pids, "the processes")
            for member, pid in pids.items():
                until(lambda: socket_count(pid) <= counts[member], 10,
                      f"{member} has {socket_count(pid)} sockets, {counts[member]} before")
            check_memory(cluster)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
