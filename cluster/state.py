"""One cluster on disk: where its files are, which members it has, which processes run."""

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import time

import processes

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
BINARY = os.path.join(ROOT, ".build", "release", "daybook")
TOPOLOGIES = os.path.join(ROOT, "cluster", "topologies")
KEYS = {"nodes": 3, "election_timeout_ms": 500}
MOST_NODES = 15


class Failure(Exception):
    """What the user is told; the command ends with 1."""


def read_topology(name):
    """The settings of topologies/NAME.conf: `key = value` lines, `#` comments."""
    settings = dict(KEYS)
    with open(os.path.join(TOPOLOGIES, name + ".conf"), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            text = line.split("#", 1)[0].strip()
            if not text:
                continue
            key, equals, value = (part.strip() for part in text.partition("="))
            if key not in KEYS or not equals or not value.isdigit():
                raise Failure(f"cluster/topologies/{name}.conf, line {number}: {text}")
            settings[key] = int(value)
    if not 1 <= settings["nodes"] <= MOST_NODES:
        raise Failure(f"cluster/topologies/{name}.conf: {settings['nodes']} nodes")
    return settings


class Cluster:
    """The cluster whose gateway has port `base`; its nodes have the ports after it."""

    def __init__(self, base, topology=None):
        self.base = base
        self.directory = os.path.join(ROOT, ".cluster", str(base))
        self.genesis = self.path("genesis")
        self.token_file = self.path("token")
        self.admin_token_file = self.path("admin-token")
        self.made_as = self.read_marker()
        # What is there counts; a wish and the default are for what is not there yet.
        self.topology = self.made_as or topology or "three"
        settings = read_topology(self.topology)
        self.nodes = list(range(1, settings["nodes"] + 1))
        self.election_timeout_ms = settings["election_timeout_ms"]
        if base + len(self.nodes) > 65535:
            raise Failure(f"ports {base} to {base + len(self.nodes)}: the last port is 65535")

    def path(self, *names):
        return os.path.join(self.directory, *names)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.base}"

    def port(self, node):
        return self.base + node

    def address(self, node):
        return f"127.0.0.1:{self.port(node)}"

    def data(self, node):
        return self.path(f"node-{node}")

    def log(self, member):
        return self.path("logs", member if member == "gateway" else f"node-{member}") + ".log"

    # The marker is written last: files without it are a start that did not finish.
    def read_marker(self):
        try:
            with open(self.path("topology"), encoding="utf-8") as file:
                return file.read().strip() or None
        except OSError:
            return None

    def write_marker(self):
        with open(self.path("topology"), "w", encoding="utf-8") as file:
            file.write(self.topology + "\n")
        self.made_as = self.topology

    def erase(self):
        shutil.rmtree(self.directory, ignore_errors=False)
        self.made_as = None

    @contextlib.contextmanager
    def lock(self, patience=120):
        """One command at a time changes a cluster."""
        os.makedirs(os.path.dirname(self.directory), mode=0o700, exist_ok=True)
        with open(self.directory + ".lock", "w", encoding="utf-8") as file:
            deadline = time.monotonic() + patience
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise Failure("another cluster/run command is at work") from None
                    time.sleep(0.05)
            yield

    def command(self, member):
        """The arguments with which a node (its number) or the gateway runs."""
        if member == "gateway":
            nodes = ",".join(self.address(node) for node in self.nodes)
            return [
                BINARY, "gateway", "--listen", f"127.0.0.1:{self.base}", "--nodes", nodes,
                "--genesis", self.genesis,
            ]
        return [
            BINARY, "node", "--data", self.data(member), "--listen", self.address(member),
            "--election-timeout-ms", str(self.election_timeout_ms),
        ]

    def pids(self, member):
        if member == "gateway":
            return processes.find("gateway", "--genesis", self.genesis)
        return processes.find("node", "--data", self.data(member))

    def pid(self, member):
        return next(iter(self.pids(member)), None)

    def members(self):
        return self.nodes + ["gateway"]

    def all_pids(self):
        """Everything of this cluster that runs, the gateway first, members of any topology."""
        found = processes.find("gateway", "--genesis", self.genesis)
        for node in range(1, MOST_NODES + 1):
            found += processes.find("node", "--data", self.data(node))
        return found

    def get(self, path, timeout=1.0):
        """Status and body of a GET by the administrator; None when the gateway is not there."""
        headers = {}
        with contextlib.suppress(OSError):
            with open(self.admin_token_file, encoding="utf-8") as file:
                headers["Authorization"] = "Bearer " + file.read().strip()
        connection = http.client.HTTPConnection("127.0.0.1", self.base, timeout=timeout)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def is_ready(self):
        answer = self.get("/health/ready")
        return answer is not None and answer[0] == 200

    def view(self):
        """What the gateway knows of each node, by number; empty when it does not answer."""
        answer = self.get("/v1/cluster", timeout=3.0)
        if answer is None or answer[0] != 200:
            return {}
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return {int(node["id"]): node for node in json.loads(answer[1])["nodes"]}
        return {}
