"""A second reader, written from `docs/format.md` alone: it proves that the page is complete."""

import json
import math
import struct
import zlib
from pathlib import Path

import pytest

from gossamer.codec.files import load
from gossamer.codec.write import encode
from tests.codec.second_mixed_reader import Mixed
from tests.codec.second_text_reader import full_header, read_text

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.goss"))


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self):
        value = shift = 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


def read_frame(data):
    file = Bytes(data)
    assert file.take(8) == b"\x89GOS\r\n\x1a\n"
    (version,) = file.take(1)
    stored, unpacked = file.number(), file.number()
    stored, modelled = divmod(stored, 2) if version >= 5 else (stored, 0)
    text = file.take(stored)
    text = read_text(text, unpacked) if modelled else zlib.decompress(text, -15)
    assert len(text) == unpacked
    table = [(file.number(), struct.unpack("<I", file.take(4))[0]) for _ in range(file.number())]
    assert zlib.crc32(data[: file.at]) == struct.unpack("<I", file.take(4))[0]
    sections = [file.take(length) for length, _ in table]
    assert [zlib.crc32(section) for section in sections] == [checksum for _, checksum in table]
    assert file.at == len(data)
    header = json.loads(text)
    if version >= 5:
        header = full_header(header)
    if version >= 3:
        assert header["profile"] in ("small", "fast")
    else:
        assert version == 1 + any(layout == "quantised" for layout, _ in header["sections"])
    return version, header, sections


def tensor_names(header):
    names = {}
    for node in header["nodes"]:
        weights = node.get("weights", [])
        if isinstance(weights, list):
            weights = {role: node["name"] + "." + role for role in weights}
        names.update(dict.fromkeys(weights.values()))
    return list(names)


def read_stream(section, count, alphabet):
    length, coder = divmod(section.number(), 8)
    data = section.take(length)
    bits = "".join(f"{byte:08b}" for byte in data)
    if count == 0:
        return []
    if coder == 2:
        return read_ans(data, bits, count)
    if coder == 0:
        width = math.ceil(math.log2(alphabet))
        return [int("0" + bits[i * width : (i + 1) * width], 2) for i in range(count)]
    at = 0

    def gamma():
        nonlocal at
        zeros = bits.index("1", at) - at
        at += 2 * zeros + 1
        return int(bits[at - zeros - 1 : at], 2)

    table, symbol, size, full = [], -1, 0, 0
    while full < 2**16:
        symbol += gamma()
        e = gamma() - 1
        size += e // 2 if e % 2 == 0 else -(e + 1) // 2
        table.append((size, symbol))
        full += 2 ** (16 - size)
    code, before, codes = -1, 0, {}
    for size, symbol in sorted(table):
        code = code + 1 << size - before
        before = size
        codes[size, code] = symbol
    symbols = []
    for _ in range(count):
        size = 0
        while (size, int("0" + bits[at : at + size], 2)) not in codes:
            size += 1
        symbols.append(codes[size, int("0" + bits[at : at + size], 2)])
        at += size
    return symbols


def read_ans(data, bits, count):
    at = 0

    def gamma():
        nonlocal at
        zeros = bits.index("1", at) - at
        at += 2 * zeros + 1
        return int(bits[at - zeros - 1 : at], 2)

    total = 2**12 if gamma() == 1 else 2**16
    symbol, size, table = -1, 0, []
    while len(table) < total:
        symbol += gamma()
        e = gamma() - 1
        size += e // 2 if e % 2 == 0 else -(e + 1) // 2
        frequency = int("1" + bits[at : at + size - 1], 2)
        at += size - 1
        table += [(symbol, frequency, place) for place in range(frequency)]
    start = -(-at // 8)
    if frequency == total:
        return [symbol] * count
    states = list(struct.unpack("<4I", data[start : start + 16]))
    words = iter(struct.unpack(f"<{(len(data) - start - 16) // 2}H", data[start + 16 :]))
    symbols = []
    for i in range(count):
        symbol, frequency, place = table[states[i % 4] % total]
        state = frequency * (states[i % 4] // total) + place
        states[i % 4] = state if state >= 2**16 else state * 2**16 + next(words)
        symbols.append(symbol)
    assert states == [2**16] * 4
    assert not list(words)
    return symbols


def read_mixed(data, shapes, version):
    section = Mixed(data, version).begin()
    tensors = [section.tensor(shape) for shape in shapes]
    section.finish()
    return tensors


def read_floats(section, count):
    planes = [read_stream(section, count, 256) for _ in range(4)]
    return [struct.pack("4B", *four) for four in zip(*planes, strict=True)]


def read_positions(section, stored, shape):
    if stored == 0:
        return []
    by_columns, width = divmod(section.take(1)[0], 128)
    symbols = read_stream(section, stored + section.number(), 2**width)
    rows, columns = shape[0], math.prod(shape[1:])
    positions, at = [], 0
    for symbol in symbols:
        at += symbol
        if symbol != 2**width - 1:
            positions.append(at % rows * columns + at // rows if by_columns else at)
            at += 1
    return sorted(positions)


def read_quantised(section, shape):
    (bits,) = section.take(1)
    scales = [struct.unpack("<f", four)[0] for four in read_floats(section, shape[0])]
    stored = section.number()
    positions = read_positions(section, stored, shape)
    tensor = [bytes(4)] * math.prod(shape)
    for position, code in zip(positions, read_stream(section, stored, 2**bits), strict=True):
        scale = scales[position // math.prod(shape[1:])]
        tensor[position] = struct.pack("<f", (code - 2 ** (bits - 1)) * scale + 0.0)
    return tensor


def read_section(layout, data, shapes, version):
    section = Bytes(data)
    if layout == "mixed":
        return read_mixed(data, shapes, version)
    if layout == "dense":
        values = read_floats(section, sum(map(math.prod, shapes)))
        tensors = []
        for shape in shapes:
            tensors.append(values[: math.prod(shape)])
            values = values[math.prod(shape) :]
    elif layout == "quantised":
        tensors = [read_quantised(section, *shapes)]
    else:
        (shape,) = shapes
        entries = section.number() if layout == "codebook" else None
        stored = section.number()
        centroids = read_floats(section, entries) if layout == "codebook" else None
        positions = read_positions(section, stored, shape)
        if layout == "codebook":
            values = [centroids[code] for code in read_stream(section, stored, entries)]
        else:
            values = read_floats(section, stored)
        tensors = [[bytes(4)] * math.prod(shape)]
        for position, value in zip(positions, values, strict=True):
            tensors[0][position] = value
    assert section.at == len(data)
    return tensors


def read_tensors(data):
    """Return name → (shape, little-endian float32 bytes), and the header."""
    version, header, sections = read_frame(data)
    names, found = tensor_names(header), {}
    for (layout, numbers), section in zip(header["sections"], sections, strict=True):
        shapes = [header["shapes"][number] for number in numbers]
        for number, shape, values in zip(
            numbers, shapes, read_section(layout, section, shapes, version), strict=True
        ):
            found[names[number]] = (tuple(shape), b"".join(values))
    return found, header


def assert_same(data, graph):
    found, header = read_tensors(data)
    assert found == {
        name: (layout.shape, layout.to_dense().astype("<f4").tobytes())
        for name, layout in graph.weights.items()
    }
    assert [node["name"] for node in header["nodes"]] == [node.name for node in graph.nodes]
    assert [node["op"]["kind"] for node in header["nodes"]] == [
        node.op.kind for node in graph.nodes
    ]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_second_reader_reads_golden_files(path):
    assert_same(path.read_bytes(), load(path))


@pytest.mark.parametrize("profile", ["small", "fast"])
def test_the_second_reader_reads_fresh_files(small_graph, profile):
    assert_same(encode(small_graph, profile), small_graph)
