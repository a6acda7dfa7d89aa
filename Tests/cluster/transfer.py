#!/usr/bin/env python3
"""Leadership handed over on request and before a clean stop, under load: nobody waits for an election.

An election begins after an election timeout at the earliest; handing over takes a few round trips.
"""

import os
import signal
import subprocess
import sys
import time

import harness
from failover import longest_gap
from harness import BINARY, Cluster, Suite, until
from load import Load, account_for
from wire import equal, holds, replay

TURNS = 6
STOPS = 4


def transfer(cluster, node, token="admin-token", base=None):
    """Runs daybook transfer to its end."""
    return subprocess.run(
        [BINARY, "transfer", str(node), "--to", f"http://127.0.0.1:{base or cluster.base}",
         "--token-file", os.path.join(cluster.directory, token)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


def term(cluster):
    """Each election raises it; who is told to stand needs one."""
    return max(node["term"] for node in cluster.view().values() if node["reachable"])


def hand_around(suite, cluster, load):
    gaps = []
    with suite.check(f"{TURNS} transfers: each returns once the node leads and takes events"):
        before = term(cluster)
        for turn in range(TURNS):
            node = cluster.leader() % 3 + 1
            load.until_more(suite.random.randint(1, 200))
            moment = time.monotonic()
            done = transfer(cluster, node)
            equal(done.returncode, 0, f"the exit code, {done.stdout}{done.stderr}")
            holds(f"node {node} leads and takes events" in done.stdout, done.stdout)
            equal(cluster.leader(seconds=0), node, f"the leader after transfer {turn}")
            load.until_more(50)
            gaps.append(longest_gap(load, moment, time.monotonic()))
        equal(term(cluster), before + TURNS, "the term")
    suite.note("without service: " + ", ".join(f"{gap * 1000:.0f} ms" for gap in gaps))


def refusals(suite, cluster):
    leader = cluster.leader()
    with suite.check("who leads already is said to, with 0"):
        done = transfer(cluster, leader)
        equal(done.returncode, 0, "the exit code")
        holds(f"node {leader} leads already" in done.stdout, done.stdout)
    with suite.check("no member, no administrator, no number, no gateway: 1, 1, 2, 3"):
        for arguments, code, text in [
                ((9,), 1, "not a member with a vote"), ((1, "token"), 1, "permission-denied"),
                (("x",), 2, "number of a node"), ((1, "admin-token", 1), 3, "")]:
            done = transfer(cluster, *arguments)
            equal(done.returncode, code, f"the exit code of {arguments}")
            holds(text in done.stderr, f"{arguments}: {done.stderr}")
    with suite.check("a node that is down is not handed over to, and the leader goes on"):
        down = leader % 3 + 1
        cluster.kill(down)
        until(lambda: "does not answer" in transfer(cluster, down).stderr, 5, "a refusal")
        equal(cluster.leader(), leader, "the leader")
        cluster.restart(down)


def clean_stops(suite, cluster, load):
    gaps = []
    with suite.check(f"{STOPS} leaders told to end hand over first"):
        before = term(cluster)
        for _ in range(STOPS):
            leader = cluster.leader()
            load.until_more(suite.random.randint(1, 200))
            moment = time.monotonic()
            pid = cluster.pid(leader)
            os.kill(pid, signal.SIGTERM)
            until(lambda: not harness.is_running(pid), 5, "the leader ends")
            load.until_more(50)
            gaps.append(longest_gap(load, moment, time.monotonic()))
            holds(cluster.leader() != leader, "another leads")
            cluster.restart(leader)
            until(lambda node=leader: cluster.view()[node]["reachable"], 10, "it is back")
        equal(term(cluster), before + STOPS, "the term")
    suite.note("without service: " + ", ".join(f"{gap * 1000:.0f} ms" for gap in gaps))


def main():
    suite = Suite()
    with Cluster(harness.PORTS + 30, suite=suite) as cluster:
        with Load(cluster.base, cluster.token, "transfer") as load:
            hand_around(suite, cluster, load)
            clean_stops(suite, cluster, load)
        with suite.check("nothing acknowledged is lost, doubled, moved or changed"):
            equal(load.errors, [], "answers that are neither 200 nor 503")
            account_for(load.acknowledged, replay(cluster.base, cluster.token, "resource=all"))
            suite.note(f"{len(load.acknowledged)} events acknowledged, {load.retries} retries")
        refusals(suite, cluster)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
