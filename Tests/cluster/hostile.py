#!/usr/bin/env python3
"""Clients that mean harm, one kind at a time, while a good one goes on: what they cost the others,
what they cost in memory, that they get nothing recorded, and what the access log says of them."""

import base64
import contextlib
import json
import multiprocessing
import os
import resource
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

from harness import BINARY, PORTS, Daybook, Suite, until
from wire import (
    CREATE, JSON_TYPE, Closed, Connection, ask, bearer, equal, event, holds, post, replay,
    request_bytes,
)

PORT = PORTS + 260
TLS_PORT = PORT + 1
LIMITED_PORT = PORT + 2
PIPE_PORT = PORT + 3
# Of one kind of attack.
SECONDS = 3
MIB = 1024 * 1024
# GatewayLimits.connectionBytesHeld twice, for buffers grow by doubling, and room for the rest.
MEMORY_GROWTH = (2 * 256 + 192) * MIB
POST_LINE = b"POST /api/v1/audit_events_fmp/create HTTP/1.1\r\nHost: a\r\n"
JSON_LINE = b"Content-Type: application/json\r\n"
# How many times as long a good client's request may take as in quiet, at the median. The attackers,
# the client and the gateway share the processors.
SLOWER = 30


# The attacks: each runs in a process of its own until it is ended


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    sock.setblocking(False)
    return sock


def send(sock, content):
    """Sends what the kernel takes; False when the connection is over."""
    try:
        sock.send(content)
        return True
    except BlockingIOError:
        return True
    except OSError:
        return False


def drip(port, count, head, drop):
    """Connections that say a byte at a time, and are opened anew when they are closed."""
    open_ones = []
    while True:
        while len(open_ones) < count:
            sock = connect(port)
            send(sock, head)
            open_ones.append(sock)
        open_ones = [sock for sock in open_ones if send(sock, drop)]
        time.sleep(0.05)


def slow_headers(port):
    drip(port, 300, b"GET / HTTP/1.1\r\nHost: a\r\n", b"a")


def slow_bodies(port):
    drip(port, 300, POST_LINE + JSON_LINE + b"Content-Length: 100000\r\n\r\n", b" ")


def repeat(port, content, count=8):
    while True:
        for sock in [connect(port) for _ in range(count)]:
            sock.setblocking(True)
            with contextlib.suppress(OSError):
                sock.sendall(content)
                sock.recv(4096)
            sock.close()


def header_flood(port):
    repeat(port, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 50_000)


def chunk_sizes(port):
    chunked = POST_LINE + JSON_LINE + b"Transfer-Encoding: chunked\r\n\r\n"
    while True:
        for size in (b"ffffffff", b"fffffffffffffffff", b"-1", b"0x5", b"5;", b"", b"\0", b"5 "):
            with contextlib.suppress(OSError):
                with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
                    sock.sendall(chunked + size + b"\r\nhello\r\n0\r\n\r\n")
                    sock.recv(4096)


def connection_flood(port):
    held = []
    while True:
        with contextlib.suppress(OSError):
            held.append(connect(port))
        if len(held) >= 4000:
            for sock in held[:2000]:
                sock.close()
            held = held[2000:]


def pipelining(port):
    """Thousands of requests, and no answer read."""
    socks = [connect(port) for _ in range(30)]
    line = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 500
    while True:
        for place, sock in enumerate(socks):
            if not send(sock, line):
                socks[place] = connect(port)
        select.select([], socks, [], 0.1)


def half_open(port):
    while True:
        socks = []
        for number in range(300):
            sock = connect(port)
            send(sock, (b"", b"GET", POST_LINE, b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
                 [number % 4])
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
            socks.append(sock)
        time.sleep(0.2)
        for sock in socks:
            sock.close()


def held_bodies(port):
    """More bodies than fit, each without its last byte; at a pace that is no flood of bandwidth."""
    head = POST_LINE + JSON_LINE + b"Content-Length: %d\r\n\r\n" % MIB
    body = b" " * (MIB - 1)
    held = []
    while True:
        if len(held) >= 450:
            held.pop(0).close()
        with contextlib.suppress(OSError):
            sock = socket.create_connection(("127.0.0.1", port), timeout=5)
            held.append(sock)
            sock.sendall(head + body)
        time.sleep(0.005)


def bad_tokens(port):
    forged = "dbk_app_" + "0" * 16 + "_" + "A" * 43
    body = json.dumps(event("forged", token=forged)).encode()
    content = request_bytes("POST", CREATE, body, JSON_TYPE)
    bulk = request_bytes("POST", "/v1/events", body, bearer(forged)
                         + [("Content-Type", "application/x-ndjson")])
    while True:
        for request in (content, bulk):
            with contextlib.suppress(OSError):
                with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
                    sock.sendall(request)
                    sock.recv(4096)


def tls_garbage(port):
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    while True:
        for content in (os.urandom(300), hello + os.urandom(505), hello, b"GET / HTTP/1.1\r\n\r\n",
                        b"\x16\x03\x01\xff\xff" + b"\0" * 500):
            with contextlib.suppress(OSError):
                with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
                    sock.sendall(content)
                    sock.settimeout(0.2)
                    sock.recv(4096)


ATTACKS = [slow_headers, slow_bodies, header_flood, chunk_sizes, connection_flood, pipelining,
           half_open, held_bodies, bad_tokens]


@contextlib.contextmanager
def under(attack, port):
    process = multiprocessing.get_context("fork").Process(target=attack, args=(port,), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


# The good client


class GoodClient:
    """Posts one event after the other, each on the connection before where that is open."""

    def __init__(self, port, token, context=None):
        self.port = port
        self.token = token
        self.context = context
        self.posted = 0
        self.connection = None

    def post(self):
        body = json.dumps(event(f"good-{self.posted}", token=self.token)).encode()
        for _ in range(20):
            try:
                if self.connection is None:
                    self.connection = Connection(self.port, timeout=20)
                    if self.context:
                        self.connection.socket = self.context.wrap_socket(
                            self.connection.socket, server_hostname="localhost")
                answer = self.connection.ask("POST", CREATE, body, JSON_TYPE)
            except (OSError, Closed):
                # Its idle connection was the one to go; what was sent may be sent again.
                self.connection = None
                continue
            equal(answer.status, 200, f"the good client's event: {answer.body[:300]}")
            self.posted += 1
            return
        raise AssertionError("twenty connections in a row were closed")

    def latencies(self, seconds):
        """Of one request after the other, sorted."""
        found = []
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(found) < 5:
            start = time.monotonic()
            self.post()
            found.append(time.monotonic() - start)
        return sorted(found)


def at(values, share):
    return values[min(len(values) - 1, int(len(values) * share))]


# The checks


def serve(directory, port, *flags, **more):
    return Daybook("serve", "--data", os.path.join(directory, str(port)), "--listen",
                   f"127.0.0.1:{port}", *flags, **more)


def until_ready(port):
    def is_ready():
        with contextlib.suppress(OSError, Closed):
            return ask(port, "GET", "/health/ready").status == 200
        return False
    until(is_ready, 30, "the gateway is ready")


def admin_token(directory, port):
    with open(os.path.join(directory, str(port), "admin-token"), encoding="utf-8") as file:
        return file.read().strip()


def application_token(directory, port):
    answer = post(port, "/api/v1/tokens/create",
                  {"token": admin_token(directory, port), "application": "planox2", "name": "good",
                   "permissions": ["audit_events_fmp/*", "events/*"]})
    equal(answer.status, 200, f"tokens/create: {answer.body}")
    return answer.json["data"]["token"]


def metric(port, name):
    for line in ask(port, "GET", "/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[-1])
    raise AssertionError(f"no metric {name}")


def peak_bytes(pid):
    """The most memory that the process had."""
    for line in read(f"/proc/{pid}/status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no memory")


def check_attacks(suite, directory):
    log = os.path.join(directory, "access.log")
    with serve(directory, PORT, "--access-log", log) as server:
        until_ready(PORT)
        token = application_token(directory, PORT)
        client = GoodClient(PORT, token)
        client.latencies(1)
        quiet = client.latencies(SECONDS)
        before = peak_bytes(server.pid)
        for attack in ATTACKS:
            with suite.check(f"a good client goes on: {attack.__name__.replace('_', ' ')}"):
                with under(attack, PORT) as process:
                    busy = client.latencies(SECONDS)
                    holds(process.is_alive(), "the attack goes on to the end")
                growth = peak_bytes(server.pid) - before
                suite.note(f"p50 {at(busy, .5) / at(quiet, .5):.1f} times the quiet one, p99 "
                           f"{at(busy, .99) / at(quiet, .99):.1f} times, {growth // MIB} MiB more")
                holds(at(busy, .5) <= SLOWER * at(quiet, .5),
                      f"the median is within {SLOWER} times the quiet one")
                holds(growth < MEMORY_GROWTH, f"memory grew by {growth // MIB} MiB")
        with suite.check("bodies that do not end made room for others"):
            holds(metric(PORT, "daybook_gateway_connections_shed_total") > 0, "some were closed")
        with suite.check("nothing is recorded but what the good client posted"):
            rows = replay(PORT, token)
            equal(len(rows), client.posted, "events")
            holds(all(row["unique_id"].startswith("good-") for row in rows), "whose they are")
        check_log(suite, server, directory, log, token)


def check_log(suite, server, directory, log, token):
    secrets = [token.split("_", 3)[3], admin_token(directory, PORT).split("_", 3)[3],
               "Pa55word-of-eve", "note-nobody-reads"]
    with suite.check("the access log has no token, password or body, wherever they were put"):
        spread_secrets(token, secrets)
        until(lambda: "last-request" in read(log), 10, "the last line is written")
        text = read(log) + server.said()
        for secret in secrets + [token, "dbk_app_", "dbk_admin_"]:
            holds(secret not in text, f"the log holds {secret}")
    with suite.check("each line is JSON with a request id, an address, a status and a time"):
        lines = [json.loads(line) for line in read(log).splitlines()]
        holds(len(lines) > 100, "there are lines")
        for line in lines:
            holds({"time", "request_id", "address", "method"} <= line.keys(), f"members of {line}")
            holds("status" in line or line.get("broken_off"), f"how it ended: {line}")
        holds(any(line.get("credential") == token.split("_")[2] for line in lines),
              "the public half of the token")
    with suite.check("every answer names its request: an id of one's own is taken over"):
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        for target in ("/health/live", "/nothing", "/api/v1/nothing/x", "/v1/cluster"):
            answer = ask(PORT, "GET", target, headers=[("X-Request-Id", "mine.1"),
                                                       ("traceparent", trace)])
            equal(answer.header("x-request-id"), "mine.1", target)
            equal(answer.header("traceparent"), trace, target)
            if target != "/health/live":
                equal(answer.json["request_id"], "mine.1", f"the body of {target}")
            other = ask(PORT, "GET", target, headers=[("X-Request-Id", "no, sir")])
            holds(other.header("x-request-id") not in (None, "no, sir"), "another id")
        with Connection(PORT) as connection:
            connection.send(b"GET /\r\n\r\n")
            answer = connection.answer()
            equal(answer.json["request_id"], answer.header("x-request-id"), "of no request")
        until(lambda: trace in read(log), 10, "the trace is logged")
    with suite.check("SIGHUP opens the log anew, and nothing is lost"):
        os.rename(log, log + ".1")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: os.path.exists(log), 10, "the new file")
        ask(PORT, "GET", "/health/live", headers=[("X-Request-Id", "after-rotation")])
        until(lambda: "after-rotation" in read(log), 10, "the line in the new file")
        equal(metric(PORT, "daybook_gateway_access_log_dropped_total"), 0, "dropped lines")


def spread_secrets(token, secrets):
    """Sends the token, a password and a note in every place that a request has."""
    ask(PORT, "GET", f"/v1/events/{token}", headers=bearer(token))
    ask(PORT, "GET", f"/v1/events?token={token}&unique_id={token}", headers=bearer(token))
    ask(PORT, "GET", f"/{token}", headers=[("X-Request-Id", token), ("Referer", token),
                                           ("User-Agent", token), ("traceparent", token)])
    ask(PORT, token.upper(), "/x")
    with Connection(PORT) as connection:
        connection.send(f"GET /{token} HTTP/1.1 {token}\r\n\r\n".encode())
        connection.rest()
    post(PORT, CREATE, event("", token=token, notes=[secrets[3]]))
    login = base64.b64encode(json.dumps(
        {"email": "eve@example.com", "password": secrets[2], "application": "planox2"}).encode())
    ask(PORT, "POST", "/api/v1/sessions/create", login, [("Content-Type", "text/plain")])
    ask(PORT, "POST", "/api/v1/sessions/create?password=" + secrets[2], b"x",
        [("Content-Type", "text/plain")])
    ask(PORT, "GET", "/health/live", headers=[("X-Request-Id", "last-request")])


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def check_pipe(suite, directory):
    with suite.check("a log that nobody reads holds up nothing: lines are dropped, and counted"):
        server = subprocess.Popen(  # pylint: disable=consider-using-with
            [BINARY, "serve", "--data", os.path.join(directory, str(PIPE_PORT)), "--listen",
             f"127.0.0.1:{PIPE_PORT}", "--access-log", "-"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            until_ready(PIPE_PORT)
            with Connection(PIPE_PORT) as connection:
                for _ in range(100):
                    connection.send(request_bytes("GET", "/health/live") * 100)
                    for _ in range(100):
                        equal(connection.answer().status, 200, "an answer")
            holds(metric(PIPE_PORT, "daybook_gateway_access_log_dropped_total") > 0, "dropped")
        finally:
            server.stdout.close()
            server.terminate()
            server.wait(20)


def check_limits(suite, directory):
    flags = ("--requests-per-second-per-address", "5", "--requests-per-second-per-token", "off",
             "--trusted-proxy", "127.0.0.0/8")
    with serve(directory, LIMITED_PORT, *flags):
        until_ready(LIMITED_PORT)
        token = application_token(directory, LIMITED_PORT)

        def posted(address, number):
            body = json.dumps(event(f"{address}-{number}", token=token)).encode()
            return ask(LIMITED_PORT, "POST", CREATE, body,
                       JSON_TYPE + [("X-Forwarded-For", f"1.2.3.4, {address}")])

        with suite.check("one address has its limit, and another its own"):
            answers = [posted("9.9.9.9", number) for number in range(60)]
            refused = [answer for answer in answers if answer.status == 429]
            holds(len(refused) > 10, f"{len(refused)} were refused")
            for answer in refused:
                equal(answer.json["status"], "rate-limit-exceeded", "the slug")
                holds(int(answer.header("retry-after")) >= 1, "Retry-After")
            equal(posted("9.9.9.8", 0).status, 200, "another address")
            kept = len([answer for answer in answers if answer.status == 200]) + 1
            equal(len(replay(LIMITED_PORT, token)), kept, "what is recorded")
        with suite.check("the refused one may come back after the time that it was told"):
            until(lambda: posted("9.9.9.9", 100).status == 200, 10, "it is served again")
        with suite.check("guessing a password is slowed down, whether or not the user exists"):
            for email in ("admin@example.com", "nobody@example.com"):
                statuses = [login(email, number).status for number in range(10)]
                equal(statuses[:6], [400] * 6, "the free attempts")
                holds(429 in statuses[6:], f"then it is slowed down: {statuses}")
            text = ask(LIMITED_PORT, "GET", "/metrics").body.decode()
            holds('rate_limited_total{by="login"} 0' not in text, "logins are counted")
            holds('rate_limited_total{by="address"} 0' not in text, "addresses are counted")


def login(email, number):
    body = base64.b64encode(json.dumps(
        {"email": email, "password": f"guess-{number}", "application": "planox2"}).encode())
    return ask(LIMITED_PORT, "POST", "/api/v1/sessions/create", body,
               [("Content-Type", "text/plain")])


def check_tls(suite, directory):
    tls = os.path.join(directory, "tls")
    for arguments in (("make-ca", "--dir", tls),
                      ("issue", "--dir", tls, "--web", "--host", "localhost")):
        subprocess.run([BINARY, "tls", *arguments], check=True, stdout=subprocess.DEVNULL)
    with serve(directory, TLS_PORT, "--tls-certificate", f"{tls}/web-localhost.pem", "--tls-key",
               f"{tls}/web-localhost.key") as server:
        until(lambda: "serves" in server.said(), 30, "it serves")
        with open(os.path.join(directory, str(TLS_PORT), "admin-token"), encoding="utf-8") as file:
            token = file.read().strip()
        context = ssl.create_default_context(cafile=f"{tls}/ca.pem")
        client = GoodClient(TLS_PORT, token, context)
        with suite.check("a good client goes on: tls garbage"):
            quiet = client.latencies(1)
            with under(tls_garbage, TLS_PORT) as process:
                busy = client.latencies(SECONDS)
                holds(process.is_alive(), "the attack goes on to the end")
            holds(at(busy, .5) <= SLOWER * at(quiet, .5), "the median")


def main():
    suite = Suite()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    directory = tempfile.mkdtemp(prefix="daybook-hostile-")
    try:
        check_attacks(suite, directory)
        check_limits(suite, directory)
        check_pipe(suite, directory)
        check_tls(suite, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
