#!/usr/bin/env python3
"""The index of events against a model: newest revisions, searched, filtered, sorted, in pages by number
and by cursor, over tail and archive, while events are appended, erased and compacted and leaders die.

The model is a list of what was posted and receipted. Segments are small, so that there are many.
"""

import contextlib
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile

import harness
from harness import BINARY, Cluster, Daybook, Suite, until
from wire import ask, bearer, equal, event, holds, json_lines, post

INDEX = "/api/v1/audit_events_fmp/index"
SEGMENT_BYTES = 128 * 1024
GENERATED = 2000
TEXTS = ("unique_id", "script_name", "host_name", "file_name", "updated_in")
UTC = datetime.timezone.utc


def microseconds(text):
    """A time as posts have it, as microseconds since 1970."""
    if "/" in text:
        form = "%m/%d/%Y %I:%M" if text.endswith("M") else "%m/%d/%Y %H:%M"
        form += ":%S" * (text.count(":") > 1) + ".%f" * ("." in text)
        time = datetime.datetime.strptime(text, form + " %p" * text.endswith("M"))
    else:
        time = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (time - datetime.datetime(1970, 1, 1, tzinfo=UTC)) // datetime.timedelta(microseconds=1)


class Model:
    """What was recorded, as small as it can be written."""

    def __init__(self):
        self.rows = {}
        self.started = {}
        self.erased = set()

    def take(self, posted, receipt):
        if not receipt["duplicate"]:
            self.rows[receipt["sequence"]] = posted
            self.started[receipt["sequence"]] = microseconds(posted["start_time"])

    def newest(self, end=None):
        """Sequences of the newest revision of each unique_id below `end`."""
        newest = {}
        for sequence, row in sorted(self.rows.items()):
            if (end is None or sequence < end) and row["unique_id"] not in self.erased:
                newest[row["unique_id"]] = sequence
        return sorted(newest.values())

    def finds(self, sequence, search):
        row = self.rows[sequence]
        term = search.get("search.term", "").encode().lower()
        names = search.get("search.attributes", [*TEXTS, "notes"])
        texts = [row.get(name) for name in names if name != "notes"]
        if "notes" in names and "notes" in row:
            texts.append(json.dumps(row["notes"]))
        if term and not any(term in text.encode().lower() for text in texts if text is not None):
            return False
        started = self.started[sequence]
        for name in search.get("filters", []):
            word, _, time = name.partition(":")
            if not {"running": "stop_time" not in row, "finished": "stop_time" in row,
                    "since": not time or started >= microseconds(time),
                    "until": not time or started < microseconds(time)}[word]:
                return False
        return True

    def search(self, search, end=None):
        """The sequences that a search finds, in its order."""
        found = [sequence for sequence in self.newest(end) if self.finds(sequence, search)]
        if search.get("sort.by") == "start_time":
            found.sort(key=lambda place: (self.started[place], place))
        return found[::-1] if search.get("sort.order") == "desc" else found


class Index:
    """A store with an index, and the model of it."""

    def __init__(self, port, token, admin, random):
        self.port, self.token, self.admin, self.random = port, token, admin, random
        self.model = Model()
        self.number = 0

    def append(self, events):
        answer = ask(self.port, "POST", "/v1/events", json_lines(events), bearer(self.token)
                     + [("Content-Type", "application/x-ndjson")], timeout=60)
        holds(all(line["code"] == 200 for line in answer.lines), f"{answer.lines[:1]}")
        for posted, line in zip(events, answer.lines, strict=True):
            self.model.take(posted, line["data"])

    def generate(self, count):
        """Events with revisions: the later ones of an id are finished as a rule."""
        events = []
        for _ in range(count):
            self.number += 1
            turn = self.number // 100
            start = datetime.datetime(2026, 11, 1, tzinfo=UTC) + datetime.timedelta(
                minutes=self.random.randrange(turn * 40, turn * 40 + 400))
            made = event(
                f"made-{self.random.randrange(self.number)}",
                script_name=f"Script {turn // 4 + self.random.randrange(3)}",
                host_name=f"host-{turn // 10 + self.random.randrange(2)}",
                file_name=self.random.choice(["A.fmp12", "B.fmp12", "Büro.fmp12"]),
                start_time=start.isoformat().replace("+00:00", "Z"),
                notes=[{"number": self.number, "text": "näh" * self.random.randrange(4)}])
            if self.random.random() < 0.6:
                made["stop_time"] = (start + datetime.timedelta(minutes=3)).isoformat()
            if self.random.random() < 0.2:
                made["updated_in"] = f"Button {self.random.randrange(5)}"
            events.append(made)
        return events

    def ask(self, search, expected=200):
        answer = post(self.port, INDEX, {"token": self.token, **search}, timeout=60)
        equal(answer.status, expected, f"the status of {search} ({answer.body[:300]!r})")
        return answer.json["data"] if expected == 200 else answer.json

    def pages(self, search, between=None):
        """All answers by cursor."""
        answers = [self.ask(search)]
        while "next" in answers[-1]:
            if between:
                between()
            answers.append(self.ask({**search, "page.after": answers[-1]["next"]}))
        return answers

    def a_search(self):
        """Something to search for, at random, of which there is something as a rule."""
        random, rows = self.random, self.model.rows
        row = rows[random.choice(list(rows))]
        search = {"page.size": random.choice([50, 333, 1000])}
        if random.random() < 0.7:
            name = random.choice([name for name in TEXTS if name in row])
            text = row[name]
            start = random.randrange(len(text))
            search["search.term"] = random.choice([str.upper, str])(text[start:start + 6]) \
                if text.isascii() else text
            if not search["search.term"].strip():
                del search["search.term"]
            elif random.random() < 0.5:
                search["search.attributes"] = random.sample([*TEXTS, "notes"], 3)
        filters = [f"since:{row['start_time']}", f"until:{row['start_time']}", "running", "finished"]
        search["filters"] = [name for name in filters if random.random() < 0.25]
        if random.random() < 0.8:
            search["sort.by"] = random.choice(["sequence", "start_time", "recorded_at"])
            search["sort.order"] = random.choice(["asc", "desc"])
        return search


def sequences(answers):
    return [row["sequence"] for answer in answers for row in answer["results"]]


def agree(index, count):
    """So many searches find what the model finds; returns how many rows."""
    rows = 0
    for _ in range(count):
        search = {**index.a_search(), "count": True}
        answers, expected = index.pages(search), index.model.search(search)
        equal(sequences(answers), expected, f"what {search} finds")
        equal({answer["count"] for answer in answers}, {len(expected)}, f"the count of {search}")
        holds(all(answer["complete"] for answer in answers), "nothing is cut short")
        size = search["page.size"]
        number = index.random.randrange(1, len(expected) // size + 3)
        page = index.ask({**search, "page.number": number})
        equal(sequences([page]), expected[(number - 1) * size:number * size], f"page {number}")
        rows += len(expected)
    return rows


def rows_are_events(index):
    answer = index.ask({"page.size": 200, "sort.order": "desc"})
    for row in answer["results"]:
        read = post(index.port, "/api/v1/audit_events_fmp/read",
                    {"token": index.token, "unique_id": row["unique_id"]})
        equal(row, read.json["data"], "a row and what read answers")


def while_appending(index, change=None):
    """Pages by cursor are one moment's, whatever comes between them."""
    for by, order in (("sequence", "asc"), ("recorded_at", "desc"), ("start_time", "asc"),
                      ("start_time", "desc")):
        search = {"filters": ["running"], "page.size": 100, "sort.by": by, "sort.order": order}
        expected = index.model.search(search)
        answers = index.pages(search, change or (lambda: index.append(index.generate(20))))
        equal(sequences(answers), expected, f"all pages by {by} {order}")


def erase(index, unique_id):
    answer = post(index.port, "/api/v1/audit_events_fmp/erase",
                  {"token": index.admin, "unique_id": unique_id, "reason": "a test"})
    equal(answer.status, 200, f"the erasure ({answer.body!r})")
    index.model.erased.add(unique_id)


def fill(suite, where, index):
    with suite.check(f"{where}: {GENERATED} events and those of the sample, with revisions"):
        with open(os.path.join(harness.FILES, "events-2k.ndjson"), encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
        for start in range(0, len(events), 500):
            index.append(events[start:start + 500])
        for _ in range(GENERATED // 250):
            index.append(index.generate(250))


def check(suite, where, index):
    with suite.check(f"{where}: searches find what the model finds"):
        holds(agree(index, 24) > 3000, "there is much to find")
    with suite.check(f"{where}: rows are what read answers"):
        rows_are_events(index)
    with suite.check(f"{where}: pages by cursor are of one moment while events are appended"):
        while_appending(index)
    with suite.check(f"{where}: erased events are gone, at once and behind cursors"):
        newest = index.model.newest()
        search = {"page.size": 10}
        first = index.ask(search)
        for place in (first["results"][-1]["sequence"], newest[20], newest[-1]):
            erase(index, index.model.rows[place]["unique_id"])
        rest = index.pages({**search, "page.size": 1000, "page.after": first["next"]})
        equal(sequences(rest), [place for place in newest[10:] if place in index.model.newest()],
              "what follows")
        agree(index, 6)


def cut_short(suite, index):
    """Events so long that few of them fill a node's page."""
    search = {"search.term": "long-", "search.attributes": ["unique_id"]}
    with suite.check("gateway: a count that is too much for one request says so and goes on"):
        # A page ends behind the entry that fills it, and a post of five is an entry.
        for part in range(240):
            index.append([event(f"long-{part}-{number}", notes=["y" * 60000])
                          for number in range(5)])
        counting = {**search, "page.size": 1, "count": True}
        answers = [index.ask(counting)]
        holds(not answers[0]["complete"], "the first answer is not the whole")
        while not answers[-1]["complete"] and len(answers) < 10:
            answers.append(index.ask({**counting, "page.after": answers[-1]["next"]}))
        equal(answers[-1]["count"], 1200, "the count")
        holds(0 < answers[0]["count"] < 1200, "the first count")
    with suite.check("gateway: long rows end an answer, and the cursor goes on"):
        answers = index.pages({**search, "page.size": 1000})
        equal(sequences(answers), index.model.search(search), "what is found")
        holds(all(len(json.dumps(answer)) < 10_000_000 for answer in answers), "the bytes")


def compacted(suite, cluster, index):
    with suite.check("gateway: a compaction changes nothing that is found"):
        done = daybook(index, "compact", "--wait", "--json", token=index.admin)
        equal(json.loads(done)["state"], "completed", "the state")
        holds(agree(index, 10) > 500, "there is much to find")
    with suite.check("gateway: nor does a change of the leader, in the middle of a cursor"):
        def change():
            leader = cluster.leader()
            cluster.kill(leader)
            cluster.leader()
            cluster.restart(leader)
        search = {"page.size": 1000, "sort.order": "desc", "count": True}
        expected = index.model.search(search)
        answers = index.pages(search, change)
        holds(len(answers) > 2, "there are several pages")
        equal(sequences(answers), expected, "what is found")


# The command


def daybook(index, *arguments, token=None, code=0):
    done = subprocess.run(
        [BINARY, *arguments, "--to", f"http://127.0.0.1:{index.port}"], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=180, check=False,
        env={**os.environ, "DAYBOOK_TOKEN": token or index.token})
    equal(done.returncode, code, f"the exit code of {arguments} ({done.stdout[:300]}{done.stderr})")
    return done.stdout if code == 0 else done.stderr


def command(suite, index):
    search = {"search.term": "script 1", "search.attributes": ["script_name"],
              "filters": ["running"], "sort.order": "desc"}
    arguments = ["search", "script 1", "--attribute", "script_name", "--filter", "running"]
    expected = index.model.search(search)
    with suite.check("daybook search: --json prints the rows, as many as --limit says"):
        for limit in (0, 3, 700):
            lines = daybook(index, *arguments, "--json", "--limit", str(limit)).splitlines()
            equal([json.loads(line)["sequence"] for line in lines], expected[:limit or None],
                  f"the rows with limit {limit}")
    with suite.check("daybook search: goes on with --after, says how"):
        done = subprocess.run(
            [BINARY, *arguments, "--limit", "2", "--to", f"http://127.0.0.1:{index.port}"],
            capture_output=True, text=True, timeout=60, check=True,
            env={**os.environ, "DAYBOOK_TOKEN": index.token})
        equal(len(done.stdout.splitlines()), 3, "a title and two rows")
        after = done.stderr.split("--after ")[1].strip()
        rest = daybook(index, *arguments, "--json", "--limit", "0", "--after", after)
        equal([json.loads(line)["sequence"] for line in rest.splitlines()], expected[2:], "the rest")
    with suite.check("daybook search: --count"):
        equal(int(daybook(index, *arguments, "--count")), len(expected), "the count")
        equal(int(daybook(index, "search", "--count")), len(index.model.newest()), "of all")
    with suite.check("daybook search: faults are told"):
        holds("since:TIME" in daybook(index, "search", "--filter", "open", code=1), "a filter")
        holds("--order is asc" in daybook(index, "search", "--order", "up", code=2), "an order")


# Where


def in_front_of_three(suite):
    with Cluster(harness.PORTS, suite=suite) as cluster:
        index = Index(cluster.base, cluster.token, cluster.admin_token, suite.random)
        fill(suite, "gateway", index)
        check(suite, "gateway", index)
        compacted(suite, cluster, index)
        command(suite, index)
        cut_short(suite, index)


def embedded(suite):
    directory = tempfile.mkdtemp(prefix="daybook-")
    port = harness.PORTS + 8
    try:
        with Daybook("serve", "--data", directory, "--listen", f"127.0.0.1:{port}") as serve:
            until(lambda: is_ready(port), 10, f"it is ready; it said {serve.said()}")
            admin = harness.read_text(os.path.join(directory, "admin-token")).strip()
            made = post(port, "/api/v1/tokens/create", {"token": admin, "application": "planox2"})
            index = Index(port, made.json["data"]["token"], admin, suite.random)
            fill(suite, "serve", index)
            check(suite, "serve", index)
    finally:
        shutil.rmtree(directory)


def is_ready(port):
    with contextlib.suppress(OSError):
        return ask(port, "GET", "/health/ready").status == 200
    return False


def main():
    os.environ["DAYBOOK_SEGMENT_BYTES"] = str(SEGMENT_BYTES)
    suite = Suite()
    in_front_of_three(suite)
    embedded(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
