#!/usr/bin/env python3
"""The cases of data: contract, more, directory and index-cases.json, in order and on
empty stores, against a gateway in front of three nodes and against `daybook serve`.

README.md says what cases are made of.
"""

import base64
import contextlib
import json
import os
import shutil
import socket
import sys
import tempfile

import harness
from harness import Cluster, Daybook, Suite, until
from wire import Connection, Closed, ask, equal, holds, post

ENVELOPE = ["code", "status", "message", "data", "errors", "session", "application", "redirect",
            "request_id"]


def load_cases(name):
    with open(os.path.join(harness.FILES, name), encoding="utf-8") as file:
        return json.load(file)


def expand(value, tokens):
    """The value with `$NAME` and `$repeat` replaced."""
    if isinstance(value, str):
        # The longest name first: one may begin with another.
        for name in sorted(tokens, key=len, reverse=True):
            value = value.replace("$" + name, tokens[name])
        return value
    if isinstance(value, list):
        return [expand(element, tokens) for element in value]
    if isinstance(value, dict):
        if "$repeat" in value:
            return value["$repeat"] * value["times"]
        return {name: expand(member, tokens) for name, member in value.items()}
    return value


def body_of(case, tokens):
    if "encoded_body" in case:
        return base64.b64encode(json.dumps(expand(case["encoded_body"], tokens)).encode())
    if "body" in case:
        return json.dumps(expand(case["body"], tokens)).encode()
    raw = case.get("raw_body", "")
    if isinstance(raw, dict):
        raw = "".join(expand(part, tokens) for part in raw["$join"])
    if raw.startswith("base64:"):
        return base64.b64decode(raw[7:])
    return expand(raw, tokens).encode()


def headers_of(case, tokens):
    headers = []
    if case.get("content_type") is not None:
        headers.append(("Content-Type", case["content_type"]))
    for name, value in case.get("headers", {}).items():
        headers.append((name, expand(value, tokens)))
    return headers


# What is compared


def matches(found, expected, what):
    """Objects by the members that are named, everything else by equality; `$any` is anything."""
    if expected == "$any":
        return
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, member in expected.items():
            holds(name in found, f"{what} lacks {name}: {found!r}")
            matches(found[name], member, f"{what}.{name}")
    elif isinstance(expected, list) and isinstance(found, list):
        equal(len(found), len(expected), f"the length of {what} ({found!r})")
        for place, element in enumerate(expected):
            matches(found[place], element, f"{what}[{place}]")
    else:
        holds(type(found) is type(expected) and found == expected,
              f"{what}: found {found!r}, expected {expected!r}")


def compare_envelope(answer, expect):
    """What every answer of the compatible surface must be, whatever it says."""
    equal(answer.header("content-type"), "application/json; charset=utf-8", "the content type")
    pairs = json.loads(answer.body, object_pairs_hook=lambda pairs: pairs)
    names = [name for name, _ in pairs]
    equal(names, [name for name in ENVELOPE if name in names], "the order of the members")
    envelope = answer.json
    equal(envelope["code"], answer.status, "code")
    holds(envelope["message"], "message is empty")
    holds(envelope["request_id"], "request_id is empty")
    for error in envelope.get("errors", []):
        holds(error["detail"], f"no detail in {error}")
    if "keys" in expect:
        equal(names, expect["keys"], "the members")
    for name in expect.get("lacks", []):
        holds(name not in names, f"the answer has {name}")
    equal(envelope["status"], expect["status"], "status")
    errors = [[error["attr"], error["message"]] for error in envelope.get("errors", [])]
    equal(errors, expect.get("errors", []), "errors")
    if expect["http"] != 200 and expect["status"] != "not-ready":
        holds("data" not in envelope, f"a refusal has data: {envelope}")


def compare(answer, case, tokens):
    expect = expand(case["expect"], tokens)
    shown = answer.body[:400]
    equal(answer.status, expect["http"], f"the HTTP status of {shown!r}")
    if "status" in expect:
        compare_envelope(answer, expect)
    if "data" in expect:
        found = answer.json["data"] if "status" in expect else answer.json
        matches(found, expect["data"], "data")
    if "lines" in expect:
        matches(answer.lines, expect["lines"], "lines")
    if "problem" in expect:
        equal(answer.header("content-type"), "application/problem+json", "the content type")
        equal(answer.json["type"].rsplit(":", 1)[1], expect["problem"], "the problem")
        equal(answer.json["status"], expect["http"], "the problem's status")
        if "errors" in expect:
            errors = [[error["attr"], error["message"]] for error in answer.json["errors"]]
            equal(errors, expect["errors"], "errors")
    for name, value in expect.get("headers", {}).items():
        found = answer.header(name)
        holds(found is not None and value in ("$any", found), f"{name}: {found!r}, not {value!r}")
    if "contains" in expect:
        text = "".join(answer.body.decode().split())
        holds("".join(expect["contains"].split()) in text, f"{expect['contains']!r} is not there")


# Where it is sent


def run_cases(suite, where, port, tokens):
    for name in ("contract-cases.json", "more-cases.json", "directory-cases.json",
                 "index-cases.json"):
        for case in load_cases(name):
            with suite.check(f"{where}: {case['name']}"):
                answer = ask(
                    port, case["method"], expand(case["route"], tokens), body_of(case, tokens),
                    headers_of(case, tokens))
                compare(answer, case, tokens)
                for kept, path in case.get("keep", {}).items():
                    value = answer.json
                    for member in path.split("."):
                        value = value[member]
                    tokens[kept] = value


def make_tokens(port, admin, application=None):
    """The tokens that cases name."""
    def create(**parameters):
        answer = post(port, "/api/v1/tokens/create", {"token": admin, **parameters})
        equal(answer.status, 200, f"a token is made ({answer.body!r})")
        return answer.json["data"]
    revoked = create(application="planox2")
    answer = post(port, "/api/v1/tokens/revoke", {"token": admin, "id": revoked["id"]})
    equal(answer.status, 200, "a token is revoked")
    read_only = create(application="planox2", name="reader", permissions=[
        "audit_events_fmp/read", "audit_events_fmp/history"])
    tokens = {
        "APP_TOKEN": application or create(application="planox2")["token"],
        "ADMIN_TOKEN": admin,
        "READ_TOKEN": read_only["token"],
        "READ_ID": read_only["id"],
        "WRITE_TOKEN": create(
            application="planox2", permissions=["audit_events_fmp/create"])["token"],
        "REPLAY_TOKEN": create(application="planox2", permissions=["events/replay"])["token"],
        "ORDER_TOKEN": create(application="planoorder")["token"],
        "REVOKED_TOKEN": revoked["token"],
        "REVOKED_ID": revoked["id"],
    }
    until(lambda: is_known(port, tokens["ORDER_TOKEN"]) and not is_known(port, revoked["token"]),
          5, "the gateway knows the tokens")
    return tokens


def is_known(port, token):
    answer = post(port, "/api/v1/audit_events_fmp/read", {"token": token, "unique_id": "none"})
    return answer.status != 401


def in_front_of_three(suite):
    with Cluster(harness.PORTS, suite=suite) as cluster:
        run_cases(suite, "gateway", cluster.base,
                  make_tokens(cluster.base, cluster.admin_token, cluster.token))


def embedded(suite):
    directory = tempfile.mkdtemp(prefix="daybook-")
    port = harness.PORTS + 8
    token_file = os.path.join(directory, "admin-token")
    try:
        with Daybook("serve", "--data", directory, "--listen", f"127.0.0.1:{port}") as serve:
            with suite.check("serve: is ready, its token in a file with mode 0600"):
                until(lambda: is_ready(port), 10, f"it is ready; it said {serve.said()}")
                equal(oct(os.stat(token_file).st_mode & 0o777), "0o600", "the token's mode")
            tokens = make_tokens(port, harness.read_text(token_file).strip())
            run_cases(suite, "serve", port, tokens)
    finally:
        shutil.rmtree(directory)


def is_ready(port):
    with contextlib.suppress(OSError, Closed, socket.timeout):
        with Connection(port, timeout=2) as connection:
            return connection.ask("GET", "/health/ready").status == 200
    return False


def main():
    suite = Suite()
    in_front_of_three(suite)
    embedded(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
