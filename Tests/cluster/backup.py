#!/usr/bin/env python3
"""Backup of running clusters, restore into new ones, and what verify says of both."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import harness
from files import fill, flip, small_disk
from harness import BINARY, Cluster, Daybook, Suite, until
from load import Load, account_for
from segments import daybook, listed, read_log
from wire import CREATE, ask, bearer, equal, event, holds, post, replay


def backup(cluster, directory, expected=0):
    """Runs daybook backup; returns what it says of itself, or standard error."""
    out, said = daybook("backup", directory, "--to", f"http://127.0.0.1:{cluster.base}", "--json",
                        expected=expected,
                        environment={"DAYBOOK_TOKEN": cluster.admin_token})
    return json.loads(out) if expected == 0 else said


def events(port, token):
    return replay(port, token, "resource=all")


@contextlib.contextmanager
def served(data, port):
    """`daybook serve` on a restored directory; yields its administrator's token."""
    with Daybook("serve", "--data", data, "--listen", f"127.0.0.1:{port}") as process:
        def ready():
            with contextlib.suppress(OSError):
                return ask(port, "GET", "/health/ready").status == 200
            return False
        until(ready, 20, f"the restored node serves: {process.said()}")
        with open(os.path.join(data, "admin-token"), encoding="utf-8") as file:
            yield file.read().strip()


def check_restored(data, port, expected):
    """The restored node has exactly these events, then one that names the parent."""
    with served(data, port) as token:
        rows = events(port, token)
        equal(rows[:-1], expected, "the events")
        last = rows[-1]
        equal(last["action"], "cluster-restored", "the first event of the new cluster")
        equal(last["sequence"], len(expected), "its sequence")
        details = last["details"]
        equal(details["parent_size"], len(expected), "the parent's size")
        answer = ask(port, "GET", "/v1/cluster", headers=bearer(token))
        holds(details["parent_cluster_id"] != answer.json["cluster_id"], "a cluster of its own")
        return details


def under_load(suite, cluster, place):
    """A backup while clients post: everything acknowledged before it began is in it."""
    directory = os.path.join(place, "backup")
    with suite.check("a backup under load has all that was acknowledged before it began"):
        fill(cluster, 20)
        with Load(cluster.base, cluster.token, "load") as load:
            load.until_more(200)
            acknowledged = list(load.acknowledged)
            made = backup(cluster, directory)
            load.until_more(50)
        equal(load.errors, [], "answers that are neither 200 nor 503")
        rows, problems = read_log(directory)
        equal(problems, [], "the independent reader finds nothing")
        equal(len(rows), made["next_sequence"], "the events")
        account_for(acknowledged, rows)
        all_rows = events(cluster.base, cluster.admin_token)
        equal(rows, all_rows[:len(rows)], "they are those of the cluster")
        daybook("verify", directory)
    with suite.check("another backup copies new segments alone, and one without news nothing"):
        post(cluster.base, CREATE, event("one-more", token=cluster.token))
        before = {name: os.stat(os.path.join(directory, name)).st_ino
                  for name in os.listdir(directory) if name.endswith(".segment")}
        made = backup(cluster, directory)
        holds(made["segments_copied"] <= 2, f"{made}")
        equal(made["segments_kept"], len(before), "what was there is kept")
        for name, inode in before.items():
            equal(os.stat(os.path.join(directory, name)).st_ino, inode, f"{name} is untouched")
        again = backup(cluster, directory)
        equal((again["segments_copied"], again["bytes_copied"]), (0, 0), "nothing is copied")
        equal(again["next_sequence"], made["next_sequence"], "it ends where it ended")
        out, _ = daybook("verify", directory)
        holds("All of it is as it was written." in out, out)
        holds(f"events 0 to {made['next_sequence'] - 1}" in out, out)
    return directory


def killed(suite, cluster, place, directory):
    with suite.check("a backup that is killed leaves the one before, and the next run goes on"):
        copy = os.path.join(place, "killed")
        shutil.copytree(directory, copy)
        fill(cluster, 40, "killed")
        with open(os.path.join(copy, "backup"), encoding="utf-8") as file:
            before = json.load(file)
        with Daybook("backup", copy, "--to", f"http://127.0.0.1:{cluster.base}",
                     environment={"DAYBOOK_TOKEN": cluster.admin_token}) as process:
            until(lambda: any(name.endswith(".fetched") for name in os.listdir(copy))
                  or process.process.poll() is not None, 20, "it copies", 0.001)
            process.end(signal.SIGKILL)
        daybook("verify", copy)
        rows, problems = read_log(copy)
        equal(problems, [], "the independent reader finds nothing")
        holds(len(rows) >= before["next_sequence"], "the events that it had")
        made = backup(cluster, copy)
        equal(len(read_log(copy)[0]), made["next_sequence"], "the events")
        holds(not any(name.endswith((".fetched", ".verified")) for name in os.listdir(copy)),
              f"nothing is left over: {os.listdir(copy)}")


def restored(suite, directory, place, port):
    rows, _ = read_log(directory)
    with suite.check("a restored node has the same events, and its own cluster"):
        data = os.path.join(place, "restored")
        daybook("restore", directory, "--data", data)
        daybook("verify", data)
        equal(check_restored(data, port, rows)["tokens_kept"], False, "tokens are void")
        equal(read_log(data)[1], [], "the independent reader finds nothing")
    with suite.check("repeated posts are recognised there, and new ones go on"):
        with served(data, port) as admin:
            token_file = os.path.join(place, "token")
            daybook("token", "create", "--application", "planox2", "--out", token_file,
                    "--to", f"http://127.0.0.1:{port}", environment={"DAYBOOK_TOKEN": admin})
            with open(token_file, encoding="utf-8") as file:
                token = file.read().strip()
            known = next(row for row in reversed(rows) if row.get("unique_id") == "one-more")
            again = post(port, CREATE, event("one-more", token=token)).json["data"]
            equal((again["duplicate"], again["sequence"]), (True, known["sequence"]), "a repeat")
            new = post(port, CREATE, event("new", token=token)).json["data"]
            holds(new["sequence"] > len(rows), f"a new event: {new}")
        with served(data, port) as admin:
            equal(events(port, admin)[-1]["unique_id"], "new", "it is there after a restart")
    for until_sequence in (0, 1, len(rows) // 2, len(rows)):
        with suite.check(f"restored until {until_sequence}, exactly these events are there"):
            data = os.path.join(place, f"until-{until_sequence}")
            daybook("restore", directory, "--data", data, "--until", str(until_sequence))
            check_restored(data, port, rows[:until_sequence])
            shutil.rmtree(data)


def three_members(suite, cluster, directory, place):
    """Three members, each restored from the backup, are a cluster that loses one and goes on."""
    base = cluster.base + 5
    genesis, token = os.path.join(place, "genesis"), os.path.join(place, "admin-token")
    members = ",".join(f"{node}=127.0.0.1:{base + node}" for node in (1, 2, 3))
    rows, _ = read_log(directory)
    with suite.check("three restored members agree, elect, and take events"):
        daybook("init", "cluster", "--genesis", genesis, "--admin-token-file", token,
                "--members", members)
        for node in (1, 2, 3):
            daybook("restore", directory, "--data", os.path.join(place, f"member-{node}"),
                    "--genesis", genesis, "--node", str(node))
        lists = [listed(os.path.join(place, f"member-{node}")) for node in (1, 2, 3)]
        holds(lists[0] == lists[1] == lists[2], "the segments are the same")
        with contextlib.ExitStack() as stack:
            nodes = [stack.enter_context(Daybook("node", "--data",
                                                 os.path.join(place, f"member-{node}")))
                     for node in (1, 2, 3)]
            stack.enter_context(Daybook("gateway", "--genesis", genesis,
                                        "--listen", f"127.0.0.1:{base}"))

            def ready():
                with contextlib.suppress(OSError):
                    return ask(base, "GET", "/health/ready").status == 200
                return False
            until(ready, 20, "the new cluster serves")
            with open(token, encoding="utf-8") as file:
                admin = file.read().strip()
            equal(events(base, admin)[:-1], rows, "the events")
            nodes[0].end(signal.SIGKILL)
            until(ready, 20, "two of three serve")
            equal(len(events(base, admin)), len(rows) + 1, "the events")


def damaged(suite, directory, place):
    with suite.check("verify finds a flipped byte in any file, and restore refuses it"):
        copy = os.path.join(place, "damaged")
        shutil.copytree(directory, copy)
        for name in sorted(os.listdir(copy)):
            path = os.path.join(copy, name)
            size = os.path.getsize(path)
            if size == 0:
                continue
            flip(path, size // 2 if name != "backup" else 2)
            out, _ = daybook("verify", copy, expected=1)
            holds(name in out and "DAMAGED" in out, f"{name}: {out}")
            if name.endswith((".segment", ".state")):
                data = os.path.join(place, "from-damaged")
                _, said = daybook("restore", copy, "--data", data, expected=1)
                holds(name in said and "remove it" in said, f"{name}: {said}")
                holds(not os.path.exists(os.path.join(data, "identity")), "no node starts on it")
                shutil.rmtree(data)
            flip(path, size // 2 if name != "backup" else 2)
        daybook("verify", copy)
    with suite.check("a segment that is gone is named, and the next backup brings it back"):
        name = sorted(name for name in os.listdir(copy) if name.endswith(".segment"))[0]
        os.unlink(os.path.join(copy, name))
        out, _ = daybook("verify", copy, expected=1)
        holds(name in out and "missing" in out, out)
        return copy, name


def erased(suite, cluster, directory, place, port):
    """What is erased leaves the backup with its next run, and stays closed in what is restored."""
    to = ["--to", f"http://127.0.0.1:{cluster.base}"]
    environment = {"DAYBOOK_TOKEN": cluster.admin_token}

    def holding(text):
        found = []
        for name in os.listdir(directory):
            with open(os.path.join(directory, name), "rb") as file:
                if text in file.read():
                    found.append(name)
        return found
    with suite.check("an erased event leaves the backup with the next run"):
        post(cluster.base, CREATE, event("secret-id", notes=["secret-text"], token=cluster.token))
        backup(cluster, directory)
        holds(holding(b"secret-text") and holding(b"secret-id"), "the backup has it")
        daybook("erase", "secret-id", "--reason", "asked for", "--wait", *to,
                environment=environment)
        made = backup(cluster, directory)
        holds(made["segments_removed"] > 0, f"old generations go: {made}")
        equal((holding(b"secret-text"), holding(b"secret-id")), ([], []), "files that hold it")
        daybook("verify", directory)
    with suite.check("restored after a compaction and an erasure, the id stays closed"):
        data = os.path.join(place, "erased")
        daybook("restore", directory, "--data", data)
        with served(data, port) as admin:
            equal(events(port, admin)[:-1], events(cluster.base, cluster.admin_token), "the events")
            token_file = os.path.join(place, "erased-token")
            daybook("token", "create", "--application", "planox2", "--out", token_file,
                    "--to", f"http://127.0.0.1:{port}", environment={"DAYBOOK_TOKEN": admin})
            with open(token_file, encoding="utf-8") as file:
                token = file.read().strip()
            again = post(port, CREATE, event("secret-id", notes=["secret-text"], token=token))
            equal((again.status, again.json["data"].get("erased")), (200, True), f"{again.json}")


def refused(suite, cluster, directory, place):
    with suite.check("directories that are no backup, and foreign ones, are refused and untouched"):
        other = os.path.join(place, "other")
        os.mkdir(other)
        with open(os.path.join(other, "precious"), "w", encoding="utf-8") as file:
            file.write("x")
        said = backup(cluster, other, expected=4)
        holds("holds no backup" in said, said)
        holds("precious" in os.listdir(other), "nothing is removed")
        said = backup(cluster, cluster.data(1), expected=4)
        holds("holds no backup" in said, said)
        _, said = daybook("restore", other, "--data", os.path.join(place, "none"), expected=4)
        holds("no data directory" in said, said)
        _, said = daybook("restore", cluster.data(1), "--data", os.path.join(place, "none"),
                          expected=4)
        holds("is no backup" in said, said)
        _, said = daybook("restore", directory, "--data", other, expected=4)
        holds("is not empty" in said, said)
        _, said = daybook("restore", directory, "--data", os.path.join(place, "far"),
                          "--until", "99999999", expected=1)
        holds("--until may be" in said, said)
        _, said = daybook("restore", directory, "--data", os.path.join(place, "same"),
                          "--genesis", os.path.join(cluster.directory, "genesis"), expected=1)
        holds("is that of the cluster that was backed up" in said, said)
        out = subprocess.run(
            [BINARY, "backup", os.path.join(place, "app"), "--to",
             f"http://127.0.0.1:{cluster.base}"], capture_output=True, text=True, timeout=60,
            check=False, env={**os.environ, "DAYBOOK_TOKEN": cluster.token})
        equal(out.returncode, 1, f"an application's token: {out.stderr}")
        holds("permission-denied" in out.stderr, out.stderr)


def full_disks(suite, cluster, directory, place):
    with small_disk() as disk:
        if disk is None:
            suite.note("no full disk: this user may not mount a file system")
            return
        with suite.check("on full disks backup and restore say so and leave nothing that lies"):
            with open(os.path.join(disk, "filler"), "wb") as file:
                file.write(bytes(30 * 1024 * 1024))
            target = os.path.join(disk, "backup")
            said = backup(cluster, target, expected=4)
            holds("No space left" in said, said)
            holds("backup" not in os.listdir(target), "it is no backup")
            data = os.path.join(disk, "restored")
            _, said = daybook("restore", directory, "--data", data, expected=4)
            holds("No space left" in said and "remove it" in said, said)
            holds("identity" not in os.listdir(data), "no node starts on it")
            os.unlink(os.path.join(disk, "filler"))
            shutil.rmtree(data)
        del place


def main():
    suite = Suite()
    with tempfile.TemporaryDirectory(prefix="daybook-backup-") as place, \
            Cluster(harness.PORTS + 110, suite=suite) as cluster:
        directory = under_load(suite, cluster, place)
        restored(suite, directory, place, cluster.base + 9)
        three_members(suite, cluster, directory, place)
        copy, name = damaged(suite, directory, place)
        backup(cluster, copy)
        with suite.check("what a backup lost is copied again"):
            holds(name in os.listdir(copy), f"{name} is back")
            daybook("verify", copy)
        erased(suite, cluster, directory, place, cluster.base + 9)
        refused(suite, cluster, directory, place)
        full_disks(suite, cluster, directory, place)
        killed(suite, cluster, place, directory)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
