"""The network of a drill: one namespace a node, joined by a bridge that leads nowhere else.

The drill's own namespace has the bridge, the gateways and the clients. Everything is gone with the
namespaces, however the drill ends.
"""

import subprocess

GATEWAY = "gateway"
PREFIX = "10.77.0."
GATEWAY_ADDRESS = PREFIX + "254"
BURST = ["burst", "32kb", "latency", "400ms"]


def run(*arguments, text=None):
    """Runs a program that must succeed."""
    done = subprocess.run(arguments, input=text, capture_output=True, text=True, timeout=30,
                          stdin=None if text is not None else subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def prepare():
    """Makes the bridge. The caller's network and mount namespaces are its own already."""
    run("mount", "-t", "tmpfs", "none", "/run")
    run("mkdir", "/run/netns")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "bridge", "type", "bridge")
    run("ip", "address", "add", GATEWAY_ADDRESS + "/24", "dev", "bridge")
    run("ip", "link", "set", "bridge", "up")


def address(member):
    return GATEWAY_ADDRESS if member == GATEWAY else f"{PREFIX}{member}"


class Network:
    """Links between the nodes and the gateway, each direction with its faults."""

    def __init__(self, nodes):
        self.nodes = list(nodes)
        self.cuts = set()
        self.losses = {}
        self.slow = set()
        for node in self.nodes:
            name = f"node{node}"
            run("ip", "netns", "add", name)
            run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            run("ip", "link", "set", name, "master", "bridge", "up")
            self.inside(node, "ip", "link", "set", "lo", "up")
            self.inside(node, "ip", "address", "add", address(node) + "/24", "dev", "eth0")
            self.inside(node, "ip", "link", "set", "eth0", "up")

    def close(self):
        self.heal()
        for node in self.nodes:
            run("ip", "link", "delete", f"node{node}")
            run("ip", "netns", "delete", f"node{node}")

    @staticmethod
    def prefix(member):
        """The words in front of a command that runs where the member runs."""
        return [] if member == GATEWAY else ["nsenter", f"--net=/run/netns/node{member}"]

    def inside(self, member, *arguments, text=None):
        return run(*self.prefix(member), *arguments, text=text)

    def cut(self, pairs):
        """Drops everything that goes from the first of each pair to the second."""
        self.cuts |= set(pairs)
        self.apply({receiver for _, receiver in pairs})

    def lose(self, pairs, percent):
        for pair in pairs:
            self.losses[pair] = percent
        self.apply({receiver for _, receiver in pairs})

    def limit(self, node, rate):
        """Limits what goes to and from the node; the rate in words of tc, such as 1mbit."""
        self.slow.add(node)
        run("tc", "qdisc", "replace", "dev", f"node{node}", "root", "tbf", "rate", rate, *BURST)
        self.inside(node, "tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", rate,
                    *BURST)

    def heal(self):
        receivers = {receiver for _, receiver in self.cuts | set(self.losses)}
        self.cuts.clear()
        self.losses.clear()
        self.apply(receivers)
        for node in self.slow:
            run("tc", "qdisc", "delete", "dev", f"node{node}", "root")
            self.inside(node, "tc", "qdisc", "delete", "dev", "eth0", "root")
        self.slow.clear()

    def apply(self, receivers):
        """Writes the rules of these receivers anew, each in one step."""
        for receiver in receivers:
            rules = [f"ip saddr {address(sender)} drop"
                     for sender, other in sorted(self.cuts, key=str) if other == receiver]
            rules += [f"ip saddr {address(sender)} numgen random mod 100 < {percent} drop"
                      for (sender, other), percent in sorted(self.losses.items(), key=str)
                      if other == receiver]
            text = "table inet drill {}\nflush table inet drill\ntable inet drill {\n" \
                "chain input { type filter hook input priority 0;\n" + "\n".join(rules) + "\n}\n}\n"
            self.inside(receiver, "nft", "-f", "-", text=text)
