"""The rules of revisions (docs: what a repeated unique_id does), as small as they can be written.

It reads a file of posts and says what a store that took them one after another must hold.
"""

import json

PARAMETERS = ("unique_id", "script_name", "host_name", "file_name", "start_time", "stop_time",
              "notes", "updated_in")


def number(digits):
    """A number of JSON as it was written: 1.0 and 1 are different content, and neither is "1"."""
    return ("number", digits)


def parse(text):
    """One JSON value, numbers kept digit for digit."""
    return json.loads(text, parse_float=number, parse_int=number)


def content(posted):
    """What counts of a post: the parameters as values; null and "" are absent."""
    return {name: posted[name] for name in PARAMETERS if posted.get(name) not in (None, "")}


class Store:
    """Which revisions there are, by unique_id, in order."""

    def __init__(self):
        self.revisions = {}

    def post(self, posted):
        """Takes a post; returns its revision and whether it is a duplicate of it."""
        known = self.revisions.setdefault(posted["unique_id"], [])
        wanted = content(posted)
        for revision in range(len(known), 0, -1):
            if known[revision - 1] == wanted:
                return revision, True
        known.append(wanted)
        return len(known), False

    def count(self):
        return sum(len(known) for known in self.revisions.values())


def store_of(path):
    """The store after all the lines of the file, and how many lines there were."""
    store, lines = Store(), 0
    with open(path, encoding="utf-8") as file:
        for line in file:
            store.post(parse(line))
            lines += 1
    return store, lines
