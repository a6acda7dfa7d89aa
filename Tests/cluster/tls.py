#!/usr/bin/env python3
"""Certificates: a cluster whose nodes and gateway speak TLS alone, HTTPS, and who is not let in."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import warnings

from harness import BINARY, PORTS, Daybook, Suite, until
from wire import CREATE, equal, event, holds

BASE = PORTS + 240
NODES = (1, 2, 3)


def daybook(*arguments, expected=0, environment=None):
    done = subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60, env={**os.environ, **(environment or {})},
                          check=False)
    equal(done.returncode, expected, f"daybook {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class Place:
    """The files of one cluster with certificates."""

    def __init__(self, directory, base):
        self.directory = directory
        self.base = base
        self.tls = self.path("tls")

    def path(self, name):
        return os.path.join(self.directory, name)

    def address(self, node):
        return f"127.0.0.1:{self.base + node}"

    def make(self):
        daybook("tls", "make-ca", "--dir", self.tls)
        for node in NODES:
            daybook("tls", "issue", "--dir", self.tls, "--node", str(node))
        daybook("tls", "issue", "--dir", self.tls, "--gateway", "front")
        daybook("tls", "issue", "--dir", self.tls, "--web", "--host", "localhost",
                "--host", "127.0.0.1")
        members = ",".join(f"{node}={self.address(node)}" for node in NODES)
        daybook("init", "cluster", "--members", members, "--genesis", self.path("genesis"),
                "--admin-token-file", self.path("admin-token"))
        for node in NODES:
            daybook("init", "node", "--genesis", self.path("genesis"), "--node", str(node),
                    "--data", self.path(f"node-{node}"))

    def peer_flags(self, name, directory=None):
        tls = directory or self.tls
        return ["--peer-certificate", f"{tls}/{name}.pem", "--peer-key", f"{tls}/{name}.key",
                "--peer-ca", f"{tls}/ca.pem"]

    def node(self, node, flags=None):
        return Daybook("node", "--data", self.path(f"node-{node}"),
                       *(self.peer_flags(f"node-{node}") if flags is None else flags))

    def gateway(self, flags=None, port=None):
        return Daybook(
            "gateway", "--genesis", self.path("genesis"), "--listen",
            f"127.0.0.1:{port or self.base}", "--tls-certificate", self.web("pem"), "--tls-key",
            self.web("key"), *(self.peer_flags("gateway-front") if flags is None else flags))

    def web(self, kind):
        return f"{self.tls}/web-localhost.{kind}"

    @property
    def token(self):
        with open(self.path("admin-token"), encoding="utf-8") as file:
            return file.read().strip()

    def trust(self):
        return ssl.create_default_context(cafile=f"{self.tls}/ca.pem")

    def https(self, context=None):
        return http.client.HTTPSConnection("localhost", self.base, timeout=15,
                                           context=context or self.trust())


def post(connection, place, number):
    connection.request("POST", CREATE, json.dumps(event(f"tls-{number}")), {
        "Authorization": f"Bearer {place.token}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    body = answer.read()
    equal(answer.status, 200, f"post {number}: {body}")
    return json.loads(body)["data"]


def is_ready(place):
    try:
        connection = place.https()
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False


def peer_serial(connection):
    return connection.sock.getpeercert()["serialNumber"]


def check_web(suite, place):
    with suite.check("events are posted over HTTPS, on one connection and on many"):
        connection = place.https()
        for number in range(20):
            post(connection, place, number)
        for number in range(20, 30):
            post(place.https(), place, number)
    with suite.check("TLS 1.2 and 1.3 are spoken, and nothing older"):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = place.trust()
            context.minimum_version = context.maximum_version = version
            post(place.https(context), place, 100)
        context = place.trust()
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            post(place.https(context), place, 101)
            raise AssertionError("TLS 1.1 was spoken")
    with suite.check("ALPN: http/1.1 is chosen, h2 alone is refused"):
        context = place.trust()
        context.set_alpn_protocols(["h2", "http/1.1"])
        connection = place.https(context)
        connection.connect()
        equal(connection.sock.selected_alpn_protocol(), "http/1.1", "the protocol")
        context.set_alpn_protocols(["h2"])
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            place.https(context).connect()
            raise AssertionError("h2 was agreed on")
    with suite.check("a large body and a large answer come through whole"):
        lines = "".join(json.dumps(event(f"large-{number}", notes=["x" * 900])) + "\n"
                        for number in range(3000))
        connection = place.https()
        connection.request("POST", "/v1/events", lines, {
            "Authorization": f"Bearer {place.token}", "Content-Type": "application/x-ndjson"})
        answer = connection.getresponse()
        equal(answer.status, 200, "bulk")
        equal(len(answer.read().splitlines()), 3000, "lines of the answer")
        connection.request("GET", "/v1/events", headers={"Authorization": f"Bearer {place.token}"})
        rows = connection.getresponse().read().splitlines()
        holds(len(rows) >= 3030, f"{len(rows)} rows")


def check_strangers(suite, place):
    with suite.check("plain HTTP, garbage and half a handshake at the HTTPS port harm nobody"):
        for content in (b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x40\x00" * 9,
                        os.urandom(4000), b"\x16\x03\x01"):
            with socket.create_connection(("127.0.0.1", place.base), timeout=15) as plain, \
                    contextlib.suppress(OSError):
                plain.sendall(content)
                plain.shutdown(socket.SHUT_WR)
                while plain.recv(4096):
                    pass
        post(place.https(), place, 102)
    with suite.check("daybook and curl speak HTTPS; an unknown authority is named"):
        url = f"https://localhost:{place.base}"
        flags = ["--to", url, "--token-file", place.path("admin-token")]
        said = daybook("status", *flags, "--ca", f"{place.tls}/ca.pem")
        holds("leader" in said, said)
        said = daybook("status", *flags, expected=3)
        holds("certificate verify failed" in said, said)
        curl = subprocess.run(
            ["curl", "-sS", "--cacert", f"{place.tls}/ca.pem", f"{url}/health/live"],
            capture_output=True, text=True, timeout=30, check=False)
        equal(curl.returncode, 0, curl.stderr)


def check_renewal(suite, place, gateway):
    with suite.check("SIGHUP gives new connections the new certificate, and drops none"):
        old = place.https()
        post(old, place, 103)
        serial = peer_serial(old)
        for kind in ("pem", "key"):
            os.remove(place.web(kind))
        daybook("tls", "issue", "--dir", place.tls, "--web", "--host", "localhost")
        gateway.process.send_signal(signal.SIGHUP)

        def renewed():
            fresh = place.https()
            fresh.connect()
            return peer_serial(fresh) != serial
        until(renewed, 15, "another certificate")
        post(old, place, 104)
        equal(peer_serial(old), serial, "the old connection's certificate")
    with suite.check("a certificate that cannot be read changes nothing"):
        with open(place.web("pem"), "w", encoding="utf-8") as file:
            file.write("nonsense")
        gateway.process.send_signal(signal.SIGHUP)
        until(lambda: "keeps its certificate" in gateway.said(), 15, "it says so")
        post(place.https(), place, 105)


def check_peers(suite, place, nodes):
    with suite.check("a node of another authority, or with another's certificate, is not let in"):
        nodes[3].end()
        foreign = place.path("foreign")
        daybook("tls", "make-ca", "--dir", foreign)
        daybook("tls", "issue", "--dir", foreign, "--node", "3")
        for flags, reason in ((place.peer_flags("node-3", foreign), None),
                              (place.peer_flags("node-2"), "its certificate is that of"),
                              (place.peer_flags("gateway-front"), "its certificate is that of")):
            with place.node(3, flags) as third:
                if reason:
                    until(lambda: reason in third.said() or any(
                        reason in nodes[node].said() for node in (1, 2)), 15, reason)
                post(place.https(), place, 200)
                holds("linked" not in third.said(), third.said())
    with suite.check("plain bytes at a node's port are not answered"):
        with socket.create_connection(("127.0.0.1", place.base + 1), timeout=15) as plain:
            with contextlib.suppress(OSError):
                plain.sendall(b"\x2f\0\0\0\x01\0\0\0" + bytes(60))
                plain.shutdown(socket.SHUT_WR)
                holds(b"DBK1" not in plain.recv(4096), "an answer to plain bytes")
    with suite.check("the right certificate is let in again, and the node catches up"):
        nodes[3] = place.node(3)
        until(lambda: nodes[3].said().count("linked") >= 2, 20, "links to both others")
    with suite.check("a gateway without a certificate gets nothing"):
        with place.gateway([], port=place.base + 9) as bare:
            until(lambda: bare.process.poll() is not None or "listens" in bare.said(), 15, "a start")
            context = place.trust()
            connection = http.client.HTTPSConnection("localhost", place.base + 9, timeout=15,
                                                     context=context)
            with contextlib.suppress(OSError):
                connection.request("GET", "/health/ready")
                holds(connection.getresponse().status != 200, "it is ready")


def check_refusals(suite, place):
    with suite.check("plain TCP and HTTP for other hosts are refused, unless they are named"):
        said = daybook("node", "--data", place.path("node-1"), "--listen", "0.0.0.0:0", expected=4)
        holds("--insecure-plain-tcp" in said, said)
        said = daybook("serve", "--data", place.path("serve"), "--listen", "0.0.0.0:0", expected=2)
        holds("--insecure-plain-http" in said, said)
        with Daybook("serve", "--data", place.path("serve"), "--listen", "0.0.0.0:0",
                     "--insecure-plain-http") as serve:
            until(lambda: "daybook serves http" in serve.said(), 30, "a start")
    with suite.check("half a set of certificates, and files that do not belong together"):
        said = daybook("node", "--data", place.path("node-1"), "--peer-ca", f"{place.tls}/ca.pem",
                       expected=2)
        holds("belong together" in said, said)
        said = daybook("node", "--data", place.path("node-1"), "--peer-certificate",
                       f"{place.tls}/node-1.pem", "--peer-key", f"{place.tls}/node-2.key",
                       "--peer-ca", f"{place.tls}/ca.pem", expected=4)
        holds("node-2.key" in said, said)
    with suite.check("certificates are made once, and keys are for their owner alone"):
        said = daybook("tls", "make-ca", "--dir", place.tls, expected=2)
        holds("exists already" in said, said)
        for name in ("ca", "node-1", "gateway-front"):
            equal(os.stat(f"{place.tls}/{name}.key").st_mode & 0o777, 0o600, f"{name}.key")


def main():
    suite = Suite()
    directory = tempfile.mkdtemp(prefix="daybook-tls-")
    place = Place(directory, BASE)
    try:
        place.make()
        with contextlib.ExitStack() as stack:
            nodes = {}
            stack.callback(lambda: [node.end() for node in nodes.values()])
            for node in NODES:
                nodes[node] = place.node(node)
            gateway = stack.enter_context(place.gateway())
            until(lambda: is_ready(place), 30, "the gateway is ready")
            check_web(suite, place)
            check_strangers(suite, place)
            check_renewal(suite, place, gateway)
            check_peers(suite, place, nodes)
        check_refusals(suite, place)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
