"""What the checks of nodes' files share: filling, finding and damaging them, small disks."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile

from harness import is_running, until
from wire import ask, bearer, event, holds, json_lines

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


def flip(path, offset):
    """Turns one bit of the byte at the offset."""
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def node_arguments(cluster, node, data=None):
    """The arguments that start this node of the cluster outside of cluster/run."""
    return ["node", "--data", data or cluster.data(node), "--listen",
            f"127.0.0.1:{cluster.base + node}", "--election-timeout-ms", "500"]


def stop(cluster, node):
    """Ends the node as a supervisor would."""
    pid = cluster.pid(node)
    os.kill(pid, signal.SIGTERM)
    until(lambda: not is_running(pid), 10, "the node ends")


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
