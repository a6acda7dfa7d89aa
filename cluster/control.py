"""The verbs of cluster/run. What each promises is in cluster/README.md."""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import processes
from state import BINARY, ROOT, Cluster, Failure

READY_SECONDS = 30
JOIN_SECONDS = 30
GRACE_SECONDS = 10


def say(text):
    print(text, flush=True)


def run(arguments, what):
    """Runs a short command of ours; its words reach the user only when it fails."""
    try:
        result = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"{what} took more than a minute") from None
    if result.returncode != 0:
        raise Failure(f"{what} failed:\n{(result.stderr or result.stdout).strip()}")


def name_of(member):
    return "the gateway" if member == "gateway" else f"node {member}"


def tail(path, count):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()[-count:]
    except OSError:
        return []


# Start


def prepare_machine():
    """Installs what is missing and builds; both are quick when there is nothing to do."""
    for step in (["tools/setup"], ["tools/build"]):
        done = subprocess.run(
            [os.path.join(ROOT, step[0])], stdin=subprocess.DEVNULL, stdout=sys.stderr,
            check=False,
        )
        if done.returncode != 0:
            raise Failure(f"{step[0]} failed")


def initialise(cluster):
    """Makes cluster and nodes on disk, unless they are there."""
    if cluster.made_as is not None:
        return
    if os.path.isdir(cluster.directory):
        cluster.erase()
    os.makedirs(cluster.path("logs"), mode=0o700)
    members = ",".join(f"{node}={cluster.address(node)}" for node in cluster.nodes)
    run(
        [BINARY, "init", "cluster", "--members", members, "--genesis", cluster.genesis,
         "--admin-token-file", cluster.admin_token_file],
        "daybook init cluster",
    )
    for node in cluster.nodes:
        run(
            [BINARY, "init", "node", "--genesis", cluster.genesis, "--node", str(node),
             "--data", cluster.data(node)],
            f"daybook init node {node}",
        )
    cluster.write_marker()


def check_ports(cluster, members):
    for member in members:
        port = cluster.base if member == "gateway" else cluster.port(member)
        if not processes.is_free(port):
            owner = processes.owner_of(port)
            by = f" by {owner}" if owner else ""
            raise Failure(f"port {port} is in use{by}; choose others with --ports BASE")


def launch(cluster, member, started):
    child = processes.launch(cluster.command(member), cluster.log(member))
    started.append((member, child))


def check_alive(cluster, started):
    for member, child in started:
        code = child.poll()
        if code is not None:
            lines = "\n".join(tail(cluster.log(member), 15))
            raise Failure(f"{name_of(member)} ended with {code}:\n{lines}")


def wait_until(condition, seconds, cluster, started):
    """Whether the condition came true in time; raises when a started process ends before."""
    deadline = time.monotonic() + seconds
    while True:
        check_alive(cluster, started)
        if condition():
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)


def start(cluster, options):
    if not options.no_build:
        prepare_machine()
    with cluster.lock():
        cluster = Cluster(options.ports, options.topology)
        running = cluster.all_pids()
        if options.topology not in (None, cluster.topology):
            raise Failure(
                f"the cluster on {cluster.base} has topology {cluster.made_as}: "
                f"stop and wipe it first, or choose other ports")
        missing = [member for member in cluster.members() if cluster.pid(member) is None]
        if not running:
            say(f"Starting {len(cluster.nodes)} node(s) and a gateway.")
        elif not missing:
            say("The cluster runs already.")
        else:
            say(f"The cluster runs; starting {', '.join(map(name_of, missing))}.")
        bring_up(cluster, missing)
        introduce(cluster)


def bring_up(cluster, missing):
    """Starts the missing members and waits for a leader; undoes its own starts on failure."""
    started = []
    try:
        check_ports(cluster, missing)
        if not cluster.all_pids():
            initialise(cluster)
        for member in missing:
            launch(cluster, member, started)
        if not wait_until(cluster.is_ready, READY_SECONDS, cluster, started):
            raise Failure(
                f"no leader serves after {READY_SECONDS} s; see cluster/run logs "
                f"--ports {cluster.base}")
        if not os.path.exists(cluster.token_file):
            run(
                [BINARY, "token", "create", "--application", "planox2", "--to", cluster.url,
                 "--token-file", cluster.admin_token_file, "--out", cluster.token_file],
                "daybook token create",
            )
    except BaseException:
        processes.end([child.pid for _, child in reversed(started)], GRACE_SECONDS)
        raise


def introduce(cluster):
    with open(cluster.token_file, encoding="utf-8") as file:
        token = file.read().strip()
    event = {
        "token": token, "unique_id": "first-event", "script_name": "Hello",
        "host_name": "localhost", "file_name": "Example.fmp12",
        "start_time": "2026-11-02T06:00:00Z",
    }
    target = shlex.quote(f"{cluster.url}/api/v1/audit_events_fmp/create")
    body = shlex.quote(json.dumps(event))
    say(f"Gateway  {cluster.url}")
    say(f"Token    {token}")
    place = os.path.relpath(cluster.token_file, ROOT)
    say(f"         (in {place}; the administrator's is beside it)")
    say("Try it:")
    say(f"curl -sS {target} -H 'Content-Type: application/json' -d {body}")


# Stop, wipe, kill, restart


def end_all(cluster):
    """Ends everything of the cluster and returns how many processes that were."""
    pids = cluster.all_pids()
    killed = processes.end(pids, GRACE_SECONDS)
    for pid in killed:
        say(f"Process {pid} did not stop within {GRACE_SECONDS} s and was killed.")
    return len(pids)


def stop(cluster, _):
    with cluster.lock():
        count = end_all(cluster)
    say(f"Stopped {count} processes." if count else "Nothing runs.")


def wipe(cluster, _):
    with cluster.lock():
        end_all(cluster)
        there = os.path.isdir(cluster.directory)
        if there:
            cluster.erase()
    relative = os.path.relpath(cluster.directory, ROOT)
    say(f"Wiped {relative}." if there else "Nothing to wipe.")


def require_made(cluster):
    if cluster.made_as is None:
        raise Failure(f"no cluster on {cluster.base}: cluster/run start --ports {cluster.base}")


def member_of(cluster, text):
    if text == "gateway":
        return text
    if text.isdigit() and int(text) in cluster.nodes:
        return int(text)
    raise Failure(f"no member {text}: there are {', '.join(map(str, cluster.members()))}")


def kill(cluster, options):
    with cluster.lock():
        require_made(cluster)
        member = member_of(cluster, options.node)
        pids = cluster.pids(member)
        processes.end(pids, 0)
    name = name_of(member)
    say(f"Killed {name} (pid {pids[0]})." if pids else f"{name.capitalize()} is down already.")


def restart(cluster, options):
    with cluster.lock():
        require_made(cluster)
        member = member_of(cluster, options.node)
        processes.end(cluster.pids(member), GRACE_SECONDS)
        check_ports(cluster, [member])
        # Whatever comes next, it is a member of the cluster again: `stop` ends it.
        started = []
        launch(cluster, member, started)
        joined = wait_until(joining(cluster, member), JOIN_SECONDS, cluster, started)
        name, pid = name_of(member), started[0][1].pid
        if not joined:
            raise Failure(
                f"{name} runs (pid {pid}) but did not join within {JOIN_SECONDS} s; "
                f"see cluster/run logs {member} --ports {cluster.base}")
        say(f"{name[0].upper()}{name[1:]} runs (pid {pid}).")


def joining(cluster, member):
    """A condition: the gateway serves, or the node has what was committed when it came back."""
    port = cluster.base if member == "gateway" else cluster.port(member)
    running = sum(cluster.pid(node) is not None for node in cluster.nodes)
    if running <= len(cluster.nodes) // 2:
        say(f"{running} of {len(cluster.nodes)} nodes run: nothing is served without a majority.")
        return lambda: processes.accepts(port)
    if member == "gateway":
        return cluster.is_ready
    if cluster.pid("gateway") is None:
        say("The gateway is down: nobody can tell when the node has joined.")
        return lambda: processes.accepts(port)
    goal = []

    def has_joined():
        # The gateway may still believe what it saw before the restart.
        if not processes.accepts(port):
            return False
        view = cluster.view()
        leader = next((node for node in view.values() if node.get("role") == "leader"), None)
        if leader is None:
            return False
        if not goal:
            goal.append(leader.get("commit", 0))
        own = view.get(member, {})
        return role_of(own) != "down" and own.get("commit", 0) >= goal[0]

    return has_joined


# Status and logs


def role_of(node):
    role = node.get("role")
    known = role in ("leader", "follower", "learner") and node.get("reachable", True)
    return role if known else "down"


def describe(cluster):
    """The status object: what the gateway says, about the processes that /proc shows."""
    view = cluster.view() if cluster.pid("gateway") is not None else {}
    nodes = []
    for node in cluster.nodes:
        pid = cluster.pid(node)
        seen = view.get(node, {})
        nodes.append({
            "id": node,
            "pid": pid,
            "port": cluster.port(node),
            "role": role_of(seen) if pid is not None else "down",
            "term": seen.get("term") or 0,
            "commit": seen.get("commit") or 0,
            "data": cluster.data(node),
        })
    return {
        "gateway": cluster.url,
        "nodes": nodes,
        "token_file": cluster.token_file,
        "admin_token_file": cluster.admin_token_file,
        "election_timeout_ms": cluster.election_timeout_ms,
    }


def status(cluster, options):
    description = describe(cluster)
    if options.json:
        say(json.dumps(description))
        return
    gateway = cluster.pid("gateway")
    say(f"gateway  {cluster.url}  " + (f"pid {gateway}" if gateway else "down"))
    say(f"{'node':<6}{'port':<7}{'pid':<9}{'role':<10}{'term':>6}{'commit':>12}")
    for node in description["nodes"]:
        say(f"{node['id']:<6}{node['port']:<7}{node['pid'] or '-':<9}{node['role']:<10}"
            f"{node['term']:>6}{node['commit']:>12}")


def logs(cluster, options):
    members = cluster.members()
    if options.node is not None:
        members = [member_of(cluster, options.node)]
    for member in members:
        prefix = "" if options.node is not None else f"{member:<8}| "
        for line in tail(cluster.log(member), options.lines):
            say(prefix + line)


# The command line


def port_base(text):
    value = int(text)
    if not 1 <= value <= 65535 - 1:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return value


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="cluster/run", description="Runs clusters on loopback. See cluster/README.md.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--topology", choices=["one", "three", "five"], default=None)
    common.add_argument("--ports", type=port_base, default=7400, metavar="BASE")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, verb in (("start", start), ("stop", stop), ("status", status), ("logs", logs),
                       ("wipe", wipe), ("kill", kill), ("restart", restart)):
        sub = verbs.add_parser(name, parents=[common])
        sub.set_defaults(run=verb)
        if name == "start":
            sub.add_argument("--no-build", action="store_true", help="take what is built")
        if name == "status":
            sub.add_argument("--json", action="store_true")
        if name == "logs":
            sub.add_argument("node", nargs="?", metavar="NODE")
            sub.add_argument("--lines", type=int, default=100)
        if name in ("kill", "restart"):
            sub.add_argument("node", metavar="NODE")
    return parser.parse_args(arguments)


def main():
    os.umask(0o077)
    # A start that is told to end must undo what it began, as for Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    options = parse(sys.argv[1:])
    try:
        options.run(Cluster(options.ports, options.topology), options)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except (Failure, RuntimeError, OSError) as failure:
        print(f"cluster/run: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
