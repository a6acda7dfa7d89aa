"""What clients were promised, and the check of it against what the cluster has in the end.

Every acknowledgement carries its sequence, so that the check is O(n log n). It is a pure function;
`tools/drill --self-test` runs it on planted histories.
"""

import collections

Acknowledged = collections.namedtuple("Acknowledged", "unique_id sequence begun ended")
# What a client read of one unique_id that had been acknowledged before: the row, None for absent.
Read = collections.namedtuple("Read", "unique_id row")

PARAMETERS = ("unique_id", "script_name", "host_name", "file_name", "start_time", "notes")
KINDS = ("lost", "duplicated", "reordered", "altered", "invented")


class History:
    """What clients sent and were told. Only appended to."""

    def __init__(self):
        self.sent = {}
        self.acknowledged = []
        self.repeated = []
        self.reads = []
        self.followed = []
        self.errors = []


class Verdict:
    """How often each promise was broken, and the first cases in words."""

    def __init__(self):
        self.counts = dict.fromkeys(KINDS, 0)
        self.words = []

    def add(self, kind, words):
        self.counts[kind] += 1
        if len(self.words) < 10:
            self.words.append(f"{kind}: {words}")

    @property
    def holds(self):
        return not any(self.counts.values())


def content(row):
    return {name: row[name] for name in PARAMETERS if name in row}


def check(history, rows):
    """Judges a history by all rows of the log in their order."""
    verdict = Verdict()
    found = check_rows(history, rows, verdict)
    for told in history.acknowledged + history.repeated:
        row = found.get(told.unique_id)
        if row is None:
            verdict.add("lost", f"{told.unique_id} was acknowledged as {told.sequence}")
        elif row["sequence"] != told.sequence:
            verdict.add("reordered", f"{told.unique_id} was acknowledged as {told.sequence} and "
                        f"is {row['sequence']}")
    check_order(history.acknowledged, verdict)
    for read in history.reads:
        check_seen(read.unique_id, read.row, found, verdict)
    check_followed(history.followed, rows, verdict)
    return verdict


def check_rows(history, rows, verdict):
    """Each row was sent, once, as it is; sequences have no gap. Returns the rows by unique_id."""
    found = {}
    for place, row in enumerate(rows):
        if row["sequence"] != place:
            verdict.add("lost", f"row {place} has sequence {row['sequence']}")
            break
    for row in rows:
        unique_id = row.get("unique_id")
        if unique_id is None:
            continue
        if unique_id in found:
            verdict.add("duplicated", f"{unique_id} is {found[unique_id]['sequence']} "
                        f"and {row['sequence']}")
        elif unique_id not in history.sent:
            verdict.add("invented", f"nobody sent {unique_id}")
        elif content(row) != content(history.sent[unique_id]):
            verdict.add("altered", f"{unique_id} is {content(row)}")
        found.setdefault(unique_id, row)
    return found


def check_order(acknowledged, verdict):
    """What was sent after something was acknowledged stands behind it."""
    highest, place = -1, 0
    ends = sorted(acknowledged, key=lambda told: told.ended)
    for told in sorted(acknowledged, key=lambda told: told.begun):
        while place < len(ends) and ends[place].ended < told.begun:
            highest = max(highest, ends[place].sequence)
            place += 1
        if told.sequence <= highest:
            verdict.add("reordered", f"{told.unique_id} is {told.sequence} and was sent after "
                        f"{highest} was acknowledged")


def check_seen(unique_id, row, found, verdict):
    """What a client saw of an event is what the log has."""
    kept = found.get(unique_id)
    if row is None:
        verdict.add("lost", f"a read did not find {unique_id}, which was acknowledged before")
    elif kept is None:
        verdict.add("lost", f"{unique_id} was read and is not there")
    elif row["sequence"] != kept["sequence"]:
        verdict.add("reordered", f"{unique_id} was read as {row['sequence']}")
    elif content(row) != content(kept):
        verdict.add("altered", f"{unique_id} was read as {content(row)}")


def check_followed(followed, rows, verdict):
    """A followed stream is a beginning of the log, without a gap."""
    for place, row in enumerate(followed):
        if place >= len(rows):
            verdict.add("lost", f"sequence {row['sequence']} was streamed and is not there")
        elif row["sequence"] != place:
            verdict.add("reordered", f"a stream has {row['sequence']} in place {place}")
        elif row != rows[place]:
            verdict.add("altered", f"a stream has {row} in place {place}")
        else:
            continue
        return


# The check, checked


def sample():
    """A small history that holds, and its rows."""
    history = History()
    rows = []
    for number in range(20):
        event = {"unique_id": f"u-{number}", "script_name": f"script {number}"}
        history.sent[event["unique_id"]] = event
        history.acknowledged.append(
            Acknowledged(event["unique_id"], number, float(number), number + 0.9))
        rows.append({"sequence": number, **event})
    history.repeated.append(Acknowledged("u-3", 3, 30.0, 31.0))
    history.reads.append(Read("u-4", rows[4]))
    history.followed = rows[:10]
    return history, rows


def renumbered(rows):
    return [{**row, "sequence": place} for place, row in enumerate(rows)]


PLANTED = {
    "an event is gone": ("lost", lambda h, r: (h, renumbered(r[:-1]))),
    "an event is there twice": ("duplicated", lambda h, r: (h, renumbered(r + r[-1:]))),
    "two events changed places": (
        "reordered", lambda h, r: (h, renumbered(r[:12] + [r[13], r[12]] + r[14:]))),
    "an event's content is another": (
        "altered", lambda h, r: (h, r[:5] + [{**r[5], "script_name": "x"}] + r[6:])),
    "nobody sent an event": (
        "invented", lambda h, r: (h, r + [{"sequence": 20, "unique_id": "u-99"}])),
    "a sequence is left out": ("lost", lambda h, r: (h, r[:-1] + [{**r[-1], "sequence": 20}])),
    "a repetition was told another place": (
        "reordered", lambda h, r: (h.repeated.append(Acknowledged("u-3", 4, 32, 33)) or h, r)),
    "an acknowledged event was sent later than one behind it": (
        "reordered", lambda h, r: (
            h.acknowledged.__setitem__(2, Acknowledged("u-2", 2, 18.95, 19.0)) or h, r)),
    "a read did not find an event": ("lost", lambda h, r: (h.reads.append(Read("u-5", None)) or h, r)),
    "a read saw another content": (
        "altered", lambda h, r: (h.reads.append(Read("u-5", {**r[5], "notes": [1]})) or h, r)),
    "a stream skipped an event": (
        "reordered", lambda h, r: (h.followed.__delitem__(5) or h, r)),
    "a stream showed what was lost": (
        "lost", lambda h, r: (setattr(h, "followed", r + [{"sequence": 20}]) or h, r)),
}


def self_test():
    """Runs the check on planted histories; returns how many were judged rightly, and the others."""
    wrong = []
    if not check(*sample()).holds:
        wrong.append("a good history is flagged")
    for name, (kind, plant) in PLANTED.items():
        if check(*plant(*sample())).counts[kind] == 0:
            wrong.append(f"not flagged as {kind}: {name}")
    return 1 + len(PLANTED) - len(wrong), wrong
