#!/usr/bin/env python3
"""A look inside: `daybook segment` and the independent reader, beside running nodes and without."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

import harness
from files import fill, flip, stop
from harness import BINARY, ROOT, Cluster, Suite, is_running, until
from load import Load
from wire import CREATE, ask, bearer, equal, event, holds, json_lines, post

sys.path.insert(0, os.path.join(ROOT, "tools"))
import read_segments  # pylint: disable=wrong-import-position

KEYS = ["file", "region", "generation", "first_sequence", "last_sequence", "bytes", "live_bytes",
        "superseded_bytes", "erased_bytes", "sha256"]
REVISED = 40


def daybook(*arguments, expected=0, environment=None):
    """Runs a command to its end; returns standard output and standard error."""
    done = subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120, check=False,
                          env={**os.environ, **(environment or {})})
    equal(done.returncode, expected, f"the exit code of {arguments}: {done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def listed(directory, expected=0):
    return json.loads(daybook("segment", "list", "--data", directory, "--json",
                              expected=expected)[0])


def read_log(directory):
    """The events by the independent reader, and what it holds against the files."""
    log = read_segments.Log(directory)
    return list(log.rows()), log.problems


def snapshot(directory):
    """Names, sizes and times of all files."""
    return sorted((entry.name, entry.stat().st_size, entry.stat().st_mtime_ns)
                  for entry in os.scandir(directory))


def revise(cluster, count):
    """A second revision of events that `fill` made."""
    lines = json_lines(event(f"fill-0-{number}", notes=["again"]) for number in range(count))
    answer = ask(cluster.base, "POST", "/v1/events", lines, bearer(cluster.token)
                 + [("Content-Type", "application/x-ndjson")])
    holds(all(line["code"] == 200 for line in answer.lines), "all are recorded")


def until_archived(cluster, count=1):
    def archived():
        return all(sum(row["region"] == "archive" for row in listed(cluster.data(node))) >= count
                   for node in (1, 2, 3))
    until(archived, 30, f"{count} archived segments on every node", 0.2)


def check_list(cluster):
    """The list of each node against its files, and the archives of all against each other."""
    archives = []
    for node in (1, 2, 3):
        rows = listed(cluster.data(node))
        holds(all(list(row) == KEYS for row in rows), "the members of a row")
        expected = 0
        for row in rows:
            with open(os.path.join(cluster.data(node), row["file"]), "rb") as file:
                data = file.read(row["bytes"])
            equal(len(data), row["bytes"], f"the bytes of {row['file']}")
            equal(hashlib.sha256(data).hexdigest(), row["sha256"], f"the digest of {row['file']}")
            equal(row["first_sequence"], expected, "the first sequence")
            expected = (row["last_sequence"] if row["last_sequence"] is not None
                        else expected - 1) + 1
            parts = row["live_bytes"] + row["superseded_bytes"] + row["erased_bytes"]
            holds(0 <= parts <= row["bytes"], f"the parts of {row}")
        archives.append([row for row in rows if row["region"] == "archive"])
    holds(archives[0] == archives[1] == archives[2], f"the archives are the same: {archives}")
    holds(archives[0][0]["superseded_bytes"] > REVISED * 60_000, "what was revised is superseded")
    equal(sum(row["superseded_bytes"] for row in listed(cluster.data(1))[1:]), 0,
          "nothing else is superseded")


def check_pictures(cluster):
    for columns in ("80", "140"):
        text, _ = daybook("segment", "list", "--data", cluster.data(1),
                          environment={"COLUMNS": columns, "LANG": "C.UTF-8"})
        holds(text.isascii(), "a file gets plain characters")
        holds(re.search(r"^ +1  archive +0 +0-\d+ .* #+-+[#.]*\.$", text, re.MULTILINE),
              f"a bar with live and superseded parts: {text}")
        holds("superseded" in text and "segments of" in text, f"totals: {text}")


def check_reader(cluster, node):
    """The independent reader prints what a replay prints."""
    out, _ = daybook("replay", "--resource", "all", "--to", f"http://127.0.0.1:{cluster.base}",
                     environment={"DAYBOOK_TOKEN": cluster.admin_token})
    replayed = [json.loads(line) for line in out.splitlines()]
    rows, problems = read_log(cluster.data(node))
    equal(problems, [], "what the reader holds against the files")
    equal(len(rows), len(replayed), "the number of rows")
    for row, expected in zip(rows, replayed):
        equal(row, expected, "a row")


def check_inspect(cluster):
    directory = cluster.data(1)
    first = listed(directory)[0]
    view = json.loads(daybook("segment", "inspect", "1", "--data", directory, "--json")[0])
    equal(view["sha256"], first["sha256"], "the digest")
    log = read_segments.Log(directory)
    out, _ = daybook("segment", "inspect", "--entries", "--json",
                     os.path.join(directory, first["file"]))
    entries = [json.loads(line) for line in out.splitlines()]
    expected = [(entry.index, entry.term, read_segments.KINDS[entry.kind], entry.bytes,
                 entry.sequence, entry.records) for entry in log.segments[0].entries]
    equal([(entry["index"], entry["term"], entry["kind"], entry["bytes"],
            entry["first_sequence"], entry["records"]) for entry in entries], expected, "entries")
    equal(sum(view["entries"].values()), len(expected), "the entries of all kinds")
    equal(view["digest"], log.manifest.segments[0].digest.hex(), "the root of the tree")


def compacted(cluster):
    """After a run of compactions: the same list everywhere, nothing superseded in what was compacted,
    and a reader that finds what a replay finds, and what was left of the rest."""
    to = ["--to", f"http://127.0.0.1:{cluster.base}"]
    environment = {"DAYBOOK_TOKEN": cluster.admin_token}
    result = json.loads(daybook("compact", "--wait", "--json", *to, environment=environment)[0])
    equal(result["state"], "completed", f"the run: {result}")
    holds(result["events_compacted"] >= REVISED, f"{result}")
    out, _ = daybook("replay", "--resource", "all", *to, environment=environment)
    replayed = [json.loads(line) for line in out.splitlines()]

    def archives():
        return [[row for row in listed(cluster.data(node)) if row["region"] == "archive"]
                for node in (1, 2, 3)]
    until(lambda: archives()[0] == archives()[1] == archives()[2], 30, "equal archives", 0.2)
    rows = archives()[0]
    holds(rows[0]["generation"] > 0, f"the first segment was compacted: {rows[0]}")
    holds(all(row["superseded_bytes"] == 0 for row in rows if row["generation"]), f"{rows}")
    for node in (1, 2, 3):
        found, problems = read_log(cluster.data(node))
        equal(problems, [], "what the reader holds against the files")
        whole = [row for row in found if "compacted" not in row]
        equal(whole, replayed, "the events that are whole")
        equal(len(found) - len(whole), result["events_compacted"], "what was left of the others")
        daybook("segment", "verify", "--data", cluster.data(node))


def check_damage(cluster, node):
    """Flips bits of a stopped node's files, one after the other; each is found and named."""
    directory = cluster.data(node)
    before = snapshot(directory)
    daybook("segment", "verify", "--data", directory)
    daybook("segment", "list", "--data", directory)
    equal(snapshot(directory), before, "nothing is written")
    rows = listed(directory)
    archive, tail = rows[0], rows[-1]
    names = [(archive["file"], archive["bytes"] // 2), (tail["file"], 700), ("identity", 20),
             ("manifest.1", 100)]
    names += [(name, 60) for name in os.listdir(directory) if name.endswith((".places", ".state"))]
    for name, place in names:
        path = os.path.join(directory, name)
        flip(path, place)
        out, _ = daybook("segment", "verify", "--data", directory, "--json", expected=1)
        damaged = {line["file"]: line["damage"] for line in map(json.loads, out.splitlines())
                   if line["damage"]}
        equal(list(damaged), [name], "the damaged file")
        holds(any(part["from"] <= place < part["to"] for part in damaged[name]),
              f"the place {place}: {damaged}")
        text, _ = daybook("segment", "verify", "--data", directory, expected=1)
        holds(f"damaged places in 1 files:\n  {name}: " in text, f"the summary: {text}")
        if name.endswith(".segment"):
            _, said = daybook("segment", "list", "--data", directory, "--json", expected=1)
            holds(f"{name} is damaged" in said, f"the list says so: {said}")
            holds(any(name in problem for problem in read_log(directory)[1]),
                  "the reader says so too")
        flip(path, place)
    daybook("segment", "verify", "--data", directory)


def beside_load(cluster):
    """Nothing looks damaged while nodes write, seal and archive."""
    with Load(cluster.base, cluster.token, "beside") as load:
        for turn in range(6):
            load.until_more(50)
            node = turn % 3 + 1
            daybook("segment", "verify", "--data", cluster.data(node))
            rows = listed(cluster.data(node))
            holds(rows[-1]["region"] == "tail", "the open segment is there")
            if turn == 2:
                fill(cluster, 18, "seal")
    equal(load.errors, [], "answers that are neither 200 nor 503")


def after_a_kill(cluster, node):
    with Load(cluster.base, cluster.token, "kill") as load:
        load.until_more(100)
        pid = cluster.pid(node)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not is_running(pid), 10, "it is gone")
        daybook("segment", "verify", "--data", cluster.data(node))
        listed(cluster.data(node))
    _, problems = read_log(cluster.data(node))
    # A torn write at the very end is no damage, but the reader may not know where it began.
    holds(len(problems) <= 1, f"the reader: {problems}")
    cluster.restart(node)
    cluster.until_ready()


def not_a_directory():
    with tempfile.TemporaryDirectory() as empty:
        for command in ("list", "verify"):
            _, said = daybook("segment", command, "--data", empty, expected=4)
            holds("is no data directory" in said, f"the reason: {said}")
            _, said = daybook("segment", command, "--data", empty + "/none", expected=4)
            holds("there is no directory" in said, f"the reason: {said}")
        with open(os.path.join(empty, "identity"), "wb") as file:
            file.write(os.urandom(64))
        with open(os.path.join(empty, f"{1:020}.segment"), "wb") as file:
            file.write(os.urandom(100_000))
        out, _ = daybook("segment", "verify", "--data", empty, expected=1)
        holds("identity" in out and "DAMAGED" in out, f"garbage is called so: {out}")
        equal(listed(empty, expected=1)[0]["live_bytes"], 0, "nothing is counted")
        _, said = daybook("segment", "inspect", "2", "--data", empty, expected=4)
        holds("has no segment 2" in said, f"the reason: {said}")


def main():
    suite = Suite()
    with suite.check("the reader's CRC-32C is that of RFC 3720"):
        equal(read_segments.crc32c(b"123456789"), 0xE3069283, "the check value")
        equal(read_segments.crc32c(bytes(32)), 0x8A9136AA, "32 zeros")
        data = bytes(suite.random.randrange(256) for _ in range(3000))
        equal(read_segments.crc32c(data), read_segments.step(0xFFFFFFFF, data) ^ 0xFFFFFFFF,
              "lanes and bytes")
    with suite.check("directories without a log, and with garbage, are called so"):
        not_a_directory()
    with Cluster(harness.PORTS + 100, suite=suite) as cluster:
        with suite.check("20 MiB of events and revisions, one segment in every archive"):
            post(cluster.base, CREATE, event("small", token=cluster.token))
            fill(cluster, 20)
            revise(cluster, REVISED)
            cluster.until_equal()
            until_archived(cluster)
        with suite.check("the list says what the files hold, and is the same on every replica"):
            check_list(cluster)
        with suite.check("the list for people has a bar for each segment"):
            check_pictures(cluster)
        for node in (1, 2, 3):
            with suite.check(f"the independent reader prints what a replay prints, node {node}"):
                check_reader(cluster, node)
        with suite.check("inspect shows the entries that the independent reader finds"):
            check_inspect(cluster)
        with suite.check("compacted segments: nothing superseded, equal, and readable by the reader"):
            compacted(cluster)
        with suite.check("beside nodes under load nothing looks damaged"):
            beside_load(cluster)
        node = next(number for number in (1, 2, 3) if number != cluster.leader())
        with suite.check("after a kill under load nothing looks damaged"):
            after_a_kill(cluster, node)
        with suite.check("a flipped bit in any file of a stopped node is found and named"):
            cluster.until_equal()
            stop(cluster, node)
            check_damage(cluster, node)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
