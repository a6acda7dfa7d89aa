#!/usr/bin/env python3
"""Recomputes the leaf hash of a replayed row from nothing but the row and its salt.

    tools/verify_leaf.py SALT_HEX < row.json

Reads one JSON line as `GET /v1/events` gives it. Prints `ok` and the hash, or both hashes.
Exit codes: 0 the same, 1 another, 2 not a row.
The layout is docs/reference/record-format.md; nothing is shared with the server's code.
"""

import hashlib
import json
import struct
import sys
from datetime import datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
AUDIT_EVENT, ADMINISTRATION = 1, 2


def raw_members(line):
    """The members of the object in `line`: each name with its value's text, as it stands."""
    decoder = json.JSONDecoder()

    def skip(place):
        while line[place] in " \t\r\n":
            place += 1
        return place

    members = {}
    place = skip(0)
    if line[place] != "{":
        raise ValueError("the row is not an object")
    place = skip(place + 1)
    while line[place] != "}":
        name, place = decoder.raw_decode(line, place)
        place = skip(place)
        if line[place] != ":" or name in members:
            raise ValueError(f"member {name!r}")
        start = skip(place + 1)
        _, place = decoder.raw_decode(line, start)
        members[name] = line[start:place]
        place = skip(place)
        if line[place] == ",":
            place = skip(place + 1)
    return members


def short(text):
    encoded = text.encode()
    return struct.pack("<H", len(encoded)) + encoded


def canonical(members):
    """The canonical record of a row."""
    value = lambda name: json.loads(members[name])
    if "action" in members:
        resource, presence, raw = ADMINISTRATION, 0, "details"
        names = ["application", "written_by", "action", "subject"]
    else:
        resource, raw = AUDIT_EVENT, "notes"
        optional = {"stop_time": 1, "notes": 2, "updated_in": 4}
        presence = sum(bit for name, bit in optional.items() if name in members)
        names = ["application", "written_by", "unique_id", "script_name", "host_name",
                 "file_name", "start_time"]
        names += [name for name in ("stop_time", "updated_in") if name in members]
    record = struct.pack("<BBBBI", 1, resource, presence, 0, value("revision"))
    record += b"".join(short(value(name)) for name in names)
    if raw in members:
        text = members[raw].encode()
        record += struct.pack("<I", len(text)) + text
    return record


def leaf_hash(members, salt):
    recorded_at = datetime.fromisoformat(json.loads(members["recorded_at"]).replace("Z", "+00:00"))
    microseconds = (recorded_at - EPOCH) // timedelta(microseconds=1)
    commitment = hashlib.sha256(salt + canonical(members)).digest()
    entry = struct.pack("<BQq", 1, json.loads(members["sequence"]), microseconds) + commitment
    return hashlib.sha256(b"\x00" + entry).hexdigest()


def main():
    try:
        salt = bytes.fromhex(sys.argv[1])
        if len(sys.argv) != 2 or len(salt) != 16:
            raise ValueError("give the salt as 32 hexadecimal digits")
        members = raw_members(sys.stdin.buffer.read().decode() + "\n")
        found = leaf_hash(members, salt)
        claimed = json.loads(members["leaf_hash"])
    except (ValueError, KeyError, IndexError, struct.error) as error:
        print(f"not a row with its salt: {error}", file=sys.stderr)
        return 2
    if found != claimed:
        print(f"the row makes {found}, but says {claimed}")
        return 1
    print(f"ok {found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
