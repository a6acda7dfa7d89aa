#!/usr/bin/env python3
"""Compaction, legal holds and erasure by real processes: what the files hold and what clients see.

Segments are small here, so that a few thousand events fill many.
"""

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys

import harness
from harness import BINARY, Cluster, Suite, is_running, until
from wire import CREATE, ask, bearer, equal, event, holds, json_lines, post, replay

SEGMENT_BYTES = 128 * 1024
IDS = 60
NODES = (1, 2, 3)


def daybook(cluster, *arguments, code=0, token="admin-token", timeout=180):
    """Runs a command to its end; returns its standard output, or what it refused."""
    done = subprocess.run(
        [BINARY, *arguments, "--to", f"http://127.0.0.1:{cluster.base}", "--token-file",
         os.path.join(cluster.directory, token)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
    equal(done.returncode, code, f"the exit code of {arguments}, {done.stdout}{done.stderr}")
    return done.stdout if code == 0 else done.stderr


def compact(cluster, *arguments):
    return json.loads(daybook(cluster, "compact", "--wait", "--json", *arguments))


def append(cluster, events):
    """Posts events in bulk; returns the receipts."""
    receipts = []
    for start in range(0, len(events), 500):
        answer = ask(
            cluster.base, "POST", "/v1/events", json_lines(events[start:start + 500]),
            bearer(cluster.token) + [("Content-Type", "application/x-ndjson")], timeout=60)
        equal(answer.status, 200, "the status of a bulk post")
        holds(all(line["code"] == 200 for line in answer.lines), f"{answer.lines[:1]}")
        receipts += [line["data"] for line in answer.lines]
    return receipts


def revision(number, turn):
    return event(f"id-{number}", notes=[f"turn {turn} of id-{number}", "x" * 300])


def fill(cluster, turns):
    """Several revisions of every id; returns event and receipt of each."""
    events = [revision(number, turn) for turn in turns for number in range(IDS)]
    return list(zip(events, append(cluster, events)))


def digests(cluster, node):
    """The archived segments of a node's directory, by name: all but the last."""
    directory = cluster.data(node)
    names = sorted(name for name in os.listdir(directory)
                   if re.fullmatch(r"[0-9]{20}(\.[0-9]+)?\.segment", name))
    found = {}
    for name in names[:-1]:
        with open(os.path.join(directory, name), "rb") as file:
            found[name] = hashlib.sha256(file.read()).hexdigest()
    return found


def same_digests(cluster, seconds=60):
    """Waits until all nodes have the same files; returns them."""
    def same():
        found = [digests(cluster, node) for node in NODES]
        return found[0] if found[0] == found[1] == found[2] and found[0] else None
    try:
        return until(same, seconds, "all nodes have the same segments")
    except AssertionError:
        names = [sorted(digests(cluster, node)) for node in NODES]
        raise AssertionError(f"the segments differ: {names}") from None


def history(cluster, unique_id):
    return [json.loads(line) for line in
            daybook(cluster, "history", "--json", unique_id, token="token").splitlines()]


def files_with(cluster, text):
    """Names of the files of all nodes that hold the text."""
    found = []
    for node in NODES:
        directory = cluster.data(node)
        for name in sorted(os.listdir(directory)):
            with contextlib.suppress(FileNotFoundError), \
                    open(os.path.join(directory, name), "rb") as file:
                if text.encode() in file.read():
                    found.append(f"node {node}: {name}")
    return found


def metric(cluster, name):
    text = ask(cluster.base, "GET", "/metrics").body.decode()
    return [float(value) for value in
            re.findall(rf'^{name}{{node="[0-9]+"}} ([0-9.e+]+)$', text, re.MULTILINE)]


def keeping_latest(suite, cluster):
    first = fill(cluster, range(12))
    with suite.check("a legal hold is added, listed and refused to others"):
        daybook(cluster, "hold", "add", "id-7", "--reason", "case 4711")
        rows = [json.loads(line) for line in
                daybook(cluster, "hold", "list", "--json").splitlines()]
        equal([(row["unique_id"], row["reason"]) for row in rows], [("id-7", "case 4711")],
              "the holds")
        holds("permission-denied" in daybook(
            cluster, "hold", "add", "id-8", "--reason", "r", code=1, token="token"), "403")
    with suite.check("a dry run says what would go and changes nothing"):
        cluster.until_equal()
        before = [digests(cluster, node) for node in NODES]
        plan = json.loads(daybook(cluster, "compact", "--dry-run", "--json"))
        holds(plan["events_gone"] > 100, f"events that go: {plan['events_gone']}")
        holds(plan["bytes_after"] < plan["bytes_before"], "bytes come back")
        equal([digests(cluster, node) for node in NODES], before, "the files")
    with suite.check("compact --wait: less is there, and the same on all nodes"):
        result = compact(cluster)
        equal(result["state"], "completed", "the state")
        holds(result["events_compacted"] >= plan["events_gone"], f"{result}")
        holds(result["bytes_after"] < result["bytes_before"], f"{result}")
        files = same_digests(cluster, seconds=5)
        holds(any(".1.segment" in name for name in files), f"generation 1: {sorted(files)}")
        suite.note(f"{result['segments']} segments, {result['events_compacted']} events, "
                   f"{result['bytes_before']} -> {result['bytes_after']} bytes")
    with suite.check("a second run has nothing to take away"):
        again = compact(cluster)
        equal((again["state"], again["events_compacted"]), ("completed", 0), "what was done")
    with suite.check("a repeated post of a revision that went gets its first receipt"):
        for sent, receipt in first[::97]:
            answer = post(cluster.base, CREATE, {**sent, "token": cluster.token})
            equal(answer.json["data"], {**receipt, "duplicate": True}, "the receipt")
    with suite.check("history names what was compacted away; what is held is all there"):
        rows = history(cluster, "id-3")
        equal(len(rows), 12, "the rows")
        equal([row.get("compacted", False) for row in sorted(
            rows, key=lambda row: row["revision"])], [True] * 11 + [False], "compacted rows")
        holds(not any(row.get("compacted") for row in history(cluster, "id-7")), "id-7")
    with suite.check("replay shows the rest: the newest revisions, and all of what is held"):
        rows = replay(cluster.base, cluster.token)
        ids = [row["unique_id"] for row in rows]
        equal(len(ids), IDS - 1 + 12, "the rows")
        equal(len(set(ids)), IDS, "the ids")
    with suite.check("status and metrics say what was done"):
        holds("completed" in daybook(cluster, "status"), "the status")
        compacted = metric(cluster, "daybook_node_events_compacted_total")
        equal(len(compacted), 3, "nodes")
        holds(all(count >= 100 for count in compacted), f"{compacted}")


def erasing(suite, cluster):
    secret = "a-secret-Rumpelstilzchen"
    note = "ach-wie-gut-dass-niemand-weiss"
    with suite.check("under a hold an erasure is refused"):
        holds("held" in daybook(cluster, "erase", "id-7", "--reason", "r", code=1), "held")
        daybook(cluster, "hold", "remove", "id-7")
    daybook(cluster, "hold", "add", secret, "--reason", "case 1")
    append(cluster, [event(secret, notes=[note, turn]) for turn in range(3)])
    fill(cluster, range(20, 24))
    append(cluster, [event(secret, notes=[note, "newest"])])
    daybook(cluster, "hold", "remove", secret)
    holds(files_with(cluster, note), "the note is in files")
    with suite.check("erase hides at once"):
        daybook(cluster, "erase", secret, "--reason", "request 12")
        rows = history(cluster, secret)
        holds(rows and all(row.get("erased") for row in rows), f"{rows}")
        holds(note not in json.dumps(replay(cluster.base, cluster.token)), "replay")
        answer = post(cluster.base, CREATE, event(
            secret, notes=["new"], token=cluster.token)).json
        equal((answer["code"], answer["data"].get("erased")), (200, True), "a later post")
    with suite.check("and leaves no byte in any file of any node"):
        daybook(cluster, "erase", secret, "--reason", "request 12", "--wait")
        until(lambda: not files_with(cluster, note), 5, "no file holds the note")
        equal(files_with(cluster, note), [], "files with the note")
        equal(files_with(cluster, secret), [], "files with the unique_id")
        same_digests(cluster, seconds=10)
        equal(metric(cluster, "daybook_node_erasures_pending"), [0, 0, 0], "what is pending")
    with suite.check("POST …/erase does the same, for an administrator alone"):
        append(cluster, [event("another-secret", notes=[note])])
        path = "/api/v1/audit_events_fmp/erase"
        request = {"unique_id": "another-secret", "reason": "request 13"}
        equal(post(cluster.base, path, {**request, "token": cluster.token}).status, 403, "status")
        answer = post(cluster.base, path, {**request, "token": cluster.admin_token})
        equal((answer.status, answer.json["data"]), (200, {"erased": True, "events": 1}), "answer")
        until(lambda: not files_with(cluster, note), 30, "no file holds the note")


def killed(suite, cluster):
    """Nodes die while a compaction is made, and come back."""
    for turn in range(4):
        victim = cluster.leader() if turn % 2 else cluster.leader() % 3 + 1
        with suite.check(f"kill -9 of node {victim} in the middle of a run; all ends equal"):
            fill(cluster, range(100 + 4 * turn, 104 + 4 * turn))
            daybook(cluster, "compact")
            pid = cluster.pid(victim)
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: not is_running(pid), 10, "it is gone")
            cluster.restart(victim)
            cluster.until_ready()
            until(lambda: not any(
                node["compaction"]["run"] == 0 for node in cluster.view().values()
                if node["reachable"]), 30, "all know the run")
            until(lambda: json.loads(daybook(cluster, "status", "--json"))["compaction"]["run"][
                "state"] != "under-way", 60, "the run is over")
            result = compact(cluster)
            equal(result["state"], "completed", "the state")
            same_digests(cluster)


def damaged(suite, cluster):
    """One node cannot read what it should compact: it takes what the others made."""
    node = cluster.leader() % 3 + 1
    with suite.check(f"an input of node {node} is damaged: it gets the outputs from the others"):
        fill(cluster, range(150, 162))
        cluster.until_equal()
        pid = cluster.pid(node)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not is_running(pid), 10, "it is gone")
        directory = cluster.data(node)
        # Of those that were never compacted, the one that holds most: much of it will go.
        name = max((name for name in digests(cluster, node) if name.count(".") == 1),
                   key=lambda name: (os.path.getsize(os.path.join(directory, name)), name))
        with open(os.path.join(directory, name), "r+b") as file:
            file.seek(os.path.getsize(file.name) // 2)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 0x10]))
        cluster.restart(node)
        cluster.until_ready()
        equal(compact(cluster)["state"], "completed", "the state")
        same_digests(cluster)
        holds("takes no part in a compaction" in cluster.log(node), "it says so")


def away(suite, cluster):
    """A node that was down meanwhile."""
    node = cluster.leader() % 3 + 1
    with suite.check(f"node {node} was down during a run: it catches up to the same files"):
        pid = cluster.pid(node)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not is_running(pid), 10, "it is gone")
        for turn in range(3):
            fill(cluster, range(200 + 8 * turn, 208 + 8 * turn))
            compact(cluster)
        cluster.restart(node)
        cluster.until_equal(seconds=60)
        same_digests(cluster)
    with suite.check("and shows the same events when it leads"):
        rows = replay(cluster.base, cluster.token, "resource=all")
        daybook(cluster, "transfer", str(node))
        kept = [row for row in replay(cluster.base, cluster.token, "resource=all")]
        equal(kept[:len(rows)], rows, "the rows")


def main():
    os.environ["DAYBOOK_SEGMENT_BYTES"] = str(SEGMENT_BYTES)
    suite = Suite()
    with Cluster(harness.PORTS + 65, suite=suite) as cluster:
        keeping_latest(suite, cluster)
        erasing(suite, cluster)
        killed(suite, cluster)
        damaged(suite, cluster)
        away(suite, cluster)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
