"""HTTP/1.1 by hand: a client whose bytes are chosen one by one."""

import contextlib
import json
import socket

CREATE = "/api/v1/audit_events_fmp/create"


def equal(found, expected, what):
    if found != expected:
        raise AssertionError(f"{what}: found {found!r}, expected {expected!r}")


def holds(condition, what):
    if not condition:
        raise AssertionError(what)


class Answer:
    """One response as it was read from the wire."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name):
        found = [value for key, value in self.headers if key == name.lower()]
        return found[0] if found else None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def lines(self):
        return [json.loads(line) for line in self.body.splitlines() if line.strip()]


class Closed(Exception):
    """The peer closed the connection before a whole answer was there."""


class Connection:
    """A client's connection: what it sends is chosen byte by byte."""

    def __init__(self, port, timeout=15):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def vanish(self):
        """Ends as a crashed client does: with a reset."""
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()

    def send(self, content):
        self.socket.sendall(content)

    def end_output(self):
        self.socket.shutdown(socket.SHUT_WR)

    def more(self):
        received = self.socket.recv(1 << 18)
        if not received:
            raise Closed("the connection was closed")
        self.input += received

    def line(self):
        while b"\r\n" not in self.input:
            self.more()
        line, self.input = self.input.split(b"\r\n", 1)
        return line

    def take(self, count):
        while len(self.input) < count:
            self.more()
        taken, self.input = self.input[:count], self.input[count:]
        return taken

    def head(self):
        """Status and headers of the next response, interim ones left out."""
        while True:
            version, status, _ = (self.line() + b"  ").split(b" ", 2)
            holds(version == b"HTTP/1.1", f"a status line that begins with {version!r}")
            headers = []
            while True:
                line = self.line()
                if not line:
                    break
                name, value = line.split(b":", 1)
                headers.append((name.decode().lower(), value.decode().strip()))
            if int(status) >= 200:
                return int(status), headers

    def chunk(self):
        """The content of the next chunk; empty for the last one."""
        size = int(self.line().split(b";")[0], 16)
        content = self.take(size)
        equal(self.line(), b"", "what follows a chunk")
        return content

    def answer(self, method="GET"):
        """Reads one whole response."""
        status, headers = self.head()
        fields = dict(headers)
        body = b""
        if method != "HEAD" and status not in (204, 304):
            if fields.get("transfer-encoding") == "chunked":
                while content := self.chunk():
                    body += content
            elif "content-length" in fields:
                body = self.take(int(fields["content-length"]))
            else:
                body = self.rest()
        return Answer(status, headers, body)

    def rest(self):
        """Everything up to the end of the connection."""
        with contextlib.suppress(Closed):
            while True:
                self.more()
        rest, self.input = self.input, b""
        return rest

    def ask(self, method, target, body=b"", headers=()):
        # An answer that comes before the whole body is read can still be read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send(request_bytes(method, target, body, headers))
        return self.answer(method)


def request_bytes(method, target, body=b"", headers=()):
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers if value is not None]
    if body or method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def ask(port, method, target, body=b"", headers=(), timeout=15):
    with Connection(port, timeout) as connection:
        return connection.ask(method, target, body, headers)


def bearer(token):
    return [("Authorization", f"Bearer {token}")]


JSON_TYPE = [("Content-Type", "application/json")]


def post(port, path, parameters, timeout=15):
    """A POST of the compatible surface."""
    return ask(port, "POST", path, json.dumps(parameters).encode(), JSON_TYPE, timeout)


def event(unique_id, **more):
    return {
        "unique_id": unique_id, "script_name": "Nightly", "host_name": "fms-01",
        "file_name": "PlanoX2.fmp12", "start_time": "2026-11-24T03:11:25Z", **more,
    }


def replay(port, token, query="", timeout=60):
    """All rows of a replay; `query` as in a URL, without the question mark."""
    answer = ask(port, "GET", "/v1/events?" + query, headers=bearer(token), timeout=timeout)
    equal(answer.status, 200, f"the status of a replay ({answer.body[:200]!r})")
    return answer.lines


def json_lines(values):
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)
