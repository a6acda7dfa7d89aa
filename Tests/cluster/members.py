#!/usr/bin/env python3
"""Members that come, vote and go, under load: growth from one node to five and back, a wrong address,
a learner that lags, the leader removed, a wiped disk, a disk that went back, a foreign node.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import harness
from harness import BINARY, Daybook, Suite, until
from load import Load, account_for
from wire import ask, bearer, equal, event, holds, replay

BASE = harness.PORTS + 140
ELECTION_MS = 400


class Nodes:
    """Nodes that are started one by one, and a gateway that knows only the founders."""

    def __init__(self, directory, founders, base=BASE):
        self.directory = directory
        self.base = base
        self.genesis = os.path.join(directory, "genesis")
        self.admin = os.path.join(directory, "admin-token")
        self.running = {}
        self.gateway = None
        try:
            self.found(founders)
        except BaseException:
            self.close()
            raise

    def found(self, founders):
        members = ",".join(f"{node}={self.address(node)}" for node in founders)
        self.init("cluster", "--genesis", self.genesis, "--admin-token-file", self.admin,
                  "--members", members)
        for node in founders:
            self.make(node)
            self.start(node)
        self.gateway = Daybook("gateway", "--listen", f"127.0.0.1:{self.base}", "--genesis",
                               self.genesis)
        until(self.is_ready, 20, "the gateway is ready")
        self.admin_token = harness.read_text(self.admin).strip()
        path = os.path.join(self.directory, "token")
        done = self.cli("token", "create", "--application", "planoorder", "--name", "load",
                        "--permission", "*", "--out", path)
        equal(done.returncode, 0, f"the token's making, {done.stderr}")
        self.token = harness.read_text(path).strip()

    def close(self):
        for process in [self.gateway, *self.running.values()]:
            if process:
                process.end(signal.SIGKILL)

    def address(self, node):
        return f"127.0.0.1:{self.base + node}"

    def data(self, node):
        return os.path.join(self.directory, f"node-{node}")

    def is_ready(self):
        with contextlib.suppress(OSError):
            return ask(self.base, "GET", "/health/ready").status == 200
        return False

    @staticmethod
    def init(*arguments):
        done = subprocess.run([BINARY, "init", *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)
        equal(done.returncode, 0, f"the exit code of init, {done.stderr}")

    def make(self, node, *more):
        self.init("node", "--genesis", self.genesis, "--node", str(node), "--data",
                  self.data(node), *more)

    def start(self, node, *more):
        self.running[node] = Daybook(
            "node", "--data", self.data(node), "--listen", self.address(node),
            "--election-timeout-ms", str(ELECTION_MS), "--segment-bytes", "131072", *more)

    def kill(self, node):
        self.running.pop(node).end(signal.SIGKILL)

    def cli(self, *arguments):
        return subprocess.run(
            [BINARY, *arguments, "--to", f"http://127.0.0.1:{self.base}", "--token-file",
             self.admin], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            check=False)

    def member(self, verb, node, *more, expected=0):
        done = self.cli("member", verb, str(node), *more)
        equal(done.returncode, expected,
              f"the exit code of member {verb} {node}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def members(self):
        done = self.cli("member", "list", "--json")
        equal(done.returncode, 0, f"the exit code of member list: {done.stderr}")
        return {row["id"]: row for row in json.loads(done.stdout)["members"]}

    def roles(self):
        return {node: row["member"] for node, row in self.members().items()}

    def add(self, node, *more):
        """The documented way: two commands at the cluster, two at the new machine."""
        self.member("add", node, "--address", self.address(node))
        self.make(node, "--join")
        self.start(node, *more)

    def promote(self, node, seconds=30):
        def done():
            return self.cli("member", "promote", str(node)).returncode == 0
        until(done, seconds, f"node {node} is promoted", 0.1)

    def view(self):
        answer = ask(self.base, "GET", "/v1/cluster", headers=bearer(self.admin_token))
        equal(answer.status, 200, "the status of /v1/cluster")
        return answer.json

    def leader(self, seconds=20):
        def found():
            view = self.view()
            return view["leader"] if view["serves"] else None
        return until(found, seconds, "a leader serves")

    def term(self):
        return self.view()["term"]

    def said(self, node, text, seconds=15):
        until(lambda: text in self.running[node].said(), seconds, f"node {node} says: {text}")


def grow(suite, nodes, load):
    with suite.check("a cluster of one takes a second node as a learner, and commits without it"):
        nodes.add(2)
        equal(nodes.roles(), {1: "voter", 2: "learner"}, "the members")
        load.until_more(100)
        nodes.kill(2)
        load.until_more(100)
        nodes.start(2)
        nodes.promote(2)
        equal(nodes.roles(), {1: "voter", 2: "voter"}, "the members")
        load.until_more(100)
    with suite.check("adding and promoting again change nothing; another address is refused"):
        nodes.member("add", 2, "--address", nodes.address(2))
        nodes.member("promote", 2)
        text = nodes.member("add", 2, "--address", "127.0.0.1:1", expected=1)
        holds("member already" in text, text)
        text = nodes.member("promote", 9, expected=1)
        holds("no member 9" in text, text)
    with suite.check("a third node joins and votes"):
        nodes.add(3)
        nodes.promote(3)
        load.until_more(100)
    with suite.check("a learner that lags is refused, and the refusal says by how much"):
        nodes.add(4)
        until(lambda: nodes.members()[4]["lag_entries"] < 1000, 20, "4 catches up")
        process = nodes.running[4].pid
        os.kill(process, signal.SIGSTOP)
        try:
            load.until_more(300)
            text = nodes.member("promote", 4, expected=1)
            holds(re.search(r"Node 4 lacks \d+ entries", text), text)
            equal(nodes.roles()[4], "learner", "the role of 4")
        finally:
            os.kill(process, signal.SIGCONT)
        nodes.promote(4)
    with suite.check("a fifth node joins: five voters"):
        nodes.add(5)
        nodes.promote(5)
        equal(set(nodes.roles().values()), {"voter"}, "the roles")
        load.until_more(100)


def wrong_address(suite, nodes, load):
    with suite.check("a mistyped address costs nothing: the member stays a learner"):
        nodes.member("add", 6, "--address", f"127.0.0.1:{nodes.base + 9}")
        load.until_more(100)
        text = nodes.member("promote", 6, expected=1)
        holds("lacks" in text, text)
        equal(nodes.roles()[6], "learner", "the role of 6")
        nodes.member("remove", 6)
        holds(6 not in nodes.roles(), "6 is there yet")
        load.until_more(100)


def far_behind(suite, nodes, load):
    with suite.check("a node that is far behind says how far its takeover is, at its own pace"):
        lines = "".join(
            json.dumps(event(f"far-{number}", notes=["x" * 1_500])) + "\n"
            for number in range(8_000))
        answer = ask(nodes.base, "POST", "/v1/events", lines.encode(),
                     [*bearer(nodes.token), ("Content-Type", "application/x-ndjson")], 60)
        equal(answer.status, 200, "the status of the bulk")
        nodes.add(7, "--fetch-mib-per-s", "1")
        seen = []

        def is_under_way():
            seen.extend(row["takeover"] for row in nodes.view()["nodes"]
                        if row["id"] == 7 and "takeover" in row)
            return any(0 < row["fetched_bytes"] < row["total_bytes"] for row in seen)
        until(is_under_way, 30, "its takeover is seen")
        status = nodes.cli("status").stdout
        holds("node 7 is far behind and takes over" in status, status)
        load.until_more(100)
        equal([row["fetched_bytes"] for row in seen],
              sorted(row["fetched_bytes"] for row in seen), "the progress")
        until(lambda: nodes.members()[7]["lag_entries"] < 1000, 60, "7 catches up")
        nodes.member("remove", 7)
        nodes.kill(7)


def wiped_disk(suite, nodes, load):
    node = next(number for number in nodes.roles() if number != nodes.leader())
    with suite.check("a wiped disk has no vote: the leader refuses it, and it says so"):
        nodes.kill(node)
        shutil.rmtree(nodes.data(node))
        nodes.make(node, "--join")
        nodes.start(node)
        nodes.said(node, "has another disk")
        load.until_more(100)
        holds(not nodes.members()[node]["reachable"], "the wiped disk counts")
    with suite.check("removed, added and promoted it is a voter again"):
        nodes.member("remove", node)
        nodes.member("add", node, "--address", nodes.address(node))
        nodes.promote(node)
        load.until_more(100)


def rolled_back_disk(suite, nodes, load):
    leader = nodes.leader()
    node = next(number for number in nodes.roles() if number != leader)
    copy = nodes.data(node) + "-before"
    with suite.check("a disk that went back to an earlier state is noticed and does not count"):
        nodes.kill(node)
        shutil.copytree(nodes.data(node), copy)
        nodes.start(node)
        until(lambda: nodes.members()[node]["reachable"], 20, "it is back")
        load.until_more(300)
        until(lambda: nodes.members()[node]["lag_entries"] < 100, 20, "it has caught up")
        nodes.kill(node)
        shutil.rmtree(nodes.data(node))
        os.rename(copy, nodes.data(node))
        nodes.start(node)
        nodes.said(node, "went back")
        holds(nodes.members()[node]["disk_went_back"], "the list does not say so")
        load.until_more(100)
    with suite.check("removed, added and promoted it is a voter again"):
        nodes.member("remove", node)
        nodes.member("add", node, "--address", nodes.address(node))
        nodes.promote(node)
        load.until_more(100)


def foreign_node(suite, nodes):
    with suite.check("a node of another cluster is refused, by either side"):
        genesis = os.path.join(nodes.directory, "foreign")
        data = os.path.join(nodes.directory, "foreign-node")
        known = next(iter(nodes.roles()))
        nodes.init("cluster", "--genesis", genesis, "--admin-token-file", genesis + "-token",
                   "--members", f"{known}={nodes.address(known)},8={nodes.address(8)}")
        nodes.init("node", "--genesis", genesis, "--node", "8", "--data", data)
        with Daybook("node", "--data", data) as process:
            until(lambda: "is not this cluster" in process.said(), 15, "the foreigner says so")
        nodes.said(known, "is not this cluster")


def removed_leader(suite, nodes, load):
    leader = nodes.leader()
    with suite.check("the leader is removed: it hands over first, and nobody waits"):
        nodes.member("remove", leader)
        holds(leader not in nodes.roles(), "it is there yet")
        holds(nodes.leader() != leader, "it leads yet")
        holds("hands over" in nodes.running[leader].said(), "it did not hand over")
        load.until_more(100)
    with suite.check("a removed node says so and stands for no election"):
        nodes.said(leader, "stands for no election")
        term = nodes.term()
        deadline = time.monotonic() + 4 * ELECTION_MS / 1000
        until(lambda: time.monotonic() > deadline, 10, "four election timeouts have passed")
        equal(nodes.term(), term, "the term")
        nodes.kill(leader)
        nodes.start(leader)
        nodes.said(leader, "stands for no election")
        equal(nodes.term(), term, "the term")
        nodes.kill(leader)
    load.until_more(100)


def shrink(suite, nodes, load):
    with suite.check("back to one node, the founder gone: the gateway follows"):
        with contextlib.suppress(KeyError):
            if 1 in nodes.roles():
                nodes.member("remove", 1)
                nodes.kill(1)
        while len(nodes.roles()) > 1:
            node = max(number for number in nodes.roles())
            nodes.member("remove", node)
            nodes.kill(node)
            load.until_more(50)
        text = nodes.member("remove", next(iter(nodes.roles())), expected=1)
        holds("only voter" in text, text)
    with suite.check("a gateway that is started now reaches the cluster by --nodes"):
        node = next(iter(nodes.roles()))
        with Daybook("gateway", "--listen", f"127.0.0.1:{nodes.base + 10}", "--genesis",
                     nodes.genesis, "--nodes", f"{node}={nodes.address(node)}"):
            def is_ready():
                with contextlib.suppress(OSError):
                    return ask(nodes.base + 10, "GET", "/health/ready").status == 200
                return False
            until(is_ready, 15, "the second gateway is ready")


def main():
    suite = Suite()
    with tempfile.TemporaryDirectory(prefix="daybook-members-") as directory:
        nodes = Nodes(directory, [1])
        try:
            with Load(nodes.base, nodes.token, "members") as load:
                grow(suite, nodes, load)
                wrong_address(suite, nodes, load)
                far_behind(suite, nodes, load)
                wiped_disk(suite, nodes, load)
                rolled_back_disk(suite, nodes, load)
                foreign_node(suite, nodes)
                removed_leader(suite, nodes, load)
                shrink(suite, nodes, load)
            with suite.check("every acknowledged event is there once, in order"):
                equal(load.errors, [], "answers that are neither 200 nor 503")
                rows = replay(nodes.base, nodes.token, "resource=all")
                account_for(load.acknowledged, rows)
            suite.note(f"{len(load.acknowledged)} events acknowledged, {load.retries} retries")
        finally:
            if suite.failures:
                for node, process in nodes.running.items():
                    suite.note(f"node {node}:\n" + process.said()[-3000:])
            nodes.close()
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
