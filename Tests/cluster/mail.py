#!/usr/bin/env python3
"""Mail: welcomes and alerts by way of a local Mandrill that answers well, badly, late or not at all,
while gateways and leaders are killed."""

import base64
import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from harness import BINARY, PORTS, Cluster, Daybook, Suite, read_text, until
from mandrill import PATH, Mandrill
from wire import CREATE, ask, bearer, equal, event, holds, json_lines, post

BASE = PORTS + 200
FIRST, SECOND, MANDRILL, SECURE = BASE + 10, BASE + 11, BASE + 12, BASE + 13
KEY = "md-a-secret-key-of-the-test"
# The takeover's bound: the lease, then a claim, then the attempt.
TAKEOVER = 30
RULES = """# whom to tell
from = Daybook <audit@example.com>
welcome = on
alert = notes contains "error" -> devs@example.com
alert = script_name is "Two" and notes contains "both" → a@example.com, b@example.com
alert = longer than 10 min -> slow@example.com
alert = file_name is "Watched.fmp12" and no stop_time after 2 s -> missing@example.com
"""


class Place:
    """A cluster, the files of its gateways, and Mandrill."""

    def __init__(self, cluster, directory, mandrill):
        self.cluster = cluster
        self.directory = directory
        self.mandrill = mandrill
        self.number = 0
        self.key_file = self.write("key", KEY + "\n")

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def gateway(self, port, *flags, endpoint=None):
        gateway = Daybook(
            "gateway", "--genesis", os.path.join(self.cluster.directory, "genesis"), "--listen",
            f"127.0.0.1:{port}", "--mandrill-key-file", self.key_file, "--mandrill-endpoint",
            endpoint or self.mandrill.url, *flags)
        until(lambda: is_ready(port), 30, f"the gateway on {port} is ready: {gateway.said()}")
        return gateway

    def daybook(self, *arguments, expected=0, port=BASE):
        done = subprocess.run(
            [BINARY, *arguments, *(
                [] if arguments[:2] == ("alert", "check") else
                ["--to", f"http://127.0.0.1:{port}", "--token-file",
                 os.path.join(self.cluster.directory, "admin-token")])],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        equal(done.returncode, expected,
              f"daybook {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def create(self, port, unique_id, **more):
        return post(port, CREATE, event(unique_id, token=self.cluster.token, **more), timeout=30)

    def administer(self, route, parameters=None, port=BASE, status=200):
        answer = post(port, f"/api/v1/{route}",
                      {"token": self.cluster.admin_token, **(parameters or {})})
        equal(answer.status, status, f"{route}: {answer.body}")
        return answer.json

    def notifications(self, port=BASE, **wanted):
        rows = self.administer("notifications/index", {"page.size": 1000}, port)["data"]["results"]
        return [row for row in rows if all(row.get(k) == v for k, v in wanted.items())]

    def mail(self, port=BASE):
        answer = ask(port, "GET", "/v1/cluster", headers=bearer(self.cluster.admin_token))
        return answer.json["mail"]

    def until_nothing_owed(self, seconds=60):
        until(lambda: self.mail()["owed"] == 0, seconds, "all mail is handed over")

    def register(self, port):
        """A new user who registers as a client; the answer and the address."""
        self.number += 1
        email = f"client{self.number}@example.com"
        self.administer("users/create", {"email": email, "password": "a-good-password"}, port)
        answer = sensitive(port, "sessions/create", {
            "email": email, "password": "a-good-password", "application": "planox2"})
        equal(answer.json["status"], "client-required", "a user without a record")
        token = answer.json["session"]["token"]
        parameters = {"token": token, "first_name": "Ada", "last_name": f"L{self.number}"}
        answer = sensitive(port, "users/client_register", parameters, key=email)
        return answer, email, parameters


def is_ready(port):
    with contextlib.suppress(OSError):
        return ask(port, "GET", "/health/ready").status == 200
    return False


def sensitive(port, route, parameters, key=None):
    body = base64.b64encode(json.dumps(parameters).encode())
    return ask(port, "POST", f"/api/v1/{route}", body,
               [("Content-Type", "text/plain"), ("Idempotency-Key", key)], 30)


def succeeded(answer):
    equal((answer.status, answer.json["status"]), (200, "action-successful"), answer.body)
    return answer.json["data"]


def was_late(answer):
    """mandrill-email-failed, with all that a success would tell."""
    equal((answer.status, answer.json["code"], answer.json["status"]),
          (500, 500, "mandrill-email-failed"), answer.body)
    return answer.json["data"]


def check_rules(suite, place):
    with suite.check("without rules nothing is owed, and a registration answers at once"):
        answer, _, _ = place.register(FIRST)
        succeeded(answer)
        succeeded(place.create(FIRST, "before-rules", notes=["error"]))
        equal(place.mail()["owed"], 0, "mail that is owed")
    with suite.check("rules that are wrong are refused by line and column, here and there"):
        path = place.write("wrong.conf", "from = a@example.com\nalert = notes has \"x\" -> b@c\n")
        said = place.daybook("alert", "check", path, expected=4)
        holds(f"{path}:2:15: contains or is, not has" in said, said)
        place.daybook("alert", "set", path, expected=4)
        answer = post(FIRST, "/api/v1/alerts/update",
                      {"token": place.cluster.admin_token, "rules": read_text(path)})
        equal((answer.status, answer.json["status"]), (400, "invalid-param"), answer.body)
        equal(answer.json["errors"], [{
            "attr": "rules", "message": "unrecognized",
            "detail": "line 2, column 15: contains or is, not has"}], "errors")
    with suite.check("alert check says what sample events would match"):
        path = place.write("rules.conf", RULES)
        events = place.write("sample.ndjson", json_lines([
            event("a", notes=["An Error"]), event("b"),
            event("c", stop_time="2026-11-24T04:11:25Z"), {"unique_id": "d"},
            event("e", notes=["caf\\u00e9 \\u0065rror"])]).decode())
        said = place.daybook("alert", "check", path, "--events", events, expected=1)
        lines = said.splitlines()
        equal(lines[0], 'line 1: notes contains "error" -> devs@example.com', "line 1")
        equal(lines[1], "line 2: no alert", "line 2")
        equal(lines[2], "line 3: longer than 10 min -> slow@example.com", "line 3")
        holds(lines[3].startswith("line 4: no event: script_name: missing"), lines[3])
        holds("4 alerts, nothing wrong" in place.daybook("alert", "check", path), "the check")
    with suite.check("an administrator sets the rules, nobody else; all gateways have them"):
        answer = post(FIRST, "/api/v1/alerts/update",
                      {"token": place.cluster.token, "rules": RULES})
        equal(answer.json["status"], "permission-denied", "with an application's token")
        place.daybook("alert", "set", path)
        until(lambda: place.daybook("alert", "show", port=SECOND) == RULES, 10, "the same rules")


def check_success(suite, place):
    mandrill = place.mandrill
    with suite.check("a registration is welcomed by one mail of Mandrill's form"):
        answer, email, _ = place.register(FIRST)
        equal(succeeded(answer)["records"], ["client"], "the record")
        posts = mandrill.taken(to=email)
        equal(len(posts), 1, "mails")
        body = posts[0]["body"]
        equal((posts[0]["path"], body["key"], body["async"]), (PATH, KEY, False), "the request")
        message = body["message"]
        equal((message["from_email"], message["from_name"]),
              ("audit@example.com", "Daybook"), "from")
        equal(message["to"], [{"email": email, "name": "Ada L2", "type": "to"}], "to")
        equal(message["headers"], {"X-Daybook-Mail": posts[0]["name"]}, "headers")
        holds("Ada L2" in message["text"], message["text"])
    with suite.check("alerts: each address once, duplicates owe nothing, others are left alone"):
        succeeded(place.create(FIRST, "alert-1", notes=["an ERROR"]))
        equal([post["to"] for post in mandrill.taken("alert-1")], ["devs@example.com"], "mails")
        equal(succeeded(place.create(SECOND, "alert-1", notes=["an ERROR"]))["duplicate"], True,
              "a duplicate")
        succeeded(place.create(FIRST, "quiet-1", notes=["fine"]))
        succeeded(place.create(FIRST, "two-1", script_name="Two", notes=["BOTH"]))
        equal(sorted(post["to"] for post in mandrill.taken("two-1")),
              ["a@example.com", "b@example.com"], "mails")
        succeeded(place.create(FIRST, "long-1", stop_time="2026-11-24T03:21:26Z"))
        succeeded(place.create(FIRST, "long-2", stop_time="2026-11-24T03:21:25Z"))
        equal([len(mandrill.taken(name)) for name in ("alert-1", "quiet-1", "long-1", "long-2")],
              [1, 0, 1, 0], "mails")
        equal(place.mail()["owed"], 0, "mail that is owed")
    with suite.check("a missing stop_time is noticed by the log's own clock, in an idle cluster"):
        watched = {"file_name": "Watched.fmp12"}
        succeeded(place.create(FIRST, "watch-1", **watched))
        succeeded(place.create(FIRST, "watch-2", **watched))
        succeeded(place.create(FIRST, "watch-2", **watched, stop_time="2026-11-24T03:12:00Z"))
        until(lambda: mandrill.taken("watch-1"), 15, "mail about watch-1")
        equal(mandrill.taken("watch-2"), [], "mail about watch-2")
        place.until_nothing_owed()
        equal(len(mandrill.taken("watch-1")), 1, "mails about watch-1")


def check_failures(suite, place):
    mandrill = place.mandrill
    reasons = {"rejected": "rejected: hard-bounce", "error": "Invalid_Key: Invalid API key (the key)",
               "garbage": "HTTP 502, and no answer of Mandrill's in it", "invalid": "invalid: ",
               "closed": "HTTP", "slow": "no answer in time"}
    for mode, reason in reasons.items():
        with suite.check(f"{mode}: the event stands, the answer says so, a notification is there"):
            mandrill.mode = mode
            start = time.monotonic()
            data = was_late(place.create(FIRST, f"late-{mode}", notes=["error"]))
            holds(time.monotonic() - start < 4.5, "the answer waited for too long")
            mandrill.mode = "sent"
            equal(list(data), ["unique_id", "sequence", "revision", "recorded_at", "duplicate",
                               "leaf_hash", "salt"], "data")
            found = place.notifications(sequence=data["sequence"])
            equal(len(found), 1, f"notifications {found}")
            holds(reason in found[0]["reason"] or mode == "closed", found[0])
            again = succeeded(place.create(FIRST, f"late-{mode}", notes=["error"]))
            equal((again["duplicate"], again["sequence"]), (True, data["sequence"]), "a retry")
    with suite.check("each is tried again, under the same name, and the notifications say so"):
        place.until_nothing_owed()
        for mode in reasons:
            posts = mandrill.taken(f"late-{mode}")
            holds(len(posts) >= 2, f"{mode}: {len(posts)} attempts")
            equal(len({post["name"] for post in posts}), 1, f"names of {mode}")
        equal({row["state"] for row in place.notifications()}, {"delivered"}, "states")
    with suite.check("refused connections: bulk puts it on that event's line, register in full"):
        mandrill.stop()
        lines = json_lines([event("bulk-1", notes=["error"]), event("bulk-2"),
                            event("bulk-3", notes=["error"])])
        answer = ask(FIRST, "POST", "/v1/events", lines, [
            *bearer(place.cluster.token), ("Content-Type", "application/x-ndjson")], 30)
        equal([line["status"] for line in answer.lines], [
            "mandrill-email-failed", "action-successful", "mandrill-email-failed"], answer.body)
        holds(all("sequence" in line["data"] for line in answer.lines), answer.body)
        registered, email, parameters = place.register(FIRST)
        equal(was_late(registered)["records"], ["client"], "the record")
        again = sensitive(FIRST, "users/client_register", parameters, key=email)
        equal(succeeded(again)["records"], ["client"], "a retry by its key")
        equal(sensitive(FIRST, "users/client_register", parameters).json["status"],
              "email-already-registered", "registered again")
        holds(place.notifications(recipient=email, state="retrying"), "a notification")
        return email
    return None


def check_notifications(suite, place):
    with suite.check("notifications are listed and read; status and metrics show what is owed"):
        said = place.daybook("status")
        holds("3 mails are owed" in said and "unread notifications" in said, said)
        rows = [json.loads(line) for line in
                place.daybook("notification", "list", "--unread", "--json").splitlines()]
        equal(len(rows), place.mail()["unread_notifications"], "unread ones")
        said = place.daybook("notification", "read", rows[0]["id"])
        holds(f"reason: {rows[0]['reason']}" in said, said)
        equal(place.mail()["unread_notifications"], len(rows) - 1, "unread ones")
        metrics = ask(FIRST, "GET", "/metrics").body.decode()
        holds("\ndaybook_mail_owed 3\n" in metrics, metrics[-1500:])
        holds('daybook_mail_attempts_total{outcome="failed"}' in metrics, "attempts")
        answer = post(FIRST, "/api/v1/notifications/index", {"token": place.cluster.token})
        equal(answer.json["status"], "permission-denied", "with an application's token")
        answer = post(FIRST, "/api/v1/notifications/read",
                      {"token": place.cluster.admin_token, "id": "999999"})
        equal(answer.json["errors"][0]["message"], "unknown id", "an unknown one")


def check_leader(suite, place, email):
    with suite.check("mail that is owed outlives the leader and a restart of every node"):
        cluster = place.cluster
        leader = cluster.leader()
        cluster.kill(leader)
        until(lambda: cluster.leader() != leader, 20, "another leader")
        cluster.restart(leader)
        for node in (1, 2, 3):
            cluster.kill(node)
        for node in (1, 2, 3):
            cluster.restart(node)
        cluster.until_ready(30)
        until(lambda: is_ready(FIRST) and is_ready(SECOND), 30, "the gateways are ready")
        equal(place.mail()["owed"], 3, "mail that is owed")
        place.mandrill.start()
        place.until_nothing_owed(90)
        for name in ("bulk-1", "bulk-3"):
            holds(place.mandrill.taken(name), f"mail about {name}")
        holds(place.mandrill.taken(to=email), "the welcome")


def deliverer():
    """Which of the two gateways delivers."""
    found = [number for number, port in enumerate((FIRST, SECOND))
             if "\ndaybook_mail_delivering 1\n" in ask(port, "GET", "/metrics").body.decode()]
    equal(len(found), 1, "gateways that deliver")
    return found[0]


def check_gateways(suite, place, gateways):
    mandrill = place.mandrill
    with suite.check("two gateways at once: one delivers, and no mail goes out twice"):
        answers = []

        def run(port, side):
            for number in range(15):
                answers.append(place.create(port, f"pair-{side}-{number}", notes=["error"]))
        threads = [threading.Thread(target=run, args=pair)
                   for pair in ((FIRST, "a"), (SECOND, "b"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        for answer in answers:
            succeeded(answer)
        equal(len(answers), 30, "answers")
        counts = [len(mandrill.taken(f"pair-{side}-{number}"))
                  for side in "ab" for number in range(15)]
        equal(counts, [1] * 30, "mails for each event")
    with suite.check("a gateway that is stopped hands the lease on"):
        number = deliverer()
        gateways[number].end()
        succeeded(place.create((SECOND, FIRST)[number], "handover-1", notes=["error"]))
        equal(len(mandrill.taken("handover-1")), 1, "mails")
        gateways[number] = place.gateway((FIRST, SECOND)[number])
    with suite.check("a gateway that dies between commit and delivery loses nothing"):
        mandrill.mode = "hold"
        poster = threading.Thread(
            target=place.create, args=(BASE, "killed-1"), kwargs={"notes": ["error"]})
        poster.start()
        until(lambda: mandrill.taken("killed-1"), TAKEOVER, "an attempt")
        number = deliverer()
        gateways[number].process.send_signal(signal.SIGKILL)
        gateways[number].process.wait(10)
        poster.join(30)
        start = time.monotonic()
        mandrill.mode = "sent"
        until(lambda: len(mandrill.taken("killed-1")) >= 2, TAKEOVER, "another gateway's attempt")
        suite.note(f"taken over after {time.monotonic() - start:.1f} s")
        mandrill.released.set()
        place.until_nothing_owed()
        equal(len({post["name"] for post in mandrill.taken("killed-1")}), 1, "names")
        gateways[number].end()
        gateways[number] = place.gateway((FIRST, SECOND)[number])
    with suite.check("where no gateway can deliver, the answer and a notification say so"):
        for gateway in gateways:
            gateway.end()
        data = was_late(place.create(BASE, "nobody-1", notes=["error"]))
        found = place.notifications(sequence=data["sequence"])
        equal([row["reason"] for row in found], ["no gateway has tried it yet"], "reasons")


def check_https(suite, place):
    tls = os.path.join(place.directory, "tls")
    for arguments in (("make-ca", "--dir", tls),
                      ("issue", "--dir", tls, "--web", "--host", "127.0.0.1"),
                      ("make-ca", "--dir", tls + "-other")):
        subprocess.run([BINARY, "tls", *arguments], check=True, capture_output=True, timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{tls}/web-127.0.0.1.pem", f"{tls}/web-127.0.0.1.key")
    with Mandrill(SECURE, context) as secure:
        with suite.check("HTTPS: who is certified by another authority, or has another name, gets nothing"):
            for authority, endpoint in ((tls + "-other", secure.url),
                                        (tls, secure.url.replace("127.0.0.1", "localhost"))):
                with place.gateway(FIRST, "--mandrill-ca", f"{authority}/ca.pem",
                                   endpoint=endpoint) as gateway:
                    until(lambda g=gateway: "TLS: " in g.said(), TAKEOVER, "a refused attempt")
                equal(secure.posts, [], "posts")
        with suite.check("HTTPS: by the right authority and name mail is handed over"):
            with place.gateway(FIRST, "--mandrill-ca", f"{tls}/ca.pem", endpoint=secure.url):
                place.until_nothing_owed(120)
                equal(len(secure.taken("nobody-1")), 1, "posts")
                succeeded(place.create(FIRST, "secure-1", notes=["error"]))
                equal(len(secure.taken("secure-1")), 1, "posts")


def check_flags(suite, place):
    with suite.check("plain HTTP to another host, an empty key and flags alone are refused"):
        genesis = os.path.join(place.cluster.directory, "genesis")
        empty = place.write("empty", "\n")
        for flags, reason in (
                (["--mandrill-key-file", place.key_file, "--mandrill-endpoint",
                  "http://192.0.2.1/api"], "--insecure-plain-mail"),
                (["--mandrill-key-file", empty], "holds no Mandrill key"),
                (["--mandrill-endpoint", place.mandrill.url], "without --mandrill-key-file"),
                (["--mandrill-key-file", place.key_file, "--mandrill-endpoint", "ftp://a"],
                 "is no URL")):
            with Daybook("gateway", "--genesis", genesis, "--listen", f"127.0.0.1:{BASE + 15}",
                         *flags) as refused:
                equal(refused.wait(20), 2, flags)
                holds(reason in refused.said(), refused.said())


def check_secrets(suite, place, said):
    with suite.check("the key is in no log, no answer and no row"):
        texts = [*said, place.daybook("notification", "list", "--json"),
                 *(place.cluster.log(node) for node in (1, 2, 3, "gateway"))]
        for text in texts:
            holds(KEY not in text, "the key")


def main():
    suite = Suite()
    with tempfile.TemporaryDirectory(prefix="daybook-mail-") as directory, \
            Cluster(BASE, suite=suite) as cluster, Mandrill(MANDRILL) as mandrill:
        place = Place(cluster, directory, mandrill)
        gateways = [place.gateway(FIRST), place.gateway(SECOND)]
        said = []
        try:
            check_rules(suite, place)
            check_success(suite, place)
            email = check_failures(suite, place)
            check_notifications(suite, place)
            check_leader(suite, place, email)
            said = [gateway.said() for gateway in gateways]
            check_gateways(suite, place, gateways)
        finally:
            for gateway in gateways:
                gateway.end()
        check_https(suite, place)
        check_flags(suite, place)
        check_secrets(suite, place, said)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
