#!/usr/bin/env python3
"""Clients of others, unmodified: nginx in front, curl, Python's requests, node's fetch, wrk. What is
not installed is skipped, said by name, and counted."""

import base64
import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile

from harness import PORTS, Daybook, Suite, until
from wire import CREATE, Closed, ask, bearer, equal, event, holds, json_lines, post

PORT = PORTS + 280
PROXY_PORT = PORT + 1
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"

NGINX = """
daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
    client_max_body_size 17m;
    upstream daybook {{ server 127.0.0.1:{port}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{proxy};
        location / {{
            proxy_pass http://daybook;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_read_timeout 1h;
        }}
    }}
}}
"""

FETCH = """
const [base, token] = process.argv.slice(2);
const check = (what, holds) => { if (!holds) { console.error(what); process.exit(1); } };
const answer = await fetch(base + '/api/v1/audit_events_fmp/create', { method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ unique_id: 'fetch-1', script_name: 's', host_name: 'h', file_name: 'f',
                         start_time: '2026-11-24', token }) });
check('post', (await answer.json()).status === 'action-successful');
check('request id', answer.headers.get('x-request-id'));
const bulk = await fetch(base + '/v1/events', { method: 'POST', duplex: 'half',
  headers: { 'Content-Type': 'application/x-ndjson', Authorization: 'Bearer ' + token },
  body: new ReadableStream({ start(stream) {
    for (let i = 0; i < 20; i++)
      stream.enqueue(new TextEncoder().encode(JSON.stringify({ unique_id: 'fetch-b' + i,
        script_name: 's', host_name: 'h', file_name: 'f', start_time: '2026-11-24' }) + '\\n'));
    stream.close(); } }) });
check('bulk', (await bulk.text()).trim().split('\\n').every(line => JSON.parse(line).code === 200));
const ended = new AbortController();
const stream = await fetch(base + '/v1/events?follow=true',
  { headers: { Authorization: 'Bearer ' + token }, signal: ended.signal });
const chunk = await stream.body.getReader().read();
check('stream', chunk.value.length > 0);
ended.abort();
const refused = await fetch(base + '/v1/events');
check('401', refused.status === 401 && (await refused.json()).status === 401);
process.exit(0);
"""

REQUESTS = """
import json, sys, requests
base, token = sys.argv[1:]
event = dict(unique_id="requests-1", script_name="s", host_name="h", file_name="f",
             start_time="2026-11-24", token=token)
session = requests.Session()
assert session.post(base + "/api/v1/audit_events_fmp/create", json=event).json()["code"] == 200
lines = (json.dumps(dict(event, unique_id=f"requests-b{n}")).encode() + b"\\n" for n in range(20))
answer = session.post(base + "/v1/events", data=lines, headers={
    "Authorization": "Bearer " + token, "Content-Type": "application/x-ndjson"})
assert all(json.loads(line)["code"] == 200 for line in answer.iter_lines()), answer.text
with session.get(base + "/v1/events?follow=true", stream=True,
                 headers={"Authorization": "Bearer " + token}) as stream:
    assert json.loads(next(stream.iter_lines()))["unique_id"]
assert session.get(base + "/v1/events").status_code == 401
"""


class Clients:
    """The gateway and those who speak to it."""

    def __init__(self, suite, directory):
        self.suite = suite
        self.directory = directory
        self.skipped = 0

    def has(self, program):
        """Whether it is installed; one that is not is said to be skipped."""
        if shutil.which(program, path=PATH):
            return True
        self.skip(program)
        return False

    def skip(self, what):
        self.skipped += 1
        print(f"skipped              {what} is not installed", flush=True)

    def run(self, *arguments, stdin=""):
        done = subprocess.run(arguments, input=stdin, capture_output=True, text=True, timeout=60,
                              check=False, env={**os.environ, "PATH": PATH})
        equal(done.returncode, 0, f"{arguments[0]}: {done.stdout[-500:]}{done.stderr[-500:]}")
        return done.stdout

    def script(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path


def check_each(clients, port, token, where):
    base = f"http://127.0.0.1:{port}"
    with clients.suite.check(f"curl: posts, a sensitive route, a replay, a stream; {where}"):
        body = json.dumps(event(f"curl-{port}", token=token))
        answer = clients.run("curl", "-sS", "-H", "Content-Type: application/json", "-d", "@-",
                             base + CREATE, stdin=body)
        equal(json.loads(answer)["code"], 200, answer)
        login = base64.b64encode(b'{"email":"x@example.com","password":"p",'
                                 b'"application":"planox2"}').decode()
        answer = clients.run("curl", "-sS", "-H", "Content-Type: text/plain", "--data-binary", "@-",
                             base + "/api/v1/sessions/create", stdin=login)
        equal(json.loads(answer)["status"], "email-not-found", answer)
        rows = clients.run("curl", "-sS", "-H", f"Authorization: Bearer {token}",
                           base + "/v1/events")
        holds(f"curl-{port}" in rows, "the event is replayed")
        check_stream(clients, base, token)
    if clients.has("node"):
        with clients.suite.check(f"node's fetch, as a browser has it; {where}"):
            clients.run("node", clients.script("fetch.mjs", FETCH), base, token)
    if subprocess.run([sys.executable, "-c", "import requests"], capture_output=True,
                      check=False).returncode:
        clients.skip("requests")
    else:
        with clients.suite.check(f"Python's requests; {where}"):
            clients.run(sys.executable, clients.script("client.py", REQUESTS), base, token)
    if clients.has("wrk"):
        with clients.suite.check(f"wrk: no error in a second of load; {where}"):
            said = clients.run("wrk", "-t1", "-c8", "-d1s", base + "/health/live")
            holds("Requests/sec" in said and "Non-2xx" not in said and "Socket errors" not in said,
                  said)


def check_stream(clients, base, token):
    """A followed replay shows what is recorded while it is open."""
    with subprocess.Popen(
            ["curl", "-sSN", "-H", f"Authorization: Bearer {token}",
             base + "/v1/events?follow=true"], stdout=subprocess.PIPE, text=True) as follower:
        try:
            holds(json.loads(follower.stdout.readline())["unique_id"], "the first row")
            name = "while-open-" + base[-4:]
            equal(post(PORT, CREATE, event(name, token=token)).status, 200, "a post meanwhile")
            while json.loads(follower.stdout.readline())["unique_id"] != name:
                pass
        finally:
            follower.kill()


def accepted():
    for line in ask(PORT, "GET", "/metrics").body.decode().splitlines():
        if line.startswith("daybook_gateway_connections_accepted_total "):
            return int(line.split()[-1])
    raise AssertionError("no count of connections")


def check_proxy(clients, token):
    suite = clients.suite
    with suite.check("nginx keeps its connections to the gateway"):
        connection = http.client.HTTPConnection("127.0.0.1", PROXY_PORT, timeout=15)
        before = accepted()
        for number in range(50):
            connection.request("POST", CREATE, json.dumps(event(f"kept-{number}", token=token)),
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            equal(answer.status, 200, answer.read())
            answer.read()
        holds(accepted() - before < 10, f"{accepted() - before} connections for 50 requests")
    with suite.check("a bulk body in chunks goes through nginx, and its answer comes in order"):
        lines = [event(f"chunked-{number}") for number in range(500)]
        connection = http.client.HTTPConnection("127.0.0.1", PROXY_PORT, timeout=60)
        connection.request("POST", "/v1/events", iter([json_lines([line]) for line in lines]),
                           {**dict(bearer(token)), "Content-Type": "application/x-ndjson"},
                           encode_chunked=True)
        answer = connection.getresponse().read().splitlines()
        equal([json.loads(line)["data"]["unique_id"] for line in answer],
              [line["unique_id"] for line in lines], "the lines")
    with suite.check("refusals and their names come through nginx as they are"):
        answer = ask(PROXY_PORT, "POST", "/api/v1/nothing/x", b"{}", [("X-Request-Id", "through")])
        equal((answer.status, answer.json["request_id"], answer.header("x-request-id")),
              (500, "through", "through"), "route-non-existent")
        equal(ask(PROXY_PORT, "GET", "/v1/events").status, 401, "no token")


@contextlib.contextmanager
def nginx(clients):
    path = clients.script("nginx.conf", NGINX.format(
        directory=clients.directory, port=PORT, proxy=PROXY_PORT))
    with subprocess.Popen([shutil.which("nginx", path=PATH), "-c", path, "-p", clients.directory],
                          stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: is_ready(PROXY_PORT), 20, "nginx answers")
            yield
        finally:
            process.terminate()


def is_ready(port):
    with contextlib.suppress(OSError, Closed):
        return ask(port, "GET", "/health/ready").status == 200
    return False


def main():
    suite = Suite()
    with tempfile.TemporaryDirectory(prefix="daybook-clients-") as directory:
        data = os.path.join(directory, "data")
        clients = Clients(suite, directory)
        with Daybook("serve", "--data", data, "--listen", f"127.0.0.1:{PORT}", "--trusted-proxy",
                     "127.0.0.1", "--requests-per-second-per-address", "off"):
            until(lambda: is_ready(PORT), 30, "the gateway is ready")
            with open(os.path.join(data, "admin-token"), encoding="utf-8") as file:
                admin = file.read().strip()
            token = post(PORT, "/api/v1/tokens/create",
                         {"token": admin, "application": "planox2",
                          "permissions": ["*"]}).json["data"]["token"]
            check_each(clients, PORT, token, "directly")
            if clients.has("nginx"):
                with nginx(clients):
                    check_proxy(clients, token)
                    check_each(clients, PROXY_PORT, token, "behind nginx")
    print(f"{clients.skipped} skipped")
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
