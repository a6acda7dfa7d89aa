"""One scenario: a cluster is made, loaded, hurt, healed, and held to what it promised."""

import contextlib
import os
import shutil
import subprocess
import time

import history
from clients import Clients
from harness import until
from members import ELECTION_TIMEOUT_SECONDS, GATEWAY, GATEWAYS, PORT, Members, Watcher, text_of
from network import Network
from wire import ask, bearer, replay

# What a busy machine may add to a bound of time.
SLACK_SECONDS = 1.0
READY_SECONDS = 30
HEALED_SECONDS = 60
PORTION_ROWS = 2000
# Actions that take a leader from its office, when they are done to it.
DEPOSING = ("kill", "terminate", "stop", "cut", "disk")


class Run:
    """The run of one scenario; afterwards `result` has its figures."""

    def __init__(self, scenario, directory, library, seed, say):
        self.scenario = scenario
        self.directory = directory
        self.library = library
        self.seed = seed
        self.say = say
        self.old = None
        self.begun = None
        # (moment, node, the action's words): leaders to whom something deposing was done.
        self.blows = []
        # (moment, whether it mends)
        self.moments = []
        # name: [begin, end]
        self.measures = {}
        self.failures = []
        self.notes = []
        self.mounts = []
        self.rows = []

    def run(self, seconds):
        """Runs the scenario; returns its result as a dictionary."""
        start = time.monotonic()
        os.makedirs(self.directory)
        nodes = list(range(1, self.scenario.nodes + 1))
        with contextlib.ExitStack() as stack:
            self.network = Network(nodes)
            stack.callback(self.network.close)
            self.members = Members(self.directory, nodes, self.network, self.library)
            stack.callback(self.unmount)
            stack.callback(self.members.end)
            self.members.found()
            for node, megabytes in self.scenario.disks.items():
                self.mount(node, megabytes)
            self.watcher = Watcher(self.members)
            stack.callback(self.watcher.stop)
            self.members.start_all()
            self.until_ready()
            self.members.make_token()
            self.clients = Clients(GATEWAYS, self.members.token, self.seed, self.scenario.notes)
            self.load(seconds)
            self.judge()
        return self.result(time.monotonic() - start)

    # Disks of a size

    def mount(self, node, megabytes):
        """Puts a file system of its own under the node's directory."""
        path, image = self.members.data(node), self.members.path(f"disk-{node}.img")
        copy = path + ".copy"
        shutil.move(path, copy)
        os.mkdir(path)
        with open(image, "wb") as file:
            file.truncate(megabytes * 1024 * 1024)
        for command in (["mkfs.ext4", "-q", "-m", "0", image], ["mount", "-o", "loop", image, path]):
            subprocess.run(command, check=True, timeout=60, capture_output=True)
        self.mounts.append(path)
        shutil.copytree(copy, path, dirs_exist_ok=True)

    def unmount(self):
        for path in self.mounts:
            subprocess.run(["umount", path], check=True, timeout=60)

    def fill(self, node, megabytes):
        """Puts a file beside the log that leaves so much of the disk free; None: takes it away."""
        path = os.path.join(self.members.data(node), "ballast")
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
        if megabytes is None:
            return
        disk = os.statvfs(self.members.data(node))
        count = disk.f_bavail * disk.f_frsize - megabytes * 1024 * 1024
        if count > 0:
            with open(path, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, count)

    # The load and the faults

    def until_ready(self):
        for port in GATEWAYS:
            until(lambda at=port: self.is_ready(at), READY_SECONDS, f"gateway {port} is ready")

    @staticmethod
    def is_ready(port):
        with contextlib.suppress(OSError):
            return ask(port, "GET", "/health/ready", timeout=5).status == 200
        return False

    def load(self, seconds):
        """Clients work while the actions are carried out; then everything is healed."""
        self.clients.start()
        self.begun = time.monotonic()
        try:
            self.act(seconds)
            self.heal()
        finally:
            self.clients.stop()
        self.failures += self.clients.history.errors

    def act(self, seconds):
        left_out = 0
        for action in self.scenario.actions:
            if action.at >= seconds:
                left_out += 1
                continue
            self.wait_until(self.begun + action.at)
            self.carry_out(action)
        if left_out:
            self.say(f"    {left_out} actions after second {seconds} are left out")
        self.wait_until(self.begun + seconds)
        self.measures.setdefault("end", [time.monotonic(), time.monotonic()])
        self.close_measure()

    def wait_until(self, moment):
        """The times of a scenario are what it is about, so here time itself is waited for."""
        for member, words in self.members.deaths():
            self.failures.append(words)
            self.members.children.pop(member)
        time.sleep(max(0, moment - time.monotonic()))

    def heal(self):
        """Everything is well again; service and agreement must come back by themselves."""
        self.network.heal()
        for node in self.scenario.disks:
            self.fill(node, None)
        self.members.mend()
        healed = time.monotonic()
        until(lambda: self.clients.served_since(healed), HEALED_SECONDS, "service after healing")
        self.healed_seconds = time.monotonic() - healed

    def members_of(self, words, sets_old):
        """The members that the words of an action mean now."""
        found = []
        nodes = self.members.nodes
        leader = self.watcher.leader()
        for word in words.split(","):
            if word == "leader":
                found.append(leader)
                if sets_old:
                    self.old = leader
            elif word == "old":
                found.append(self.old or leader)
            elif word in ("others", "followers"):
                spared = self.old if word == "others" and self.old else leader
                found += [node for node in nodes if node != spared]
            elif word == "follower":
                found.append(next(node for node in nodes if node != leader or len(nodes) == 1))
            elif word == "all":
                found += nodes
            else:
                found.append(word if word == GATEWAY else int(word))
        return list(dict.fromkeys(found))

    def carry_out(self, action):
        """Does what the action says, and remembers what is asked about later."""
        fields = action.fields
        words = [fields[key] for key in ("who", "whom") if key in fields]
        # The leader is who it is before `others` are those beside it.
        for word in words:
            if "leader" in word:
                self.members_of(word, sets_old=not action.mends)
        sets = [self.members_of(word, sets_old=False) for word in words]
        leader = self.watcher.leader()
        moment = time.monotonic()
        if action.verb != "measure":
            self.moments.append((moment, action.mends))
        if action.verb in DEPOSING and not action.mends and leader in sets[0] + sets[-1]:
            self.blows.append((moment, leader, action.text))
        shown = " ".join(str(member) for found in sets for member in found)
        self.say(f"    {moment - self.begun:6.2f} s  {action.text}" + (f"  ({shown})" if shown else ""))
        getattr(self, "do_" + action.verb)(fields, *sets)

    def do_kill(self, _, who):
        for member in who:
            self.members.kill(member)

    def do_terminate(self, _, who):
        for member in who:
            self.members.terminate(member)

    def do_start(self, _, who):
        for member in who:
            if member in self.members.excused:
                self.members.kill(member)
            self.members.start(member)

    def do_stop(self, _, who):
        for member in who:
            self.members.stop(member)

    def do_continue(self, _, who):
        for member in who:
            self.members.go_on(member)

    @staticmethod
    def pairs(fields, who, whom):
        pairs = [(one, other) for one in who for other in whom]
        if fields["arrow"] == "<->":
            pairs += [(other, one) for one, other in pairs]
        return [pair for pair in pairs if pair[0] != pair[1]]

    def do_cut(self, fields, who, whom):
        self.network.cut(self.pairs(fields, who, whom))

    def do_loss(self, fields, who, whom):
        self.network.lose(self.pairs(fields, who, whom), int(fields["percent"]))

    def do_rate(self, fields, who):
        for member in who:
            self.network.limit(member, fields["rate"])

    def do_heal(self, _):
        self.network.heal()

    def do_disk(self, fields, who):
        for member in who:
            if fields["state"] in ("eio", "enospc"):
                self.members.excused.add(member)
            self.members.faults[member].disk(fields["state"], int(fields.get("milliseconds", 0)))

    def do_fill(self, fields, who):
        for member in who:
            if member not in self.scenario.disks:
                raise AssertionError(f"node {member} has no disk of its own to fill")
            self.fill(member, int(fields["megabytes"]))

    def do_empty(self, _, who):
        for member in who:
            self.fill(member, None)

    def do_clock(self, fields, who):
        for member in who:
            self.members.faults[member].clock(int(fields["seconds"]))

    def do_measure(self, fields):
        self.close_measure()
        self.measures[fields["name"]] = [time.monotonic(), None]

    def close_measure(self):
        for interval in self.measures.values():
            if interval[1] is None:
                interval[1] = time.monotonic()

    # The judgement

    def judge(self):
        self.until_equal()
        for _, words in self.members.deaths():
            self.failures.append(words)
        self.rows = self.all_rows()
        self.verdict = history.check(self.clients.history, self.rows)
        self.failures += self.verdict.words
        self.compare_files()
        for verb, fields in self.scenario.expectations:
            getattr(self, "expect_" + verb)(fields)

    def all_rows(self):
        """Every row of the log, in portions that a client holds in memory with ease."""
        rows = []
        while True:
            begin = len(rows)
            portion = replay(PORT, self.members.token,
                             f"resource=all&from={begin}&until={begin + PORTION_ROWS}", timeout=60)
            if not portion:
                return rows
            rows += portion

    def until_equal(self):
        """Every node has applied and stored the same log."""
        def same():
            answer = ask(PORT, "GET", "/v1/cluster", headers=bearer(self.members.admin_token))
            nodes = answer.json["nodes"]
            places = {(node.get("commit"), node.get("applied"), node.get("last_index"))
                      for node in nodes if node["reachable"]}
            return len(nodes) == len(self.members.nodes) and len(places) == 1 \
                and all(node["reachable"] for node in nodes) and None not in places.pop()
        until(same, HEALED_SECONDS, "all nodes have the same log", 0.1)

    def compare_files(self):
        """All replicas' segments are equal, but for the zeros behind the last entry."""
        def digests(node):
            found = {}
            for name in sorted(os.listdir(self.members.data(node))):
                if name.endswith(".segment") and name != "spare.segment":
                    with open(os.path.join(self.members.data(node), name), "rb") as file:
                        found[name] = file.read().rstrip(b"\0")
            return found
        first = digests(1)
        self.segments = len(first)
        for node in self.members.nodes[1:]:
            other = digests(node)
            for name in sorted(set(first) | set(other)):
                if first.get(name) != other.get(name):
                    self.failures.append(f"{name} differs between node 1 and node {node}")

    def replacements(self):
        """Seconds from each blow to a leader until another node served; None where none did."""
        for moment, node, words in self.blows:
            later = [seen for seen, other, _ in self.watcher.served
                     if seen > moment and (other != node or words.startswith(("kill", "terminate")))]
            yield words, min(later) - moment if later else None

    def expect_replaced(self, fields):
        bound = int(fields["timeouts"]) * ELECTION_TIMEOUT_SECONDS + SLACK_SECONDS
        for words, seconds in self.replacements():
            if seconds is None or seconds > bound:
                self.failures.append(
                    f"{words}: another leader after {seconds and round(seconds, 2)} s, "
                    f"not within {bound} s")
        if not self.blows:
            self.failures.append("nothing was done to a leader")

    def gaps(self):
        """Seconds without service around each blow to a leader, in ascending order."""
        times = sorted(told.ended for told in self.clients.history.acknowledged)
        pairs = list(zip(times, times[1:]))
        reach = 6 * ELECTION_TIMEOUT_SECONDS
        return sorted(
            max((after - before for before, after in pairs
                 if after >= moment and before <= moment + reach), default=0)
            for moment, _, _ in self.blows)

    def expect_gap(self, fields):
        """The 99th percentile of time without service, of which the longest stands in for few."""
        gaps = self.gaps()
        if not gaps:
            return self.failures.append("nothing was done to a leader")
        promised = int(fields["timeouts"]) * ELECTION_TIMEOUT_SECONDS
        longest = gaps[min(len(gaps) - 1, len(gaps) * 99 // 100)]
        self.notes.append(
            f"without service in {len(gaps)} rounds: p50 {gaps[len(gaps) // 2]:.2f} s, "
            f"p99 {longest:.2f} s, which is {longest / promised:.2f} of "
            f"{fields['timeouts']} election timeouts")
        if longest > promised + SLACK_SECONDS:
            self.failures.append(f"{longest:.2f} s without service, {promised} s promised")
        return None

    def expect_kept(self, _):
        served = [entry for entry in self.watcher.served if entry[0] > self.begun]
        if served:
            self.failures.append(f"leadership changed: node {served[0][1]}, term {served[0][2]}")

    def expect_undisturbed(self, _):
        """Nobody is elected between what mends and what hurts next."""
        ends = [moment for moment, _ in self.moments[1:]] + [self.begun + 1e6]
        for (moment, mends), end in zip(self.moments, ends):
            for seen, node, term in self.watcher.served:
                if mends and moment < seen < end:
                    self.failures.append(
                        f"node {node} took over in term {term} {seen - moment:.2f} s after a return")

    def expect_fetched(self, fields):
        """The node took over segments of its peers, as its log says."""
        count = text_of(self.members.log(int(fields["who"]))).count('event="fetched from peers"')
        self.notes.append(f"node {fields['who']} fetched {count} segments")
        if not count:
            self.failures.append(f"node {fields['who']} fetched no segment")

    def rate_of(self, name):
        """Acknowledged events a second in a measured interval."""
        begin, end = self.measures[name]
        count = sum(begin < told.ended <= end for told in self.clients.history.acknowledged)
        return count / (end - begin)

    def expect_rate(self, fields):
        rate, other = self.rate_of(fields["name"]), self.rate_of(fields["other"])
        self.notes.append(f"rate of {fields['name']} is {rate / other:.2f} of {fields['other']}")
        if rate < float(fields["ratio"]) * other:
            self.failures.append(f"{fields['name']}: {rate:.0f} events/s, {fields['other']}: "
                                 f"{other:.0f}; expected {fields['ratio']} of it")

    def longest_gap(self):
        times = [self.begun] + sorted(
            told.ended for told in self.clients.history.acknowledged)
        return max((after - before for before, after in zip(times, times[1:])), default=0)

    def result(self, seconds):
        return {
            "scenario": self.scenario.name, "seconds": round(seconds, 1), "seed": self.seed,
            "acknowledged": len(self.clients.history.acknowledged),
            "retries": self.clients.retries, "repeated": len(self.clients.history.repeated),
            "reads": len(self.clients.history.reads),
            "followed": len(self.clients.history.followed), "rows": len(self.rows),
            "segments": self.segments, "terms": len({term for _, _, term in self.watcher.served}),
            "touched": sum(faults.touched() for faults in self.members.faults.values()),
            "replaced": [{"action": words, "seconds": found and round(found, 3)}
                         for words, found in self.replacements()],
            "longest_gap": round(self.longest_gap(), 3),
            "notes": self.notes, "healed_seconds": round(self.healed_seconds, 3),
            **self.verdict.counts, "failures": self.failures,
        }
