"""The frames of the nodes' port (docs/reference/peer-protocol.md), as far as bad ones need them."""

import os
import struct


HELLO, WELCOME, REFUSAL, SUBMIT = 1, 2, 3, 32
GATEWAY, NODE = 2, 1
MAGIC = 0x314B4244


def _table():
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


TABLE = _table()


def crc32c(content):
    value = 0xFFFFFFFF
    for byte in content:
        value = TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def frame(kind, payload, checksum=None):
    head = struct.pack("<II", len(payload), kind)
    if checksum is None:
        checksum = crc32c(head + payload)
    return head + struct.pack("<I", checksum) + payload


def read(connection):
    """The kind and the payload of the next frame."""
    length, kind, _ = struct.unpack("<III", connection.take(12))
    return kind, connection.take(length)


def hello(cluster_id, role=GATEWAY, node=0, versions=(3, 3), magic=MAGIC):
    return frame(HELLO, struct.pack("<IHHB", magic, *versions, role) + cluster_id
                 + struct.pack("<I", node) + bytes(16))


def cluster_id(cluster):
    """The id as it stands in a node's identity file (docs/reference/segment-format.md)."""
    with open(os.path.join(cluster.data(1), "identity"), "rb") as file:
        return file.read()[16:32]


def defective(cluster):
    """Bytes after which a node can only close the connection."""
    good = hello(cluster_id(cluster))
    return [
        ("a hello with a wrong checksum", frame(HELLO, good[12:], checksum=7)),
        ("a hello that is cut", good[:-3]),
        ("a hello that is too short", frame(HELLO, good[12:-4])),
        ("a hello with another magic", hello(cluster_id(cluster), magic=7)),
        ("a length of 4 GiB", struct.pack("<III", 0xFFFFFFFF, HELLO, 0)),
        ("an unknown kind", frame(99, b"")),
        ("a submit before any hello", frame(SUBMIT, bytes(64))),
        ("an HTTP request", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a malformed submit behind a hello", good + frame(SUBMIT, b"\xff" * 100)),
        ("random submits behind a hello",
         good + b"".join(frame(SUBMIT, os.urandom(200)) for _ in range(20))),
        ("a frame of a node from a gateway", good + frame(16, bytes(40))),
        ("20 MiB announced behind a hello", good + struct.pack("<III", 20 << 20, SUBMIT, 0)),
    ] + [(f"kind {kind} with random bytes behind a hello",
          good + frame(kind, os.urandom(150))) for kind in (16, 17, 18, 19, 33, 34)] + [
        (f"kind {kind} with random bytes behind a node's hello",
         hello(cluster_id(cluster), role=NODE, node=2) + frame(kind, os.urandom(150)))
        for kind in (16, 17, 18, 19, 33)]


def refused(cluster, node):
    """Handshakes that this node, the leader, answers with a refusal, and a part of the reason."""
    own = cluster_id(cluster)
    return [
        ("a gateway of another cluster", hello(bytes(15) + b"\1"), "is not this cluster"),
        ("a node of another cluster", hello(b"\7" * 16, role=NODE, node=2), "is not this cluster"),
        ("another version of the protocol", hello(own, versions=(7, 9)), "protocol version"),
        ("a node that is no member", hello(own, role=NODE, node=9), "is no member"),
        ("a node with its own id", hello(own, role=NODE, node=node), "is mine"),
        ("a node without an id", hello(own, role=NODE), "without an id"),
    ]
