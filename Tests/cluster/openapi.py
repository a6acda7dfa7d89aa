#!/usr/bin/env python3
"""GET /openapi.json: valid OpenAPI 3.1, every route in it, and a live gateway does what it says.

Run by the Python of .venv (tools/setup --python), which has openapi-spec-validator and schemathesis.
The latter asks with an application's token and with an administrator's, on clusters of their own;
routes tagged `streaming` and `destructive` are left out.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

import harness
from harness import Cluster, Suite
from wire import JSON_TYPE, ask, bearer, equal, event, holds, post

try:
    import openapi_spec_validator
except ImportError:
    sys.exit("Tests/cluster/openapi.py: no openapi-spec-validator; run it as "
             ".venv/bin/python Tests/cluster/openapi.py, after tools/setup --python")

CHECKS = ["status_code_conformance", "content_type_conformance", "response_schema_conformance",
          "response_headers_conformance", "ignored_auth"]
# Undeclared methods are 405 on the native surface and, as clients depend on it, 500 under /api/.
CONFIGURATION = "[phases.coverage]\nunexpected-methods = []\n"
# By surface: which paths, which checks, and for how many seconds. Under /api/ a token that is missing
# is `missing-param`, 400, where ignored_auth wants 401: `guarded` looks at it for every route.
SURFACES = {"compatible": (["--include-path-regex", "^/api/"], CHECKS[:-1], 60),
            "native": (["--exclude-path-regex", "^/api/"], CHECKS, 25)}
EXAMPLES = 8


def operations(document):
    """Path, method and operation of each."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method.upper(), operation


def documented_routes():
    """Methods and paths of the table of routes in docs/reference/http-api.md."""
    with open(os.path.join(harness.ROOT, "docs/reference/http-api.md"), encoding="utf-8") as file:
        text = file.read()
    table = text.split("## Routes")[1].split("\n\n")[1]
    routes = set()
    for line in table.splitlines()[2:]:
        method, folder = None, None
        for word in re.findall(r"`([^`]+)`", line.split("|")[1]):
            if " " in word:
                method, path = word.split(" ")
                folder = path.rsplit("/", 1)[0]
            else:
                path = folder + word
            routes.add((method, path))
    return routes


def whole(suite, cluster):
    """The document itself; returns it."""
    with suite.check("GET /openapi.json needs no token; HEAD works"):
        answer = ask(cluster.base, "GET", "/openapi.json")
        equal(answer.status, 200, "the status")
        equal(answer.header("content-type"), "application/json; charset=utf-8", "the content type")
        equal(ask(cluster.base, "HEAD", "/openapi.json").status, 200, "HEAD")
    document = answer.json
    with suite.check("it is valid OpenAPI 3.1"):
        equal(document["openapi"], "3.1.0", "the version")
        openapi_spec_validator.validate(document)
    with suite.check("it has the routes of docs/reference/http-api.md, and no others"):
        found = {(method, path) for path, method, _ in operations(document)
                 if method not in ("HEAD", "PUT")}
        equal(found, documented_routes(), "the routes")
        holds(len(found) > 50, f"{len(found)} routes")
    with suite.check("ids of operations are unique; each has a summary, tags and answers"):
        ids = [operation["operationId"] for _, _, operation in operations(document)]
        equal(len(set(ids)), len(ids), "the ids")
        for path, method, operation in operations(document):
            holds(operation["summary"] and operation["tags"], f"{method} {path}")
            holds("200" in operation["responses"], f"{method} {path}")
    return document


def guarded(suite, cluster, document):
    """Every route without a token, and with a wrong one."""
    def answer(path, method, operation, headers):
        body = operation.get("requestBody", {}).get("content", {})
        kind = next(iter(body), None)
        text = {"text/plain": b"eyJ4IjoxfQ==", "application/json": b'{"x":1}'}.get(kind, b"{}")
        return ask(cluster.base, method, path.replace("{unique_id}", "none"),
                   text if body else b"", headers + ([("Content-Type", kind)] if kind else []))
    with suite.check("who asks without a token gets what the document's security says"):
        for path, method, operation in operations(document):
            found = answer(path, method, operation, [])
            if not operation["security"]:
                holds(found.status not in (401, 403), f"{method} {path}: {found.status}")
            elif path.startswith("/api/"):
                equal((found.status, found.json["errors"]),
                      (400, [{"attr": "token", "message": "missing", "detail": "it is required"}]),
                      f"{method} {path}")
            else:
                equal(found.status, 401, f"{method} {path}")
    with suite.check("who asks with a wrong token gets 401"):
        for path, method, operation in operations(document):
            if operation["security"]:
                found = answer(path, method, operation, bearer("dbk_app_0123456789abcdef_wrong"))
                equal(found.status, 401, f"{method} {path}")


def fill(cluster):
    """A few events, revisions and an erasure, so that reads find something."""
    for number in range(5):
        answer = post(cluster.base, "/api/v1/audit_events_fmp/create",
                      event(f"event-{number}", token=cluster.token, notes=[number]))
        equal(answer.status, 200, "the status")
    ask(cluster.base, "POST", "/v1/erasures",
        json.dumps({"unique_id": "event-4", "reason": "a test"}).encode(),
        JSON_TYPE + bearer(cluster.admin_token))


def explored(suite, who, surface, cluster, token):
    """schemathesis finds nothing in a live gateway."""
    paths, checks, seconds = SURFACES[surface]
    with suite.check(f"schemathesis, {surface}, {who}: {', '.join(checks)}"), \
            tempfile.TemporaryDirectory(prefix="daybook-openapi-") as directory:
        configuration = os.path.join(directory, "schemathesis.toml")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION)
        done = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "schemathesis"),
             "--config-file", configuration, "run",
             f"http://127.0.0.1:{cluster.base}/openapi.json",
             "--checks", ",".join(checks), *paths, "--phases", "examples,coverage,fuzzing",
             "--exclude-tag", "streaming", "--exclude-tag", "destructive",
             "-H", f"Authorization: Bearer {token}", "--seed", str(suite.seed),
             "--max-examples", str(EXAMPLES), "--max-time", str(seconds), "--continue-on-failure",
             "--generation-database", "none", "--request-timeout", "20", "--warnings", "off",
             "--no-color"],
            cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=4 * seconds, check=False)
        shown = done.stdout.replace(token, "TOKEN") + done.stderr
        for line in shown.splitlines():
            if re.search(r"Operations:|Test cases:|Selected|Tested|generated|passed", line):
                suite.note(line.strip())
        holds(done.returncode == 0, f"it ended with {done.returncode}: {shown[-12000:]}")
        holds("No issues found" in shown or "passed" in shown, shown[-2000:])


def main():
    suite = Suite()
    with Cluster(harness.PORTS + 80, topology="one", suite=suite) as cluster:
        document = whole(suite, cluster)
        guarded(suite, cluster, document)
        fill(cluster)
        for surface in SURFACES:
            explored(suite, "an application's token", surface, cluster, cluster.token)
            explored(suite, "an administrator's token", surface, cluster, cluster.admin_token)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
