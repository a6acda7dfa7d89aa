#!/usr/bin/env python3
"""Reads a log's directory without Daybook, and prints its events: tools/read_segments.py DIR.

Written from docs/reference/segment-format.md and record-format.md alone; nothing is shared with the
server's code. Prints one JSON object an event, in sequence order, with the members that
`daybook replay --resource all` gives it. What compaction left of an event has "compacted": true,
what an erasure left "erased": true, and no more than was left. What an erasure hides and no
compaction has taken away yet is printed: it is in the files.

Verified on the way: every CRC-32C, the chain of entries within and between segments, the numbering
of entries and sequences, and the SHA-256 trees of archived segments against the manifest. What does
not hold is said on standard error, and ends the program with 1. Exit code 2: no directory of a log.

    --summary   print one JSON object about the directory instead of the events
"""

import argparse
import hashlib
import json
import os
import re
import struct
import sys
from datetime import datetime, timedelta

CHUNK = 64 * 1024
KINDS = {1: "genesis", 2: "events", 3: "no-operation", 4: "SEAL", 5: "MEMBERSHIP", 6: "directory",
         7: "COMPACT", 8: "COMPACT_DONE", 9: "COMPACT_ABANDONED", 10: "GC", 11: "ERASE",
         12: "CHECKPOINT", 13: "UPGRADE"}
SEAL = 4
NAME = re.compile(r"^([0-9]{20})(?:\.([1-9][0-9]*))?\.segment$")
EPOCH = datetime(1970, 1, 1)


class Defect(Exception):
    """Bytes that are not what the format says."""


# CRC-32C


def crc_table():
    """The remainder of each byte, reflected."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


# Long parts are cut into lanes that go through the table side by side, a byte of each a step.
LANE = 512
TABLE = crc_table()
PLANES = [bytes(value >> shift & 255 for value in TABLE) for shift in (0, 8, 16, 24)]


def step(value, data):
    for byte in data:
        value = TABLE[(value ^ byte) & 255] ^ value >> 8
    return value


# What a lane of zeros makes of each byte of the remainder before it.
AHEAD = [[step(byte << shift, bytes(LANE)) for byte in range(256)] for shift in (0, 8, 16, 24)]


def both(left, right):
    """The exclusive or of two equally long byte strings."""
    number = int.from_bytes(left, "little") ^ int.from_bytes(right, "little")
    return number.to_bytes(len(left), "little")


def crc32c(*parts):
    value = 0xFFFFFFFF
    for part in parts:
        whole = len(part) // LANE * LANE
        state = [bytes(whole // LANE)] * 4
        for place in range(LANE if whole else 0):
            index = both(state[0], part[place:whole:LANE])
            state = [both(state[1], index.translate(PLANES[0])),
                     both(state[2], index.translate(PLANES[1])),
                     both(state[3], index.translate(PLANES[2])), index.translate(PLANES[3])]
        for low, second, third, high in zip(*state):
            value = (AHEAD[0][value & 255] ^ AHEAD[1][value >> 8 & 255]
                     ^ AHEAD[2][value >> 16 & 255] ^ AHEAD[3][value >> 24]
                     ^ (low | second << 8 | third << 16 | high << 24))
        value = step(value, part[whole:])
    return value ^ 0xFFFFFFFF


# Reading


class Cursor:
    """Bytes that are read from the front."""

    def __init__(self, data):
        self.data = data
        self.offset = 0

    def take(self, count):
        piece = self.data[self.offset:self.offset + count]
        if count < 0 or len(piece) != count:
            raise Defect(f"{count} bytes wanted at {self.offset}, {len(piece)} are there")
        self.offset += count
        return piece

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def short(self):
        return self.take(self.number("H"))

    def counted(self):
        return self.take(self.number("I"))

    def finish(self):
        if self.offset != len(self.data):
            raise Defect(f"{len(self.data) - self.offset} bytes are left over")


class Manifest:
    """The archive's segments, in order."""

    def __init__(self, data):
        if data[:8] != b"DAYBKMAN" or hashlib.sha256(data[:-32]).digest() != data[-32:]:
            raise Defect("not a whole manifest")
        cursor = Cursor(data[8:-32])
        if cursor.number("I") != 1:
            raise Defect("a manifest of another format")
        # The log behind it is one that a takeover replaces.
        self.voids_tail = cursor.number("I") & 1 == 1
        self.cluster = cursor.take(16)
        self.version = cursor.number("Q")
        self.compacted_through = cursor.number("Q")
        self.segments = [Descriptor(cursor) for _ in range(cursor.number("I"))]
        self.terms = [(cursor.number("Q"), cursor.number("Q")) for _ in range(cursor.number("I"))]
        cursor.finish()


class Descriptor:
    """What the manifest says of one segment."""

    def __init__(self, cursor):
        self.cluster = cursor.take(16)
        self.first_index = cursor.number("Q")
        self.first_sequence = cursor.number("Q")
        self.bytes = cursor.number("I")
        self.digest = cursor.take(32)
        self.state = cursor.take(32)
        self.term = cursor.number("Q")
        self.last_index = cursor.number("Q")
        self.next_sequence = cursor.number("Q")
        self.time = cursor.number("q")
        self.seal_bytes = cursor.number("I")
        self.seal_body = cursor.number("I")
        self.seal_previous = cursor.number("I")
        self.seal_checksum = cursor.number("I")
        self.generation = cursor.number("I")
        self.original_seal = cursor.number("I")
        self.cut = cursor.number("Q")
        self.compaction = cursor.number("Q")

    @property
    def file(self):
        generation = f".{self.generation}" if self.generation else ""
        return f"{self.first_index:020}{generation}.segment"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def load_manifest(directory):
    """The newest whole copy, or None."""
    found = []
    for name in ("manifest.0", "manifest.1"):
        path = os.path.join(directory, name)
        if os.path.exists(path):
            try:
                found.append(Manifest(read(path)))
            except Defect as defect:
                print(f"{name}: {defect}", file=sys.stderr)
    return max(found, key=lambda manifest: manifest.version, default=None)


def tree_digest(data):
    """The root over the chunks of 64 KiB."""
    root = hashlib.sha256(b"\x01" + struct.pack("<Q", len(data)))
    for start in range(0, len(data), CHUNK):
        root.update(hashlib.sha256(b"\x00" + data[start:start + CHUNK]).digest())
    return root.digest()


# Segments and entries


class End:
    """What the next entry has to continue."""

    def __init__(self, index=0, term=0, sequence=0, checksum=0):
        self.index = index
        self.term = term
        self.sequence = sequence
        self.checksum = checksum


class Header:
    """The first 64 or 128 bytes of a segment."""

    def __init__(self, data):
        if data[:8] != b"DAYBKSEG":
            raise Defect("no segment begins like this")
        cursor = Cursor(data[8:])
        form = cursor.number("I")
        self.bytes = {1: 64, 2: 128}.get(form)
        if self.bytes is None or len(data) < self.bytes:
            raise Defect(f"a segment header of format {form}")
        if crc32c(data[:self.bytes - 4]) != struct.unpack_from("<I", data, self.bytes - 4)[0]:
            raise Defect("the checksum of the segment header is wrong")
        checksum = cursor.number("I")
        self.cluster = cursor.take(16)
        index, term, sequence = (cursor.number("Q") for _ in range(3))
        self.start = End(index - 1, term, sequence, checksum)
        self.generation, self.seal_checksum, self.cut, self.compaction = 0, None, None, None
        if form == 2:
            self.generation = cursor.number("I")
            self.seal_checksum = cursor.number("I")
            self.cut = cursor.number("Q")
            self.compaction = cursor.number("Q")


class Entry:
    """One entry, verified against the one before it."""

    def __init__(self, data, offset, before):
        head = data[offset:offset + 56]
        if len(head) < 56:
            raise Defect("no room for an entry")
        (form, self.kind, _, self.bytes, self.term, self.index, self.sequence, self.records,
         previous, self.time, body, self.checksum) = struct.unpack("<BBHIQQQIIqII", head)
        if form != 1 or self.kind not in KINDS:
            raise Defect(f"an entry of format {form} and kind {self.kind}")
        if self.bytes != -(-(56 + body) // 8) * 8 or offset + self.bytes > len(data):
            raise Defect(f"an entry of {self.bytes} bytes")
        rest = data[offset + 56:offset + self.bytes]
        if crc32c(head[:52], rest) != self.checksum:
            raise Defect("the checksum of the entry is wrong")
        if (self.index, self.sequence, previous) != (
                before.index + 1, before.sequence, before.checksum) or self.term < before.term:
            raise Defect(f"entry {self.index} does not continue entry {before.index}")
        self.body = rest[:body]

    @property
    def end(self):
        return End(self.index, self.term, self.sequence + self.records, self.checksum)


class Segment:
    """A segment's file: its header, and its entries up to the end or the first bad place."""

    def __init__(self, name, data, before, is_last):
        self.name = name
        self.entries = []
        self.header = Header(data)
        start = self.header.start
        if vars(start) != vars(before):
            raise Defect("the header does not continue the segment before")
        offset, end = self.header.bytes, start
        while offset < len(data) and (not self.entries or self.entries[-1].kind != SEAL):
            if is_last and not any(data[offset:]):
                break
            entry = Entry(data, offset, end)
            self.entries.append(entry)
            offset, end = offset + entry.bytes, entry.end
        self.used = offset
        sealed = bool(self.entries) and self.entries[-1].kind == SEAL
        if not is_last and not (sealed and offset == len(data)):
            raise Defect("the segment does not end with a SEAL")
        # The next segment continues the SEAL as it was before any compaction.
        if self.header.seal_checksum is not None:
            end.checksum = self.header.seal_checksum
        self.end = end


class Log:
    """All segments of a directory."""

    def __init__(self, directory):
        self.manifest = load_manifest(directory)
        self.problems = []
        self.segments = []
        archive = self.manifest.segments if self.manifest else []
        archived = archive[-1].last_index if archive else 0
        names = [descriptor.file for descriptor in archive] + sorted(
            name for name in os.listdir(directory)
            if (match := NAME.match(name)) and not match[2] and int(match[1]) > archived
            and not (self.manifest and self.manifest.voids_tail))
        before = End()
        for place, name in enumerate(names):
            try:
                data = read(os.path.join(directory, name))
                descriptor = archive[place] if place < len(archive) else None
                if descriptor and tree_digest(data) != descriptor.digest:
                    self.problems.append(f"{name}: not the bytes that the manifest names")
                is_last = not descriptor and place == len(names) - 1
                segment = Segment(name, data, before, is_last)
                if descriptor:
                    self.compare(segment, descriptor)
            except (Defect, OSError) as problem:
                self.problems.append(f"{name}: {problem}")
                break
            self.segments.append(segment)
            before = segment.end

    def compare(self, segment, descriptor):
        header = segment.header
        said = (descriptor.cluster, descriptor.generation, descriptor.first_sequence,
                descriptor.next_sequence, descriptor.last_index, descriptor.seal_checksum)
        found = (header.cluster, header.generation, header.start.sequence, segment.end.sequence,
                 segment.end.index, segment.end.checksum)
        if said != found:
            self.problems.append(f"{segment.name}: another one than the manifest describes")

    def rows(self):
        """The events in sequence order."""
        for segment in self.segments:
            for entry in segment.entries:
                yield from rows(entry)

    def summary(self):
        kinds = {}
        for segment in self.segments:
            for entry in segment.entries:
                kinds[KINDS[entry.kind]] = kinds.get(KINDS[entry.kind], 0) + 1
        return {
            "manifest_version": self.manifest.version if self.manifest else None,
            "archived": len(self.manifest.segments) if self.manifest else 0,
            "segments": [{"file": segment.name, "generation": segment.header.generation,
                          "bytes": segment.used, "entries": len(segment.entries)}
                         for segment in self.segments],
            "entries": kinds,
            "next_sequence": self.segments[-1].end.sequence if self.segments else 0,
            "problems": self.problems,
        }


# Events


def time_text(microseconds):
    return (EPOCH + timedelta(microseconds=microseconds)).isoformat(timespec="microseconds") + "Z"


def leaf_hash(leaf):
    return hashlib.sha256(b"\x00" + leaf).hexdigest()


def rows(entry):
    """The events of an entry, each as a dictionary."""
    offset = 0
    for ordinal in range(entry.records):
        length, resource = struct.unpack_from("<IB", entry.body, offset)
        stored = entry.body[offset:offset + length]
        if len(stored) != length or length < 80:
            raise Defect(f"a record of {length} bytes in entry {entry.index}")
        sequence, recorded = entry.sequence + ordinal, entry.time + ordinal
        if resource in (1, 2):
            yield record_row(stored, resource, sequence, recorded)
        elif resource in (3, 4):
            yield stub_row(stored, resource, sequence, recorded)
        else:
            raise Defect(f"resource {resource} in entry {entry.index}")
        offset += length
    if entry.kind == 2 and offset != len(entry.body):
        raise Defect(f"bytes behind the records of entry {entry.index}")


def record_row(stored, resource, sequence, recorded):
    salt, canonical = stored[56:72], stored[72:]
    cursor = Cursor(canonical)
    form, same, presence, _, revision = struct.unpack("<BBBBI", cursor.take(8))
    if form != 1 or same != resource:
        raise Defect(f"a canonical record of format {form} and resource {same}")
    text = lambda: cursor.short().decode()
    application, written_by = text(), text()
    row = {}
    if resource == 2:
        row["action"], row["subject"] = text(), text()
        row["details"] = json.loads(cursor.counted())
    else:
        for name in ("unique_id", "script_name", "host_name", "file_name", "start_time"):
            row[name] = text()
        if presence & 1:
            row["stop_time"] = text()
        updated_in = text() if presence & 4 else None
        if presence & 2:
            row["notes"] = json.loads(cursor.counted())
        if updated_in is not None:
            row["updated_in"] = updated_in
    cursor.finish()
    leaf = struct.pack("<BQq", 1, sequence, recorded) + hashlib.sha256(salt + canonical).digest()
    return {**row, "sequence": sequence, "revision": revision, "recorded_at": time_text(recorded),
            "leaf_hash": leaf_hash(leaf), "application": application, "written_by": written_by}


def stub_row(stored, resource, sequence, recorded):
    leaf = stored[8:57]
    if struct.unpack_from("<BQq", leaf) != (1, sequence, recorded):
        raise Defect(f"the stub of sequence {sequence} holds the leaf of another event")
    row = {"sequence": sequence, "recorded_at": time_text(recorded), "leaf_hash": leaf_hash(leaf)}
    if resource == 4:
        return {"erased": True, **row}
    cursor = Cursor(stored[105:])
    revision = cursor.number("I")
    unique_id = cursor.short().decode()
    cursor.finish()
    return {"unique_id": unique_id, "compacted": True, "revision": revision, **row}


def main():
    parser = argparse.ArgumentParser(prog="tools/read_segments.py",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("directory", metavar="DIR")
    parser.add_argument("--summary", action="store_true", help="about the directory, no events")
    options = parser.parse_args()
    if not os.path.isdir(options.directory):
        print(f"{options.directory} is no directory", file=sys.stderr)
        return 2
    log = Log(options.directory)
    if not log.segments and not log.problems:
        print(f"{options.directory} holds no segments", file=sys.stderr)
        return 2
    try:
        if options.summary:
            print(json.dumps(log.summary()))
        else:
            for row in log.rows():
                print(json.dumps(row, ensure_ascii=False))
    except Defect as defect:
        log.problems.append(str(defect))
    for problem in log.problems:
        print(problem, file=sys.stderr)
    return 1 if log.problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        os._exit(1)
