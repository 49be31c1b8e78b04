"""Reads the headers of version 5, written from `docs/format.md` alone."""

from copy import deepcopy
from functools import lru_cache
from importlib.resources import files

from tests.codec.second_mixed_reader import Mixed


def h(a, b):
    x = (a + b + 1) * 0x2545F491 % 2**32
    return x ^ x >> 15


class Text:
    def __init__(self, known=b""):
        self.model = Mixed(known, 5, lambda family: [19660] * 8, 1200)
        self.bytes = [0] * 48
        self.places = {}
        self.match = self.length = self.string = self.name = 0
        self.word = self.before = self.tail = 0

    def read(self, data, count):
        """Read a text; a list in place of data: learn from its bits."""
        model = self.model
        if isinstance(data, list):
            bits = iter(data)
            model.bit = lambda p: next(bits)
        else:
            fresh = Mixed(data, 5)
            model.data, model.at, model.v, model.w = fresh.data, fresh.at, fresh.v, fresh.w
        start = len(self.bytes)
        for _ in range(count):
            self.bytes.append(self.byte())
            self.remember()
        return bytes(self.bytes[start:])

    def byte(self):
        last = self.bytes[::-1]
        hashes = [0]
        for byte in last[:6]:
            hashes.append(h(hashes[-1], byte + 1))
        above = h(self.tail, hashes[3])
        if self.string and self.bytes[self.string - 4] == ord("e"):
            place = self.name + len(self.bytes) - self.string
            above = h(h(self.bytes[place] + 1, self.bytes[place + 1]), last[0])
        word = h(self.word, self.before)
        n = self.length
        n = min(n, 15) if n < 16 else min(12 + n // 16, 15)
        expected = self.bytes[self.match] + 256 if n else 0
        x = 1
        for i in range(7, -1, -1):
            agrees = n if expected >> i + 1 == x else 0
            follows = 2 * agrees + (expected >> i & 1) if agrees else 0
            contexts = [*hashes[1:5], hashes[6], word, follows, above]
            names = [("text", j, h(c, x) % 2**15) for j, c in enumerate(contexts)]
            sets = ("match", agrees), ("byte", x)
            x = 2 * x + self.model.mixed(names, sets, agrees, ("place", i), 255)
        return x - 256

    def remember(self):
        t, at = self.bytes, len(self.bytes) - 1
        if self.length and t[self.match] == t[at]:
            self.match, self.length = self.match + 1, min(self.length + 1, 63)
        else:
            self.length = 0
        key = 0
        for back in range(5):
            key = h(key, t[at - back])
        key %= 4096
        if self.length == 0 and key in self.places:
            self.match = self.places[key]
            while self.length < 32 and t[self.match - 1 - self.length] == t[at - self.length]:
                self.length += 1
        self.places[key] = at + 1
        if t[at] == ord('"'):
            if not self.string:
                self.string = at + 1
            else:
                if t[self.string - 2] == ord(":") and t[self.string - 4] == ord("e"):
                    self.name, self.tail = self.string, self.word
                self.string = 0
        if chr(t[at]) in "abcdefghijklmnopqrstuvwxyz0123456789":
            self.word = h(self.word, t[at])
        else:
            self.before, self.word = h(self.word, t[at]), 0


@lru_cache(maxsize=1)
def taught():
    primer = files("gossamer.codec.mixing").joinpath("primer.txt").read_bytes().rstrip(b"\n")
    text = Text()
    text.read([byte >> i & 1 for byte in primer for i in range(7, -1, -1)], len(primer))
    del text.model.bit
    return text


def read_text(data, count):
    text = deepcopy(taught())
    found = text.read(bytes(data), count)
    text.model.finish()
    return found


def full_header(short):
    """The header of a brief one."""
    values = [short["input"][0]]
    for node in short["nodes"]:
        if "inputs" in node:
            node["inputs"] = [
                values[-1 - item] if isinstance(item, int) else item for item in node["inputs"]
            ]
        if "runs" in node["op"]:
            runs = iter(node["op"].pop("runs"))
            order = [
                channel
                for first, count in zip(runs, runs, strict=True)
                for channel in ([-1] * count if first == -1 else range(first, first + count))
            ]
            node["op"]["order"] = order
        values.append(node["name"])
    before = wide = None
    for number, shape in enumerate(short["shapes"]):
        shape = [before] if shape == 0 else shape
        if len(shape) > 1:
            shape[1] = shape[1] or wide
            wide = shape[0]
        before = shape[0] if shape else None
        short["shapes"][number] = shape
    left = list(range(len(short["shapes"])))
    for section in short["sections"]:
        if isinstance(section[1], int):
            section[1] = left[: section[1]]
        left = [number for number in left if number not in section[1]]
    return short
