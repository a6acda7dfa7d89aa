"""Faults inside one process: its disk and its wall clock, through the preloaded shim.c."""

import errno
import mmap
import os
import struct
import subprocess

HERE = os.path.dirname(os.path.realpath(__file__))
PAGE_BYTES = 4096
# Words of struct control in shim.c, eight bytes each.
DELAY, HANGS, ERROR, IS_FULL, CLOCK, TOUCHED = range(6)
ERRORS = {"eio": errno.EIO, "enospc": errno.ENOSPC}


def compile_shim(directory):
    """Compiles shim.c into the directory; returns the library's path."""
    library = os.path.join(directory, "shim.so")
    subprocess.run(
        ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library,
         os.path.join(HERE, "shim.c"), "-ldl"], check=True, timeout=60)
    return library


class Faults:
    """What is wrong inside one process now; all is well in the beginning."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.truncate(PAGE_BYTES)
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), PAGE_BYTES)

    def environment(self, library):
        return {"LD_PRELOAD": library, "DAYBOOK_DRILL_CONTROL": self.path}

    def put(self, word, value):
        struct.pack_into("<q", self.page, word * 8, value)

    def get(self, word):
        return struct.unpack_from("<q", self.page, word * 8)[0]

    def disk(self, state, milliseconds=0):
        """`ok`, `hang`, `slow` (by so many milliseconds a call), `full`, `eio` or `enospc`."""
        self.put(DELAY, milliseconds * 1000 if state == "slow" else 0)
        self.put(ERROR, ERRORS.get(state, 0))
        self.put(IS_FULL, state == "full")
        self.put(HANGS, state == "hang")

    def clock(self, seconds):
        self.put(CLOCK, seconds * 1_000_000_000)

    def clear(self):
        self.disk("ok")
        self.clock(0)

    def touched(self):
        """Calls that were delayed, hung or failed."""
        return self.get(TOUCHED)
