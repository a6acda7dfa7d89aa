#!/usr/bin/env python3
"""Two of three nodes down: refused in time, stale reads marked, and service back by itself.

Then a leader that is stopped rather than dead, and goes on later.
"""

import os
import signal
import sys
import threading
import time

import harness
from harness import Cluster, Suite, until
from load import Load, account_for
from wire import CREATE, ask, bearer, equal, event, holds, post, replay

READ = "/api/v1/audit_events_fmp/read"
# The gateway waits five seconds for a leader; the rest is for a busy machine.
DEADLINE_SECONDS = 7


def refused(answer, began):
    """Checks an answer of the compatible surface that says `not-ready`; returns its outcome."""
    elapsed = time.monotonic() - began
    equal(answer.status, 503, f"the status of {answer.body!r}")
    equal(answer.json["status"], "not-ready", "the word")
    holds(int(answer.header("retry-after")) >= 1, "Retry-After is a number of seconds")
    holds(elapsed <= DEADLINE_SECONDS, f"it took {elapsed:.1f} s")
    return answer.json["data"]["outcome"]


def kill_two(cluster):
    """Kills the leader and one more; returns who is left and who is down."""
    leader = cluster.leader()
    other = next(node for node in (1, 2, 3) if node != leader)
    os.kill(cluster.pid(other), signal.SIGKILL)
    os.kill(cluster.pid(leader), signal.SIGKILL)
    return next(node for node in (1, 2, 3) if node not in (leader, other)), [leader, other]


def check_refusals(suite, cluster):
    base, token = cluster.base, cluster.token
    with suite.check("ready is 503 and says why, live is 200"):
        until(lambda: ask(base, "GET", "/health/ready").status == 503, 10, "ready is 503")
        ready = ask(base, "GET", "/health/ready?verbose")
        holds(b"leads" in ready.body, f"the reason is named: {ready.body!r}")
        holds(ready.header("retry-after"), "Retry-After")
        equal(ask(base, "GET", "/health/live").status, 200, "live")
    with suite.check("a create is not-ready with its outcome within the deadline"):
        began = time.monotonic()
        outcome = refused(post(base, CREATE, event("minority-1", token=token)), began)
        equal(outcome, "none", "nobody took it, so nothing was appended")
    with suite.check("a read is not-ready"):
        began = time.monotonic()
        refused(post(base, READ, {"token": token, "unique_id": "kept"}), began)
    for target in ("/v1/events", "/v1/events/kept"):
        with suite.check(f"GET {target} is 503"):
            answer = ask(base, "GET", target, headers=bearer(token))
            equal(answer.status, 503, "the status")
            equal(answer.header("content-type"), "application/problem+json", "the content type")
            holds(answer.header("retry-after"), "Retry-After")
    with suite.check("a bulk append says not-ready on each line"):
        answer = ask(base, "POST", "/v1/events", b'{"unique_id":"b-1"}\n'
                     + b'{"unique_id":"b-2","script_name":"s","host_name":"h","file_name":"f",'
                     + b'"start_time":"2026-11-24"}\n',
                     bearer(token) + [("Content-Type", "application/x-ndjson")])
        holds(answer.status in (200, 503), f"the status {answer.status}")
        if answer.status == 200:
            equal([line["status"] for line in answer.lines], ["missing-param", "not-ready"],
                  "the lines")


def check_stale(suite, cluster):
    base, headers = cluster.base, bearer(cluster.token)

    def age(answer):
        equal(answer.status, 200, f"the status of {answer.body[:200]!r}")
        return float(answer.header("daybook-stale-age"))
    with suite.check("stale reads are answered, and say how old they may be"):
        first = ask(base, "GET", "/v1/events/kept?stale=true", headers=headers)
        equal(first.json["unique_id"], "kept", "the event")
        holds(age(first) > 0, "the age is above 0")
        until(lambda: age(ask(base, "GET", "/v1/events/kept?stale=true", headers=headers))
              > age(first), 5, "the age grows")
    with suite.check("a stale replay is answered, and says its age"):
        answer = ask(base, "GET", "/v1/events?stale=true", headers=headers)
        holds(age(answer) > 0, "the age is above 0")
        equal([row["unique_id"] for row in answer.lines], ["kept"], "the events")


def two_of_three(suite):
    with Cluster(harness.PORTS + 40, suite=suite) as cluster:
        with suite.check("an event is kept while all run"):
            equal(post(cluster.base, CREATE, event("kept", token=cluster.token)).status, 200,
                  "the status")
            cluster.until_equal()
        left, down = kill_two(cluster)
        check_refusals(suite, cluster)
        check_stale(suite, cluster)
        with suite.check("status names who is down, and ends with 0"):
            roles = {node["id"]: node["role"] for node in cluster.status()["nodes"]}
            equal({node for node, role in roles.items() if role == "down"}, set(down), "down")
            holds(roles[left] in ("follower", "leader"), f"node {left} is {roles[left]}")
        with suite.check("a create that waits is served when a node comes back by itself"):
            answers = []
            poster = threading.Thread(target=lambda: answers.append(
                post(cluster.base, CREATE, event("waited", token=cluster.token))))
            cluster.restart(down[0])
            poster.start()
            poster.join(30)
            equal([answer.status for answer in answers], [200], "the answers")
            cluster.until_ready()
        with suite.check("what was refused may be sent again, and is there once"):
            answer = post(cluster.base, CREATE, event("minority-1", token=cluster.token))
            equal(answer.status, 200, "the status")
            cluster.restart(down[1])
            cluster.until_equal()
            rows = [row["unique_id"] for row in replay(cluster.base, cluster.token)]
            equal(sorted(row for row in rows if row != "b-2"),
                  ["kept", "minority-1", "waited"], "the events")


def unknown_outcome(suite):
    """A leader that took the event and cannot commit it: nobody knows what becomes of it."""
    with Cluster(harness.PORTS + 40, suite=suite) as cluster:
        leader = cluster.leader()
        others = [node for node in (1, 2, 3) if node != leader]
        stopped = [cluster.pid(node) for node in others]
        try:
            with suite.check("an event that a leader took and could not commit is unknown"):
                for pid in stopped:
                    os.kill(pid, signal.SIGSTOP)
                began = time.monotonic()
                answer = post(cluster.base, CREATE, event("unknown", token=cluster.token))
                equal(refused(answer, began), "unknown", "the outcome")
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        with suite.check("sent again it is there once"):
            cluster.leader()
            answer = post(cluster.base, CREATE, event("unknown", token=cluster.token))
            equal(answer.status, 200, f"the status of {answer.body!r}")
            rows = replay(cluster.base, cluster.token)
            equal([row["unique_id"] for row in rows], ["unknown"], "the events")


def stopped_leader(suite):
    """A leader that stops for a while, as a hung machine does, and then believes that it leads."""
    with Cluster(harness.PORTS + 40, suite=suite) as cluster:
        with Load(cluster.base, cluster.token, "stopped") as load:
            for turn in range(3):
                leader = cluster.leader()
                pid = cluster.pid(leader)
                with suite.check(f"turn {turn + 1}: a stopped leader is replaced, and returns"):
                    load.until_more(50)
                    os.kill(pid, signal.SIGSTOP)
                    try:
                        moment = time.monotonic()
                        load.until_more(200, 15)
                        suite.note(f"{time.monotonic() - moment:.2f} s until 200 more events")
                    finally:
                        os.kill(pid, signal.SIGCONT)
                    until(lambda: cluster.view()[leader].get("role") == "follower", 15,
                          "the old leader follows")
        with suite.check("nothing acknowledged is lost, doubled, moved or changed"):
            equal(load.errors, [], "answers that are neither 200 nor 503")
            account_for(load.acknowledged, replay(cluster.base, cluster.token, "resource=all"))
        with suite.check("all three end with the same commit"):
            cluster.until_equal()


def main():
    suite = Suite()
    two_of_three(suite)
    unknown_outcome(suite)
    stopped_leader(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
