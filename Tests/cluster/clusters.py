#!/usr/bin/env python3
"""What cluster/run promises (cluster/README.md), and what `daybook serve` does at its ends."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import harness
from harness import ROOT, Cluster, Daybook, Suite, is_running, until
from wire import CREATE, ask, equal, event, holds, post, replay

RUN = os.path.join(ROOT, "cluster", "run")
NODE_KEYS = ["id", "pid", "port", "role", "term", "commit", "data"]
STATUS_KEYS = ["gateway", "nodes", "token_file", "admin_token_file", "election_timeout_ms"]


def run(*arguments, timeout=60):
    return subprocess.run(
        [RUN, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=timeout, check=False)


def members(cluster):
    return [*(node["id"] for node in cluster.status()["nodes"]), "gateway"]


def pids_of(cluster):
    return {member: cluster.pid(member) for member in members(cluster)}


def check_status(cluster, status):
    """The object is exactly what the README says, with the words and types of it."""
    equal(list(status), STATUS_KEYS, "the members")
    equal(status["gateway"], f"http://127.0.0.1:{cluster.base}", "gateway")
    equal(status["election_timeout_ms"], 500, "election_timeout_ms")
    for name in ("token_file", "admin_token_file"):
        holds(harness.read_text(status[name]).startswith("dbk_"), f"{name} begins with dbk_")
        equal(os.stat(status[name]).st_mode & 0o077, 0, f"the rights of others on {name}")
    for number, node in enumerate(status["nodes"], 1):
        equal(list(node), NODE_KEYS, f"the members of node {number}")
        equal((node["id"], node["port"]), (number, cluster.base + number), "id and port")
        holds(node["role"] in ("leader", "follower", "learner", "down"), f"role {node['role']}")
        holds(os.path.isabs(node["data"]) and os.path.isdir(node["data"]), "data")
        holds(type(node["term"]) is int and type(node["commit"]) is int, "term and commit")
        equal(node["pid"], cluster.pid(number), f"the pid of node {number}")


def pasted(output):
    """Runs the curl line that start printed, in a shell, as a newcomer does."""
    line = next(line for line in output.splitlines() if line.startswith("curl "))
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=20,
                          check=False)
    equal(done.returncode, 0, f"the exit code of curl ({done.stderr})")
    return json.loads(done.stdout)


def start_and_status(suite, cluster):
    with suite.check("start prints gateway, token and a curl line that works when pasted"):
        output = cluster.start()
        holds("runs already" in output, f"a second start says so: {output}")
        holds(f"http://127.0.0.1:{cluster.base}" in output, "the gateway's address")
        holds(cluster.token in output, "the token")
        equal(pasted(output)["status"], "action-successful", "the status")
        equal(pasted(output)["data"]["duplicate"], True, "pasted again it is a duplicate")
    with suite.check("a second start changes no process"):
        before = pids_of(cluster)
        cluster.start()
        equal(pids_of(cluster), before, "the processes")
    with suite.check("status --json is the object and nothing else"):
        cluster.until_equal()
        check_status(cluster, cluster.status())
        roles = sorted(node["role"] for node in cluster.status()["nodes"])
        equal(roles, ["follower", "follower", "leader"], "the roles")
    with suite.check("no descriptor of the caller is inherited"):
        read, write = os.pipe()
        try:
            os.set_inheritable(write, True)
            cluster.kill(1)
            subprocess.run([RUN, "restart", "1", "--ports", str(cluster.base)], timeout=60,
                           pass_fds=[write], capture_output=True, check=True)
            os.close(write)
            os.set_blocking(read, False)
            equal(os.read(read, 1), b"", "the pipe is at its end")
        finally:
            os.close(read)


def kill_and_restart(suite, cluster):
    with suite.check("kill ends one node at once; status says down, and ends with 0"):
        pid = cluster.pid(2)
        cluster.kill(2)
        holds(not is_running(pid), "the process is gone")
        def told():
            return cluster.status()["nodes"][1]
        equal((told()["role"], told()["pid"]), ("down", None), "role and pid")
        check_status(cluster, cluster.status())
        holds("down already" in cluster.kill(2), "killing it again says so")
    with suite.check("start brings back what is missing, and only that"):
        before = pids_of(cluster)
        cluster.start()
        after = pids_of(cluster)
        holds(after[2] is not None, "node 2 runs")
        equal({**after, 2: None}, before, "the others")
    with suite.check("restart returns when the node has joined, with what was committed"):
        goal = max(node["commit"] for node in cluster.status()["nodes"])
        before = cluster.pid(3)
        cluster.restart(3)
        node = cluster.status()["nodes"][2]
        holds(node["pid"] not in (None, before), "another process")
        holds(node["role"] in ("follower", "leader"), f"the role {node['role']}")
        holds(node["commit"] >= goal, f"commit {node['commit']}, {goal} before")
    with suite.check("the gateway can be killed and restarted"):
        cluster.kill("gateway")
        roles = {node["role"] for node in cluster.status()["nodes"]}
        equal(roles, {"down"}, "what nobody can see is down")
        cluster.restart("gateway")
        equal(ask(cluster.base, "GET", "/health/ready").status, 200, "ready")
    with suite.check("a member that does not exist is an error"):
        for verb in ("kill", "restart"):
            done = run(verb, "9", "--ports", str(cluster.base))
            equal(done.returncode, 1, "the exit code")
            holds("no member 9" in done.stderr, done.stderr)


def side_by_side(suite, cluster):
    with Cluster(harness.PORTS + 85, topology="one", suite=suite) as second:
        with suite.check("two clusters side by side, each with its own events and tokens"):
            equal(len(second.status()["nodes"]), 1, "the nodes of the second")
            equal(post(second.base, CREATE, event("second", token=second.token)).status, 200,
                  "the second serves")
            equal(post(second.base, CREATE, event("x", token=cluster.token)).status, 401,
                  "the first one's token there")
            ids = [row["unique_id"] for row in replay(second.base, second.token)]
            equal(ids, ["second"], "the second one's events")
        with suite.check("stop of one leaves the other alone"):
            before = pids_of(cluster)
            second.run("stop")
            equal(second.pid(1), None, "the second is down")
            equal(pids_of(cluster), before, "the first")
        with suite.check("another topology than the data have is an error"):
            done = run("start", "--no-build", "--topology", "five", "--ports", str(second.base))
            equal(done.returncode, 1, "the exit code")
            holds("topology one" in done.stderr, done.stderr)


def port_in_use(suite):
    base = harness.PORTS + 90
    with socket.create_server(("127.0.0.1", base + 2)):
        with suite.check("a port in use is an error that names who has it; nothing is left"):
            done = run("start", "--no-build", "--ports", str(base))
            equal(done.returncode, 1, "the exit code")
            holds(f"port {base + 2} is in use" in done.stderr, done.stderr)
            holds(f"pid {os.getpid()}" in done.stderr, f"who has it: {done.stderr}")
            status = json.loads(run("status", "--json", "--ports", str(base)).stdout)
            equal({node["pid"] for node in status["nodes"]}, {None}, "the processes")
    run("wipe", "--ports", str(base))


def stop_and_wipe(suite):
    base = harness.PORTS + 80
    with Cluster(base, suite=suite) as cluster:
        post(base, CREATE, event("stays", token=cluster.token))
        token = cluster.token
        with suite.check("stop ends every process, and keeps the data"):
            pids = pids_of(cluster).values()
            cluster.run("stop")
            holds(not any(map(is_running, pids)), "a process is left")
            holds("Nothing runs" in cluster.run("stop"), "a second stop says so")
            check_status(cluster, cluster.status())
            equal({node["role"] for node in cluster.status()["nodes"]}, {"down"}, "the roles")
        with suite.check("start goes on with the data and the token"):
            cluster.start()
            equal(cluster.token, token, "the token")
            ids = [row["unique_id"] for row in replay(base, token)]
            equal(ids, ["stays"], "the events")
        with suite.check("logs shows the members' lines, of one or of all"):
            holds("from=node-1" in cluster.run("logs", "1"), "node 1")
            everything = cluster.run("logs")
            holds("from=node-3" in everything and "from=gateway" in everything, "all")
        with suite.check("wipe stops first and removes all; again it says that nothing is there"):
            pids = pids_of(cluster).values()
            cluster.run("wipe")
            holds(not any(map(is_running, pids)), "a process is left")
            holds(not os.path.exists(cluster.directory), "the directory is gone")
            holds("Nothing to wipe" in cluster.run("wipe"), "a second wipe says so")
    with suite.check("status, stop and wipe of what never was end with 0"):
        for verb in ("status", "stop", "wipe"):
            equal(run(verb, "--ports", str(base)).returncode, 0, verb)
        done = run("kill", "1", "--ports", str(base))
        equal(done.returncode, 1, "kill")


def interrupted_start(suite):
    base = harness.PORTS + 80
    with suite.check("a start that is told to end leaves no process"):
        child = subprocess.Popen(
            [RUN, "start", "--no-build", "--ports", str(base)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        cluster = Cluster(base)
        until(lambda: cluster.pid(1) is not None, 20, "node 1 is started", 0.001)
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=30)
        equal(pids_of(cluster), {1: None, 2: None, 3: None, "gateway": None}, "the processes")
    run("wipe", "--ports", str(base))


def embedded(suite):
    """daybook serve: stops on SIGTERM, keeps its data, refuses a second process and a taken port."""
    directory = tempfile.mkdtemp(prefix="daybook-")
    port = harness.PORTS + 95
    arguments = ["serve", "--data", directory, "--listen", f"127.0.0.1:{port}"]

    def ready(server):
        until(lambda: "serves" in server.said() and
              ask(port, "GET", "/health/ready").status == 200, 10, f"ready: {server.said()}")

    try:
        with suite.check("serve: a first start makes the store, SIGTERM ends it with 0"):
            with Daybook(*arguments) as server:
                ready(server)
                token = harness.read_text(os.path.join(directory, "admin-token")).strip()
                equal(post(port, CREATE, event("kept", token=token)).status, 200, "the status")
                server.process.send_signal(signal.SIGTERM)
                equal(server.wait(10), 0, "the exit code")
        with suite.check("serve: killed, it starts again with its data and its token"):
            with Daybook(*arguments) as server:
                ready(server)
                server.end(signal.SIGKILL)
            with Daybook(*arguments) as server:
                ready(server)
                equal([row["unique_id"] for row in replay(port, token)], ["kept"], "the events")
                check_second_process(arguments, directory)
    finally:
        shutil.rmtree(directory)


def check_second_process(arguments, directory):
    other_port = ["serve", "--data", directory, "--listen", f"127.0.0.1:{harness.PORTS + 96}"]
    with tempfile.TemporaryDirectory() as empty:
        taken_port = ["serve", "--data", empty, *arguments[3:]]
        for words in (other_port, taken_port):
            with Daybook(*words) as second:
                holds(second.wait(10) > 0, f"the exit code: {second.said()}")
                holds(re.search("in use", second.said()), f"the reason: {second.said()}")


def main():
    suite = Suite()
    with Cluster(harness.PORTS + 70, suite=suite) as cluster:
        start_and_status(suite, cluster)
        kill_and_restart(suite, cluster)
        side_by_side(suite, cluster)
    port_in_use(suite)
    stop_and_wipe(suite)
    interrupted_start(suite)
    embedded(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
