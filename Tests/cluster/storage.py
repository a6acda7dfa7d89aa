#!/usr/bin/env python3
"""What disks do to nodes: power cuts of all at once, a torn end, two processes.

Loss of unsynced writes is the simulator's subject; here real files are written by real processes.
"""

import os
import signal
import subprocess
import sys
import tempfile

import harness
from files import segments
from harness import BINARY, Cluster, Daybook, Suite, is_running, until
from load import Load, account_for
from wire import CREATE, equal, event, holds, post, replay

POWER_CUTS = 5


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


def main():
    suite = Suite()
    power_cuts(suite)
    one_directory(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
