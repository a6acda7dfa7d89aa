#!/usr/bin/env python3
"""What disks do to nodes: power cuts of all at once, two processes, no room.

Loss of unsynced writes is the simulator's subject; here real files are written by real processes.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import harness
from harness import BINARY, Cluster, Daybook, Suite, is_running, until
from load import Load, account_for
from wire import CREATE, bearer, ask, equal, event, holds, json_lines, post, replay

POWER_CUTS = 5
DISK_BYTES = 40 * 1024 * 1024


def segments(directory):
    """Paths of the segments that hold entries, in order."""
    return [os.path.join(directory, name) for name in sorted(os.listdir(directory))
            if re.fullmatch(r"[0-9]{20}\.segment", name)]


def fill(cluster, megabytes, name="fill"):
    """Appends events until the log has that much more; returns how many were recorded."""
    notes = ["x" * 60000]
    recorded = 0
    for part in range(megabytes // 8 + 1):
        lines = json_lines(event(f"{name}-{part}-{number}", notes=notes) for number in range(140))
        answer = ask(cluster.base, "POST", "/v1/events", lines, bearer(cluster.token)
                     + [("Content-Type", "application/x-ndjson")], timeout=60)
        holds(all(line["code"] == 200 for line in answer.lines), "all are recorded")
        recorded += len(answer.lines)
    return recorded


def power_cuts(suite):
    """All processes killed at once under load, again and again."""
    with Cluster(harness.PORTS + 60, suite=suite) as cluster:
        acknowledged = []
        for turn in range(POWER_CUTS):
            with suite.check(f"power cut {turn + 1}: all nodes killed under load, all is there"):
                with Load(cluster.base, cluster.token, f"cut-{turn}") as load:
                    load.until_more(suite.random.randint(50, 600))
                    pids = [cluster.pid(member) for member in (1, 2, 3)]
                    for pid in pids:
                        os.kill(pid, signal.SIGKILL)
                    load.stopping.set()
                    until(lambda: not any(map(is_running, pids)), 10, "they are gone")
                    cluster.start()
                equal(load.errors, [], "answers that are neither 200 nor 503")
                acknowledged += load.acknowledged
                cluster.until_ready()
                rows = replay(cluster.base, cluster.token, "resource=all")
                account_for(acknowledged, rows)
        suite.note(f"{len(acknowledged)} events acknowledged over {POWER_CUTS} power cuts")
        with suite.check("a torn write at the end of a killed node's log is cut, and said"):
            cut_torn_tail(cluster)


def cut_torn_tail(cluster):
    """A half-written entry behind the last one, as a power cut leaves it."""
    node = next(number for number in (1, 2, 3) if number != cluster.leader())
    os.kill(cluster.pid(node), signal.SIGKILL)
    until(lambda: cluster.pid(node) is None, 10, "it is gone")
    path = segments(cluster.data(node))[-1]
    with open(path, "r+b") as file:
        end = -(-len(file.read().rstrip(b"\0")) // 8) * 8
        file.seek(end)
        file.write(b"\x01\x02\x00\x00\x40" + b"torn")
    cluster.restart(node)
    cluster.until_equal()
    log = cluster.log(node)
    holds("cut a torn write" in log, "the log says that it cut")
    holds(os.path.basename(path) in log, "the log names the file")


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def stop(cluster, node):
    pid = cluster.pid(node)
    os.kill(pid, signal.SIGTERM)
    until(lambda: not is_running(pid), 10, "the node ends")


def node_arguments(cluster, node, data=None):
    return ["node", "--data", data or cluster.data(node), "--listen",
            f"127.0.0.1:{cluster.base + node}", "--election-timeout-ms", "500"]


def one_directory(suite):
    """A data directory is one process's own, and a foreign or empty one nobody's."""
    with Cluster(harness.PORTS + 60, suite=suite) as cluster:
        with suite.check("a second process on a data directory is refused"):
            with Daybook("node", "--data", cluster.data(1), "--listen",
                         f"127.0.0.1:{cluster.base + 7}") as second:
                holds(second.wait(10) > 0, "the exit code")
                holds("in use" in second.said(), f"the reason: {second.said()}")
            equal(post(cluster.base, CREATE, event("on", token=cluster.token)).status, 200,
                  "the status of a create")
        with suite.check("a directory without a node is refused"):
            with tempfile.TemporaryDirectory() as empty:
                with Daybook("node", "--data", empty, "--listen", "127.0.0.1:0") as process:
                    holds(process.wait(10) > 0, "the exit code")
                    holds("init node" in process.said(), f"the way out: {process.said()}")
                equal(os.listdir(empty) in ([], ["lock"]), True, "nothing is written there")
        with suite.check("a node does not start where another one's data are"):
            done = subprocess.run(
                [BINARY, "init", "node", "--genesis", os.path.join(cluster.directory, "genesis"),
                 "--node", "2", "--data", cluster.data(3)], capture_output=True, text=True,
                timeout=20, check=False)
            holds(done.returncode > 0, "the exit code")


@contextlib.contextmanager
def small_disk():
    """A file system of DISK_BYTES in memory; None where this user may not mount."""
    path = tempfile.mkdtemp(prefix="daybook-disk-")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", path],
        capture_output=True, check=False).returncode == 0
    try:
        yield path if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", path], check=True)
        os.rmdir(path)


def full_disk(suite):
    """One node's disk has no more room: it says so and ends, and two go on."""
    with small_disk() as disk:
        if disk is None:
            suite.note("no full disk: this user may not mount a file system")
            return
        with Cluster(harness.PORTS + 60, suite=suite) as cluster:
            node = next(number for number in (1, 2, 3) if number != cluster.leader())
            stop(cluster, node)
            data = os.path.join(disk, "node")
            shutil.copytree(cluster.data(node), data)
            with Daybook(*node_arguments(cluster, node, data)) as process:
                with suite.check("a node whose disk is full says so and ends, two go on"):
                    cluster.until_equal()
                    before = fill(cluster, 40)
                    holds(process.wait(20) > 0, f"the exit code: {process.said()}")
                    holds("errno 28" in process.said() or "No space" in process.said(),
                          f"it says why: {process.said()}")
                    before += fill(cluster, 8, "more")
                    equal(len(replay(cluster.base, cluster.token)), before, "the events")
                with suite.check("it starts on the full disk or says why it does not"):
                    start_on_full_disk(cluster, node, data)


def start_on_full_disk(cluster, node, data):
    with Daybook(*node_arguments(cluster, node, data)) as process:
        def decided():
            return not is_running(process.pid) or "linked" in process.said()
        until(decided, 20, "it ends or joins")
        if is_running(process.pid):
            with contextlib.suppress(AssertionError):
                process.wait(3)
        code = process.process.poll()
        holds(code is None or code > 0, f"the exit code {code}: {process.said()}")
        holds(code is None or "errno 28" in process.said(), f"it says why: {process.said()}")


def main():
    suite = Suite()
    power_cuts(suite)
    one_directory(suite)
    full_disk(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
