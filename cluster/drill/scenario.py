"""Scenarios: plain text to actions and back, and random ones drawn from a seed.

The grammar is in docs/internals/drill.md.
"""

import dataclasses
import random
import re

LENGTH_SECONDS = 30
NODE_WORDS = ("leader", "old", "others", "followers", "follower", "gateway", "all")
DISK_STATES = ("ok", "hang", "slow", "full", "eio", "enospc")
ACTIONS = {
    "kill": r"(?P<who>\S+)",
    "start": r"(?P<who>\S+)",
    "stop": r"(?P<who>\S+)",
    "continue": r"(?P<who>\S+)",
    "terminate": r"(?P<who>\S+)",
    "cut": r"(?P<who>\S+) (?P<arrow>->|<->) (?P<whom>\S+)",
    "loss": r"(?P<who>\S+) (?P<arrow>->|<->) (?P<whom>\S+) (?P<percent>\d+)%",
    "rate": r"(?P<who>\S+) (?P<rate>\d+[km]bit)",
    "heal": r"",
    "disk": r"(?P<who>\S+) (?P<state>\w+)(?: (?P<milliseconds>\d+)ms)?",
    "fill": r"(?P<who>\S+) leaving (?P<megabytes>\d+)M",
    "empty": r"(?P<who>\S+)",
    "clock": r"(?P<who>\S+) (?P<seconds>[+-]?\d+)",
    "measure": r"(?P<name>\w+)",
}
# Actions after which the member or network is well again.
MENDING = ("start", "continue", "heal", "empty")
EXPECTATIONS = {
    "replaced": r"(?P<timeouts>\d+)",
    "kept": r"",
    "fetched": r"(?P<who>\d+)",
    "undisturbed": r"",
    "gap": r"(?P<timeouts>\d+)",
    "rate": r"(?P<name>\w+) (?P<ratio>\d*\.?\d+) of (?P<other>\w+)",
}


class ScenarioError(Exception):
    """A scenario that cannot be read; the text names file and line."""


@dataclasses.dataclass
class Action:
    """What happens when: the words as they stand, and what the grammar makes of them."""

    at: float
    verb: str
    fields: dict
    text: str

    @property
    def mends(self):
        return self.verb in MENDING or self.fields.get("state") == "ok" \
            or self.verb == "clock" and int(self.fields["seconds"]) == 0


@dataclasses.dataclass
class Scenario:
    """One scenario; `text` reads back to an equal one."""

    name: str
    text: str
    nodes: int = 3
    notes: int = 200
    disks: dict = dataclasses.field(default_factory=dict)
    actions: list = dataclasses.field(default_factory=list)
    expectations: list = dataclasses.field(default_factory=list)


def fields_of(kind, patterns, words, fail):
    verb, _, rest = words.partition(" ")
    if verb not in patterns:
        fail(f"no {kind} {verb!r}: there are {', '.join(patterns)}")
    match = re.fullmatch(patterns[verb], rest)
    if match is None:
        fail(f"{kind} {verb} has another form than {patterns[verb]!r}")
    return verb, {name: value for name, value in match.groupdict().items() if value is not None}


def check_members(scenario, fields, fail):
    """Members are named by numbers, joined by commas, or by one of the words."""
    for key in ("who", "whom"):
        for part in fields.get(key, "").split(",") if key in fields else []:
            if part in NODE_WORDS:
                continue
            if not part.isdigit() or not 1 <= int(part) <= scenario.nodes:
                fail(f"no member {part!r}: numbers up to {scenario.nodes}, "
                     f"or {', '.join(NODE_WORDS)}")
    if fields.get("state", "ok") not in DISK_STATES:
        fail(f"no state of a disk {fields['state']!r}: {', '.join(DISK_STATES)}")


def parse(name, text, seconds=LENGTH_SECONDS):
    """A scenario out of its text; what happens again and again does so for so many seconds."""
    scenario = Scenario(name, text)
    for number, line in enumerate(text.splitlines(), 1):
        words = " ".join(line.split("#", 1)[0].split())

        def fail(reason, place=number):
            raise ScenarioError(f"scenario {name}, line {place}: {reason}")
        if words:
            parse_line(scenario, words, seconds, fail)
    scenario.actions.sort(key=lambda action: action.at)
    return scenario


def parse_line(scenario, words, seconds, fail):
    first, _, rest = words.partition(" ")
    if first == "nodes" and rest in ("1", "3", "5", "7"):
        scenario.nodes = int(rest)
    elif first == "notes" and rest.isdigit() and int(rest) <= 60000:
        scenario.notes = int(rest)
    elif first == "disk" and (match := re.fullmatch(r"(\d+) (\d+)M", rest)):
        scenario.disks[int(match[1])] = int(match[2])
    elif first == "at" and (match := re.fullmatch(r"(\d+(?:\.\d+)?) (.+)", rest)):
        verb, fields = fields_of("action", ACTIONS, match[2], fail)
        check_members(scenario, fields, fail)
        scenario.actions.append(Action(float(match[1]), verb, fields, match[2]))
    elif first == "every" and (
            match := re.fullmatch(r"(\d+(?:\.\d+)?) from (\d+(?:\.\d+)?) (.+)", rest)):
        verb, fields = fields_of("action", ACTIONS, match[3], fail)
        check_members(scenario, fields, fail)
        period, begin = float(match[1]), float(match[2])
        if period < 0.1:
            fail("every 0.1 s at most")
        for turn in range(int((seconds - begin) / period) + 1):
            scenario.actions.append(Action(begin + turn * period, verb, fields, match[3]))
    elif first == "expect":
        scenario.expectations.append(fields_of("expectation", EXPECTATIONS, rest, fail))
    else:
        fail(f"{words!r} begins with none of: nodes N, notes BYTES, disk N SIZEM, at TIME, "
             "every PERIOD from TIME, expect")


# Random scenarios


def draw(seed, seconds=LENGTH_SECONDS):
    """A scenario of so many seconds; the same for the same seed."""
    chance = random.Random(seed)
    nodes = chance.choice([3, 3, 3, 5])
    lines = [f"# Drawn from seed {seed}.", f"nodes {nodes}"]
    time = chance.uniform(1.0, 2.0)
    while time < seconds - 6:
        length = chance.uniform(0.6, 4.0)
        for _ in range(chance.choice([1, 1, 1, 2])):
            fault, cure = chance.choice(FAULTS)(chance, nodes)
            begin = time + chance.uniform(0, 0.5)
            lines.append(f"at {begin:.2f} {fault}")
            lines.append(f"at {begin + length:.2f} {cure}")
        time += length + chance.uniform(0.8, 2.0)
    return parse(f"seed-{seed}", "\n".join(lines) + "\n", seconds)


def someone(chance, nodes):
    return chance.choice(["leader", "leader", "follower", str(chance.randint(1, nodes))])


def draw_kill(chance, nodes):
    return f"kill {chance.choice([someone(chance, nodes), 'all'])}", "start all"


def draw_stop(chance, nodes):
    return f"stop {someone(chance, nodes)}", "continue all"


def draw_cut(chance, nodes):
    """Of one member, to or from all others or one, in one direction or both."""
    one = str(chance.randint(1, nodes))
    other = chance.choice([str(chance.randint(1, nodes)), "gateway"])
    pair = chance.choice([("leader", "others"), ("others", "leader"), (one, other)])
    return f"cut {pair[0]} {chance.choice(['->', '->', '<->'])} {pair[1]}", "heal"


def draw_groups(chance, nodes):
    members = [str(number) for number in range(1, nodes + 1)]
    chance.shuffle(members)
    half = nodes // 2
    return f"cut {','.join(members[:half])} <-> {','.join(members[half:])}", "heal"


def draw_loss(chance, _):
    return f"loss all <-> all {chance.choice([2, 10, 25])}%", "heal"


def draw_rate(chance, nodes):
    return f"rate {chance.randint(1, nodes)} {chance.choice(['1mbit', '300kbit'])}", "heal"


def draw_disk(chance, nodes):
    who = someone(chance, nodes)
    state = chance.choice(["hang", "hang", "slow 20ms", "slow 300ms", "full"])
    return f"disk {who} {state}", "disk all ok"


def draw_disk_error(chance, nodes):
    who = someone(chance, nodes)
    return f"disk {who} {chance.choice(['eio', 'enospc'])}", "start all"


def draw_clock(chance, nodes):
    return f"clock {someone(chance, nodes)} {chance.choice(['+3600', '-3600', '+7', '-7'])}", \
        "clock all 0"


FAULTS = [draw_kill, draw_kill, draw_stop, draw_stop, draw_cut, draw_cut, draw_cut, draw_groups,
          draw_loss, draw_rate, draw_disk, draw_disk, draw_disk_error, draw_clock]
