"""Background processes: found by their exact arguments, ended by pid, never by name.

No pid is remembered: a process is ours when /proc shows that it runs `daybook` on this cluster's
files. So a stale pid can never be signalled, and one that lost its parent is still found.
"""

import os
import select
import signal
import socket
import subprocess
import time


def arguments_of(pid):
    """The argument list of a live process; empty when it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            text = file.read()
    except OSError:
        return []
    return [os.fsdecode(part) for part in text.split(b"\0")[:-1]]


def runs(arguments, role, flag, path):
    """Whether these are the arguments of `daybook ROLE ... FLAG PATH`."""
    if len(arguments) < 2 or os.path.basename(arguments[0]) != "daybook":
        return False
    pairs = zip(arguments, arguments[1:])
    return arguments[1] == role and (flag, path) in pairs


def find(role, flag, path):
    """The pids of `daybook ROLE ... FLAG PATH`, lowest first."""
    pids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in pids if runs(arguments_of(pid), role, flag, path)]


def launch(arguments, log):
    """Starts a process that keeps nothing of ours: own session, no inherited descriptor."""
    with open(log, "ab") as output:
        child = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            close_fds=True,
            start_new_session=True,
            cwd="/",
        )
    # The program is loaded a moment before /proc shows its arguments, by which it is found.
    deadline = time.monotonic() + 5
    while arguments_of(child.pid) != arguments and child.poll() is None:
        if time.monotonic() > deadline:
            child.kill()
            child.wait()
            raise RuntimeError(f"process {child.pid} does not become {arguments[0]}")
        time.sleep(0.001)
    return child


class Ending:
    """One process on its way out, held by a pidfd so that its number cannot mean another."""

    def __init__(self, pid, expected):
        self.pid = pid
        self.descriptor = None
        try:
            self.descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        # The pidfd is open: what /proc says now is about the process that it holds.
        if arguments_of(pid) != expected:
            self.close()

    def send(self, number):
        if self.descriptor is None:
            return
        try:
            signal.pidfd_send_signal(self.descriptor, number)
        except ProcessLookupError:
            pass

    def wait(self, seconds):
        """Whether the process has ended, its descriptors closed, within `seconds`."""
        if self.descriptor is None:
            return True
        ready, _, _ = select.select([self.descriptor], [], [], max(0, seconds))
        if ready:
            self.close()
        return bool(ready)

    def close(self):
        if self.descriptor is not None:
            os.close(self.descriptor)
        self.descriptor = None


def end(pids, grace):
    """Ends the processes: SIGTERM, and SIGKILL to those left after `grace` seconds (0: at once).

    Returns the pids that needed SIGKILL, or raises RuntimeError when even that did not help.
    """
    endings = [Ending(pid, arguments_of(pid)) for pid in pids]
    killed = []
    deadline = time.monotonic() + grace
    if grace > 0:
        for ending in endings:
            ending.send(signal.SIGTERM)
    for ending in endings:
        if grace > 0 and ending.wait(deadline - time.monotonic()):
            continue
        if ending.descriptor is not None:
            killed.append(ending.pid)
        ending.send(signal.SIGKILL)
    deadline = time.monotonic() + 10
    for ending in endings:
        if not ending.wait(deadline - time.monotonic()):
            raise RuntimeError(f"process {ending.pid} does not end")
    for pid in pids:
        reap(pid)
    return killed


def reap(pid):
    """Forgets a child of this process that has ended; others are not ours to wait for."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def is_free(port, patience=2.0):
    """Whether the port of 127.0.0.1 can be listened on.

    The kernel may need a moment to close a socket of a process that has just ended.
    """
    deadline = time.monotonic() + patience
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                probe.listen(1)
                return True
            except OSError:
                if time.monotonic() > deadline:
                    return False
        time.sleep(0.05)


def accepts(port):
    """Whether somebody takes connections on the port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def owner_of(port):
    """Who listens on the port, as far as /proc tells: "pid 12 (name)", else an empty text."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as file:
                rows = [line.split() for line in file][1:]
        except OSError:
            continue
        for row in rows:
            if row[3] == "0A" and int(row[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{row[9]}]")
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        try:
            for number in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{number}") in inodes:
                    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                        return f"pid {pid} ({file.read().strip()})"
        except OSError:
            continue
    return ""
