#!/usr/bin/env python3
"""Shows that each planted bug is found: tools/simulate --zoo [--search] [--only NAME]...

Runs the stored seed of every bug of Sources/BugZoo/PlantedBug.swift: it must fail with the bug and
hold without it. A stored seed that shows nothing any more (the simulator was changed) is replaced
for this run by the first of a bounded search. The last line is `N planted bugs, N found`; ends with 0
when all are found.

examples:
  tools/simulate --zoo                              every bug by its stored seed
  tools/simulate --zoo --only count-old-term        one bug
  tools/simulate --zoo --search                     looks for seeds anew, writes the table of
                                                    docs/internals/bug-zoo.md
  tools/simulate --zoo --json                       one object for each bug

Times are processor seconds of one core.
"""

import argparse
import concurrent.futures
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
LIST = os.path.join(ROOT, "Sources", "BugZoo", "PlantedBug.swift")
TABLE = os.path.join(ROOT, "docs", "internals", "bug-zoo.md")
BEGIN, END = "<!-- bugs -->", "<!-- end of bugs -->"
HEAD = ("| bug | found by | seeds tried | s to find | s to show | model check | mistake |\n"
        "|---|---|---|---|---|---|---|")
# Processor time of one run, which takes a second or two; beyond it something hangs.
RUN_SECONDS = 120
# A trap, or no end of the run.
FINDING_SIGNALS = {signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS,
                   signal.SIGKILL, signal.SIGXCPU}
# A stored seed is to show its bug in this time; a longer one is kept only when there is no other.
WANTED_SECONDS = 5.0
# Where bugs of a group are looked for, in this order.
HUNTS = {
    "Disk": ["log", "damage", "cluster", "compaction"],
    "Compaction": ["compaction", "cluster"],
}
CORE_HUNTS = ["cluster", "model"]
USUAL_HUNTS = ["cluster", "log", "damage", "compaction"]
SEEDS = {"log": range(1, 61), "damage": range(1, 2), "compaction": range(100, 301, 100),
         "model": range(1, 6)}
# The searches of the model check, by the numbers that stand for seeds.
SEARCHES = ["detail", "disks", "logs", "reads", "transfers"]
# Groups whose bugs are in the consensus core, where the model check can find them.
CORE_GROUPS = {"Elections", "Log", "Reads", "Membership"}
MODEL_STATES = 2_000_000

BUG = re.compile(r"((?:^ *///[^\n]*\n)+) *case \w+ = \"([a-z0-9-]+)\"|// MARK: (\w+)", re.MULTILINE)
ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (\w+) (\d+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([^|]*) \|",
                 re.MULTILINE)
FOUND_BY_MODEL = re.compile(r"violation at depth (\d+) after ([\d,]+) states")


class Bug:
    """A planted bug: its name, its group in the list, and the sentence that says what it is."""

    def __init__(self, name, group, sentence):
        self.name = name
        self.group = group
        self.sentence = sentence


class Finding:
    """The run that shows a bug, and what it took to find it."""

    def __init__(self, hunt, seed, tried, find_seconds, show_seconds, model="—"):
        self.hunt = hunt
        self.seed = seed
        self.tried = tried
        self.find_seconds = find_seconds
        self.show_seconds = show_seconds
        self.model = model


def planted_bugs():
    with open(LIST, encoding="utf-8") as file:
        text = file.read()
    bugs, group = [], ""
    for match in BUG.finditer(text):
        if match.group(3):
            group = match.group(3)
            continue
        lines = [line.strip().removeprefix("///").strip() for line in match.group(1).splitlines()]
        bugs.append(Bug(match.group(2), group, " ".join(line for line in lines if line)))
    return bugs


def table_text():
    with open(TABLE, encoding="utf-8") as file:
        return file.read()


def found_elsewhere():
    """Bugs that the page names as found by tests alone, or as harmless: they are not in the zoo."""
    return set(re.findall(r"^- `([a-z0-9-]+)`:", table_text(), re.MULTILINE))


def stored_findings():
    text = table_text()
    return {name: Finding(hunt, int(seed), int(tried), float(find), float(show), model.strip())
            for name, hunt, seed, tried, find, show, model in ROW.findall(text)}


# Running


def command(binary, hunt, seed, bug):
    planted = ["--bug", bug] if bug else []
    if hunt == "cluster":
        return [binary, str(seed), *planted]
    if hunt == "model":
        return [binary, "--model-check", "--states", str(MODEL_STATES), "--search",
                SEARCHES[seed - 1], *planted]
    return [binary, "--crash-points", "1", "--from", str(seed), "--suite", hunt, "--jobs", "1",
            *planted]


def run(arguments):
    """Runs to the end; returns whether it held, what it said, and processor seconds.

    A violated promise ends with 1 and a trap by a signal; both are findings. So is a hang."""
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            arguments, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env={**os.environ, "SWIFT_BACKTRACE": "enable=no"})
        resource.prlimit(child.pid, resource.RLIMIT_CPU, (RUN_SECONDS, RUN_SECONDS))
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if child.returncode not in (0, 1) and -child.returncode not in FINDING_SIGNALS:
        sys.exit(f"{' '.join(arguments)} ended with {child.returncode}:\n{text[-2000:]}")
    return child.returncode == 0, text, usage.ru_utime + usage.ru_stime


def shows(binary, hunt, seed, bug):
    """Whether the run fails with the bug and holds without it; and the seconds of the first."""
    held, _, seconds = run(command(binary, hunt, seed, bug.name))
    if held:
        return False, seconds
    held, _, _ = run(command(binary, hunt, seed, None))
    return held, seconds


def search(binary, bug, limit):
    """The first run that shows the bug, of at most `limit` seeds of clusters; None without one."""
    best, total, tried = None, 0.0, 0
    usual = CORE_HUNTS if bug.group in CORE_GROUPS else USUAL_HUNTS
    for hunt in HUNTS.get(bug.group, usual):
        for seed in SEEDS.get(hunt, range(1, limit + 1)):
            tried += 1
            found, seconds = shows(binary, hunt, seed, bug)
            total += seconds
            if not found:
                continue
            finding = Finding(hunt, seed, tried, total, seconds)
            if seconds <= WANTED_SECONDS:
                return finding
            if best is None or seconds < best.show_seconds:
                best = finding
    return best


def model_check(binary, bug):
    """How deep and after how many states the model check finds the bug; a dash when it does not."""
    if bug.group not in CORE_GROUPS:
        return "—"
    held, text, _ = run([binary, "--model-check", "--states", str(MODEL_STATES), "--bug", bug.name])
    found = FOUND_BY_MODEL.search(text)
    if held or found is None:
        return "—"
    return f"depth {found.group(1)}, {found.group(2)} states"


# What is said


def examine(binary, bug, stored, options):
    """Returns the finding, or None, and what to remark."""
    if options.search:
        finding = search(binary, bug, options.seeds)
        if finding is not None:
            finding.model = "—" if options.no_model else model_check(binary, bug)
        return finding, ""
    remark = "no seed is stored"
    if stored is not None:
        found, seconds = shows(binary, stored.hunt, stored.seed, bug)
        if found:
            stored.show_seconds = seconds
            return stored, ""
        remark = f"{stored.hunt} seed {stored.seed} does not show it any more"
    return search(binary, bug, options.seeds), remark


def write_table(bugs, findings):
    lines = [HEAD]
    group = ""
    for bug in bugs:
        finding = findings.get(bug.name)
        if bug.group != group:
            group = bug.group
            lines.append(f"| **{group}** | | | | | | |")
        if finding is None:
            lines.append(f"| `{bug.name}` | not found | | | | | {bug.sentence} |")
            continue
        lines.append(
            f"| `{bug.name}` | {finding.hunt} {finding.seed} | {finding.tried} "
            f"| {finding.find_seconds:.1f} | {finding.show_seconds:.1f} | {finding.model} "
            f"| {bug.sentence} |")
    text = table_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    with open(TABLE, "w", encoding="utf-8") as file:
        file.write(text[:begin] + "\n\n" + "\n".join(lines) + "\n\n" + text[end:])


def report(bug, finding, remark, as_json):
    if as_json:
        print(json.dumps({
            "bug": bug.name, "found": finding is not None, "remark": remark,
            **({} if finding is None else {
                "hunt": finding.hunt, "seed": finding.seed, "tried": finding.tried,
                "seconds": round(finding.show_seconds, 2)})}), flush=True)
        return
    if finding is None:
        said = "NOT FOUND"
    else:
        said = f"{finding.hunt} seed {finding.seed:<6} {finding.show_seconds:6.1f} s"
    print(f"{bug.name:<32}{said}{'  (' + remark + ')' if remark else ''}", flush=True)


def main():
    parser = argparse.ArgumentParser(
        prog="tools/simulate --zoo", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help=argparse.SUPPRESS)
    parser.add_argument("--search", action="store_true", help="look for seeds, write the table")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--seeds", type=int, default=60, metavar="N",
                        help="seeds of clusters tried for one bug, 60 when not given")
    parser.add_argument("--no-model", action="store_true",
                        help="with --search: leave the model check out")
    parser.add_argument("--jobs", type=int, default=2, metavar="J")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    bugs = planted_bugs()
    unknown = set(options.only) - {bug.name for bug in bugs}
    if unknown:
        parser.error(f"no bug is called {', '.join(sorted(unknown))}; Sources/BugZoo/PlantedBug."
                     "swift has them all")
    stored = stored_findings()
    bugs = [bug for bug in bugs if bug.name not in found_elsewhere() or bug.name in options.only]
    chosen = [bug for bug in bugs if not options.only or bug.name in options.only]
    findings = dict(stored) if options.only else {}
    found = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = {pool.submit(examine, options.binary, bug, stored.get(bug.name), options): bug
                   for bug in chosen}
        for future in concurrent.futures.as_completed(futures):
            bug = futures[future]
            finding, remark = future.result()
            findings.pop(bug.name, None)
            if finding is not None:
                findings[bug.name] = finding
                found += 1
            report(bug, finding, remark, options.json)
            if options.search:
                write_table(bugs, findings)
    print(f"{len(chosen)} planted bugs, {found} found")
    return 0 if found == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
