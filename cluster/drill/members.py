"""The processes of a drill: nodes, each in its network namespace, and gateways; what they say."""

import os
import re
import signal
import subprocess
import threading
import time

import network
from faults import Faults

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
BINARY = os.path.join(ROOT, ".build", "release", "daybook")
PORT = 7700
GATEWAYS = (PORT, PORT + 1)
GATEWAY = network.GATEWAY
ELECTION_TIMEOUT_SECONDS = 0.5


def daybook(*arguments):
    network.run(BINARY, *arguments)


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


class Members:
    """Every process of one cluster. Members are the nodes' numbers and `gateway`, the first one."""

    def __init__(self, directory, nodes, net, library):
        self.directory = directory
        self.nodes = nodes
        self.network = net
        self.library = library
        self.children = {}
        self.stopped = set()
        # Nodes that may end by themselves, because their disk was made to fail.
        self.excused = set()
        self.faults = {}
        for member in [*nodes, *self.gateways()]:
            self.faults[member] = Faults(os.path.join(directory, f"faults-{member}"))

    @staticmethod
    def gateways():
        return [GATEWAY] + [f"{GATEWAY}-{port}" for port in GATEWAYS[1:]]

    def path(self, name):
        return os.path.join(self.directory, name)

    def data(self, node):
        return self.path(f"node-{node}")

    def log(self, member):
        return self.path(f"{member if member in self.gateways() else f'node-{member}'}.log")

    @property
    def token(self):
        return text_of(self.path("token")).strip()

    @property
    def admin_token(self):
        return text_of(self.path("admin-token")).strip()

    def found(self):
        """Makes the cluster's files; the data directories may be there as empty mounts."""
        listed = ",".join(f"{node}={network.address(node)}:{PORT}" for node in self.nodes)
        daybook("init", "cluster", "--members", listed, "--genesis", self.path("genesis"),
                "--admin-token-file", self.path("admin-token"))
        for node in self.nodes:
            daybook("init", "node", "--genesis", self.path("genesis"), "--node", str(node),
                    "--data", self.data(node))
        daybook("tls", "make-ca", "--dir", self.path("tls"))
        for node in self.nodes:
            daybook("tls", "issue", "--dir", self.path("tls"), "--node", str(node))
        daybook("tls", "issue", "--dir", self.path("tls"), "--gateway", "drill")

    def certificate(self, name):
        """The flags with which a process shows its certificate to the others."""
        file = os.path.join(self.path("tls"), name)
        return ["--peer-certificate", f"{file}.pem", "--peer-key", f"{file}.key", "--peer-ca",
                self.path("tls/ca.pem")]

    def make_token(self):
        daybook("token", "create", "--application", "planox2", "--to",
                f"http://127.0.0.1:{PORT}", "--token-file", self.path("admin-token"),
                "--out", self.path("token"))

    def command(self, member):
        if member in self.gateways():
            listed = ",".join(f"{network.address(node)}:{PORT}" for node in self.nodes)
            port = GATEWAYS[self.gateways().index(member)]
            return [BINARY, "gateway", "--listen", f"127.0.0.1:{port}", "--nodes", listed,
                    "--genesis", self.path("genesis"), *self.certificate("gateway-drill")]
        milliseconds = str(int(ELECTION_TIMEOUT_SECONDS * 1000))
        return [*self.network.prefix(member), BINARY, "node", "--data", self.data(member),
                "--election-timeout-ms", milliseconds, *self.certificate(f"node-{member}")]

    def start(self, member):
        """Starts a member that does not run, its faults taken away."""
        if self.runs(member):
            return
        self.faults[member].clear()
        self.excused.discard(member)
        with open(self.log(member), "ab") as output:
            self.children[member] = subprocess.Popen(
                self.command(member), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, **self.faults[member].environment(self.library)})

    def start_all(self):
        for member in [*self.nodes, *self.gateways()]:
            self.start(member)

    def runs(self, member):
        child = self.children.get(member)
        return child is not None and child.poll() is None

    def signal(self, member, number):
        if self.runs(member):
            os.kill(self.children[member].pid, number)

    def kill(self, member):
        """As a power cut ends a process; returns when it is over."""
        self.signal(member, signal.SIGKILL)
        self.stopped.discard(member)
        if member in self.children:
            self.children.pop(member).wait()

    def terminate(self, member):
        """As a supervisor ends a process; the patience is that of most of them."""
        self.signal(member, signal.SIGTERM)
        if member in self.children:
            try:
                self.children[member].wait(10)
            except subprocess.TimeoutExpired:
                pass
        self.kill(member)

    def stop(self, member):
        self.signal(member, signal.SIGSTOP)
        self.stopped.add(member)

    def go_on(self, member):
        self.signal(member, signal.SIGCONT)
        self.stopped.discard(member)

    def mend(self):
        """Takes away all that is wrong with processes, and starts those that ended."""
        for faults in self.faults.values():
            faults.clear()
        for member in list(self.stopped):
            self.go_on(member)
        for member in list(self.excused):
            # What failed a moment ago may be on its way out.
            try:
                self.children[member].wait(2)
            except (subprocess.TimeoutExpired, KeyError):
                pass
        self.start_all()

    def deaths(self):
        """Members that ended although nothing was done to them, with their last words."""
        for member, child in list(self.children.items()):
            if child.poll() is not None and member not in self.excused:
                lines = text_of(self.log(member)).splitlines()[-3:]
                yield member, f"{member} ended with {child.returncode}: " + " / ".join(lines)

    def end(self):
        for member in list(self.children):
            self.kill(member)


SAID = re.compile(r"from=node-(\d+) event=(serves|leader|follower) term=(\d+)")


class Watcher:
    """Reads the nodes' logs as they are written: who began to serve when."""

    def __init__(self, members):
        self.members = members
        self.offsets = dict.fromkeys(members.nodes, 0)
        # (moment, node, term), in the order in which it was seen.
        self.served = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.stopping.wait(0.01):
            for node in self.members.nodes:
                self.look(node)

    def look(self, node):
        try:
            with open(self.members.log(node), "rb") as file:
                file.seek(self.offsets[node])
                text = file.read()
        except FileNotFoundError:
            return
        end = text.rfind(b"\n") + 1
        self.offsets[node] += end
        for match in SAID.finditer(text[:end].decode(errors="replace")):
            if match[2] == "serves":
                self.served.append((time.monotonic(), int(match[1]), int(match[3])))

    def leader(self):
        """Who began to serve in the highest term; None before anybody did."""
        newest = max(self.served, key=lambda entry: entry[2], default=None)
        return newest and newest[1]

    def stop(self):
        self.stopping.set()
        self.thread.join()
