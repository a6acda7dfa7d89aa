"""What the checks of whole clusters share: a report, clusters on ports of their own.

Nothing here sleeps for luck: `until` looks at a condition again and again up to a deadline. What
is started is ended by its pid, also when a check fails or the script is told to end.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from wire import ask, bearer, equal, holds

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BINARY = os.environ.get(
    "DAYBOOK_TEST_BINARY", os.path.join(ROOT, ".build", "release", "daybook"))
FILES = os.path.join(HERE, "data")
# The lowest port; each script takes a range of its own above it.
PORTS = int(os.environ.get("DAYBOOK_TEST_PORTS", "7600"))


# The report


class Suite:
    """Prints one line a check, with its time, and a closing line that tools/test reads."""

    def __init__(self, seed=None):
        self.passed = 0
        self.failures = []
        self.seed = seed if seed is not None else int(os.environ.get("DAYBOOK_TEST_SEED", "1"))
        self.random = random.Random(self.seed)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))

    @contextlib.contextmanager
    def check(self, name):
        """One check: it fails with what its block raises, and the script goes on."""
        start = time.monotonic()
        try:
            yield
        except Exception as error:  # pylint: disable=broad-except
            reason = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
            self.failures.append((name, reason))
            self.line("FAILED", name, start)
            self.note(reason)
        else:
            self.passed += 1
            self.line("ok", name, start)

    @staticmethod
    def line(verdict, name, start):
        print(f"{verdict:<7}{time.monotonic() - start:>8.2f} s  {name}", flush=True)

    @staticmethod
    def note(text):
        print(" " * 19 + text.replace("\n", "\n" + " " * 19), flush=True)

    def finish(self):
        """Prints the closing line and returns the exit code."""
        for name, reason in self.failures:
            print(f"failed: {name}: {reason}")
        print(f"{self.passed} passed, {len(self.failures)} failed")
        return 1 if self.failures or not self.passed else 0


def until(condition, seconds, what, pause=0.02):
    """Looks at the condition until it is true, and returns what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        # Between two looks at other processes, which cannot wake this one. How long it is decides
        # nothing: the condition does, or the deadline.
        time.sleep(pause)


# Processes


def read_text(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def resident_bytes(pid):
    for line in read_text(f"/proc/{pid}/status").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no memory")


def socket_count(pid):
    """Descriptors of connections; segments are kept open too, as many as are in use."""
    count = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            count += os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
    return count


def processor_seconds(pid):
    fields = read_text(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_running(pid):
    try:
        return read_text(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Cluster:
    """A cluster of cluster/run, wiped in front and behind; kept when something failed."""

    def __init__(self, base, topology="three", suite=None):
        self.base = base
        self.topology = topology
        self.suite = suite
        self.directory = os.path.join(ROOT, ".cluster", str(base))

    def __enter__(self):
        self.failures_before = len(self.suite.failures) if self.suite else 0
        self.run("wipe")
        try:
            self.start()
        except BaseException:
            self.run("stop")
            raise
        return self

    def __exit__(self, kind, *_):
        failed = kind is not None or (
            self.suite and len(self.suite.failures) > self.failures_before)
        self.run("stop" if failed else "wipe")

    def run(self, *arguments, expected=0, timeout=120):
        """Runs a command of cluster/run on this cluster; returns its standard output."""
        done = subprocess.run(
            [os.path.join(ROOT, "cluster", "run"), arguments[0], "--ports", str(self.base),
             *arguments[1:]],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
            check=False)
        if expected is not None and done.returncode != expected:
            raise AssertionError(
                f"cluster/run {' '.join(arguments)} ended with {done.returncode}: "
                f"{done.stdout}{done.stderr}")
        return done.stdout

    def start(self):
        return self.run("start", "--no-build", "--topology", self.topology)

    def kill(self, member):
        return self.run("kill", str(member))

    def restart(self, member):
        return self.run("restart", str(member))

    def status(self):
        return json.loads(self.run("status", "--json"))

    @property
    def token(self):
        return read_text(os.path.join(self.directory, "token")).strip()

    @property
    def admin_token(self):
        return read_text(os.path.join(self.directory, "admin-token")).strip()

    def log(self, member):
        name = member if member == "gateway" else f"node-{member}"
        return read_text(os.path.join(self.directory, "logs", f"{name}.log"))

    def data(self, node):
        return os.path.join(self.directory, f"node-{node}")

    def view(self):
        """The nodes as the gateway sees them, by number."""
        answer = ask(self.base, "GET", "/v1/cluster", headers=bearer(self.admin_token))
        equal(answer.status, 200, "the status of /v1/cluster")
        return {node["id"]: node for node in answer.json["nodes"]}

    def pid(self, member):
        """The pid of a node or of the gateway; None when it does not run."""
        if member == "gateway":
            wanted = ("--genesis", os.path.join(self.directory, "genesis"))
        else:
            wanted = ("--data", self.data(member))
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = [os.fsdecode(word) for word in file.read().split(b"\0")]
                if words[0] == BINARY and wanted in zip(words, words[1:]):
                    return int(name)
        return None

    def leader(self, seconds=15):
        """The number of the node that leads and serves."""
        def found():
            view = self.view()
            leaders = [node for node in view.values() if node.get("role") == "leader"]
            ready = ask(self.base, "GET", "/health/ready").status == 200
            best = max(leaders, key=lambda node: node["term"], default=None)
            return best["id"] if best and ready else None
        return until(found, seconds, "a leader serves")

    def until_ready(self, seconds=15):
        until(lambda: ask(self.base, "GET", "/health/ready").status == 200, seconds,
              "the gateway is ready")

    def until_equal(self, nodes=(1, 2, 3), seconds=30):
        """Waits until all the nodes have applied the same commit."""
        def same():
            view = self.view()
            commits = {view[node].get("commit") for node in nodes}
            return len(commits) == 1 and None not in commits
        until(same, seconds, "all nodes have the same commit")


class Daybook:
    """A daybook process of its own, with its output in a file."""

    def __init__(self, *arguments, environment=None):
        self.output = tempfile.NamedTemporaryFile(  # pylint: disable=consider-using-with
            prefix="daybook-", suffix=".log")
        self.process = subprocess.Popen(
            [BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=self.output,
            stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    @property
    def pid(self):
        return self.process.pid

    def said(self):
        return read_text(self.output.name)

    def wait(self, seconds):
        """The exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"daybook still runs after {seconds} s") from None

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.output.close()
