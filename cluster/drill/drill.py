"""The command line of tools/drill."""

import argparse
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SCENARIOS = os.path.join(ROOT, "cluster", "scenarios")
# Behind this folder, whose names come first.
sys.path.append(os.path.join(ROOT, "Tests", "cluster"))

# pylint: disable=wrong-import-position
import faults  # noqa: E402
import history  # noqa: E402
import network  # noqa: E402
import scenario as grammar  # noqa: E402
from members import BINARY  # noqa: E402
from run import Run  # noqa: E402

PROGRAMS = {"nft": "nftables", "ip": "iproute2", "tc": "iproute2", "unshare": "util-linux",
            "nsenter": "util-linux", "setpriv": "util-linux", "mount": "mount", "mkfs.ext4": "e2fsprogs", "cc": "gcc"}
# A run that takes so much longer than its load is ended.
MOST_SECONDS = 240
EXAMPLES = """examples:
  tools/drill                            every scenario of cluster/scenarios, 30 s each
  tools/drill --scenario leader-stop     one of them
  tools/drill --scenario FILE --keep     a file; logs and data are kept
  tools/drill --seed 7 --count 20        twenty random ones, drawn from seeds 7 to 26
  tools/drill --seed 7 --list            what a random one does, in words that --scenario reads

Needs root, network namespaces and what tools/setup --drill installs. Where namespaces cannot be
made nothing runs, and the closing line counts what was skipped.
"""


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="tools/drill", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs whole clusters of real processes through failures of network, disk, "
        "clock and process, and holds them to their promise. See docs/internals/drill.md.")
    parser.add_argument("--scenario", action="append", default=[], metavar="NAME|FILE",
                        help="a scenario, again for more; default: all of cluster/scenarios")
    parser.add_argument("--seconds", type=int, default=grammar.LENGTH_SECONDS, metavar="S",
                        help="how long each is under load, 30 by default")
    parser.add_argument("--seed", type=int, metavar="N",
                        help="draw random scenarios instead, the first from this seed")
    parser.add_argument("--count", type=int, default=1, metavar="N", help="how many of them")
    parser.add_argument("--list", action="store_true", help="print the scenarios, run none")
    parser.add_argument("--keep", action="store_true", help="keep the directory of every run; "
                        "that of a failed one is always kept")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output; "
                        "progress goes to standard error")
    parser.add_argument("--self-test", action="store_true",
                        help="check the check of histories on planted ones, run none")
    parser.add_argument("--inside", metavar="DIRECTORY", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.seconds < 1 or options.count < 1:
        parser.error("--seconds and --count are at least 1")
    return options


def read_scenario(name, seconds):
    path = name if os.path.sep in name or name.endswith(".txt") \
        else os.path.join(SCENARIOS, name + ".txt")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise grammar.ScenarioError(f"scenario {name}: {error.strerror}; "
                                    "tools/drill --list shows those there are") from None
    return grammar.parse(os.path.basename(path).removesuffix(".txt"), text, seconds)


def chosen(options):
    """The scenarios that are asked for."""
    if options.seed is not None:
        return [grammar.draw(options.seed + number, options.seconds)
                for number in range(options.count)]
    names = options.scenario or sorted(glob.glob(os.path.join(SCENARIOS, "*.txt")))
    return [read_scenario(name, options.seconds) for name in names]


def obstacle():
    """Why namespaces cannot be made here; None when they can."""
    if os.geteuid() != 0:
        return "this user is not root"
    done = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc",
                           "ip", "link", "add", "bridge", "type", "bridge"],
                          capture_output=True, text=True, timeout=20, check=False)
    return done.stderr.strip() or "unshare failed" if done.returncode else None


def missing():
    """Packages whose programs are not there."""
    return sorted({package for name, package in PROGRAMS.items() if shutil.which(name) is None})


# Inside the namespaces


def run_one(scenario, options, library, say):
    """Runs a scenario; returns its result, which tells a failure too."""
    directory = os.path.join(options.inside, scenario.name)
    say(f"{scenario.name}: {scenario.nodes} nodes, {options.seconds} s")
    run = Run(scenario, directory, library, options.seed or 1, say)
    signal.alarm(options.seconds + MOST_SECONDS)
    try:
        result = run.run(options.seconds)
    except Exception as error:  # pylint: disable=broad-except
        words = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
        result = {"scenario": scenario.name, "seconds": options.seconds, "acknowledged": 0,
                  **dict.fromkeys(history.KINDS, 0), "failures": [*run.failures, words]}
    finally:
        signal.alarm(0)
    report(result, say)
    if result["failures"]:
        with open(directory + ".txt", "w", encoding="utf-8") as file:
            file.write(scenario.text)
        say(f"    kept {directory}; the scenario is {directory}.txt")
    elif not options.keep:
        shutil.rmtree(directory)
    return result


def report(result, say):
    if "rows" in result:
        times = " ".join("never" if one["seconds"] is None else f"{one['seconds']:.2f}"
                         for one in result["replaced"])
        say(f"    {result['acknowledged']} events acknowledged, {result['retries']} retries, "
            f"{result['repeated']} repeated, {result['reads']} read, {result['followed']} followed, "
            f"{result['terms']} leaders, {result['touched']} calls of the disk disturbed")
        say(f"    longest without service {result['longest_gap']:.2f} s; "
            f"service {result['healed_seconds']:.2f} s after healing"
            + (f"; other leaders after {times} s" if times else ""))
        for line in result["notes"]:
            say(f"    {line}")
    for words in result["failures"]:
        say(f"    FAILED: {words}")
    say(f"{'FAILED' if result['failures'] else 'ok':<7}{result['seconds']:>6.1f} s  "
        f"{result['scenario']}")


def closing(results, skipped):
    totals = {kind: sum(result[kind] for result in results) for kind in history.KINDS}
    events = sum(result["acknowledged"] for result in results)
    seconds = round(sum(result["seconds"] for result in results))
    line = f"{len(results)} scenarios, {seconds} seconds, {events} events acknowledged, " \
        f"{totals['lost']} lost, {totals['duplicated']} duplicated, " \
        f"{totals['reordered']} reordered, {totals['altered'] + totals['invented']} altered"
    return line + (f"; {skipped} skipped" if skipped else "")


def inside(options, say):
    """Runs in namespaces of its own, where everything it starts ends with it."""
    def overdue(*_):
        raise AssertionError("the run takes too long")
    signal.signal(signal.SIGALRM, overdue)
    network.prepare()
    library = faults.compile_shim(options.inside)
    return [run_one(scenario, options, library, say) for scenario in chosen(options)]


# Outside


def enter(arguments, directory):
    """Runs this program again in namespaces of its own; returns its exit code.

    Whatever ends this process ends `unshare` and, by the kernel, all that was started inside.
    """
    child = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--fork",
         "--kill-child=KILL", "--mount-proc", sys.executable, os.path.join(HERE, "drill.py"),
         *arguments, "--inside", directory], stdin=subprocess.DEVNULL, start_new_session=True)

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        return child.wait()
    finally:
        child.kill()
        child.wait()


def tidy_up(directory, keep):
    """Removes the directory but for failed runs, which have their scenario beside them."""
    for path in glob.glob(os.path.join(directory, "*")):
        failed = os.path.exists(path.removesuffix(".txt") + ".txt")
        if not failed and not keep:
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    if not os.listdir(directory):
        os.rmdir(directory)


def say_on(stream):
    return lambda text: print(text, file=stream, flush=True)


def finish(options, results, skipped, say):
    line = closing(results, skipped)
    if options.json:
        print(json.dumps({"runs": results, "skipped": skipped, "summary": line}))
    say(line)
    return 1 if any(result["failures"] for result in results) else 0


def outside(options, arguments, say):
    scenarios = chosen(options)
    if options.list:
        for scenario in scenarios:
            first = scenario.text.splitlines()[0].lstrip("# ")
            print(scenario.text if options.seed is not None else f"{scenario.name:<24}{first}")
        return 0
    if lacking := missing():
        say(f"tools/drill: missing {', '.join(lacking)}: run tools/setup --drill")
        return 1
    if not os.path.exists(BINARY):
        say("tools/drill: no .build/release/daybook: run tools/build")
        return 1
    if reason := obstacle():
        say(f"tools/drill: no network namespaces here ({reason})")
        return finish(options, [], len(scenarios), say)
    directory = tempfile.mkdtemp(prefix="daybook-drill-")
    try:
        return enter(arguments, directory)
    finally:
        tidy_up(directory, options.keep)


def main():
    options = parse(sys.argv[1:])
    say = say_on(sys.stderr if options.json else sys.stdout)
    try:
        if options.self_test:
            right, wrong = history.self_test()
            say("\n".join([*wrong, f"{right} passed, {len(wrong)} failed"]))
            return 1 if wrong else 0
        if options.inside is None:
            return outside(options, sys.argv[1:], say)
        return finish(options, inside(options, say), 0, say)
    except (grammar.ScenarioError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        print(f"tools/drill: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
