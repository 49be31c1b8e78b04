"""The frame of a `.goss` file: magic, version, header, table, sections. Nothing about weights.

    magic 8 | version 1 | stored length, unpacked length | header | table | CRC-32 | sections

The header is deflated, or, from version 5 on, coded by a model of headers.

Sections lie one after another in the order of the table, which holds their lengths and checksums;
without offsets, overlaps and holes cannot be expressed.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from gossamer.codec.cursor import Cursor, uvarint
from gossamer.codec.limits import Limits
from gossamer.codec.mixing.text_stream import LONGEST_TEXT, read_text, write_text
from gossamer.codec.versions import NEWEST, VERSIONS
from gossamer.errors import (
    ChecksumError,
    FormatError,
    LimitExceededError,
    TruncatedError,
    UnsupportedVersionError,
)

# The first version whose header may be coded by the model.
_MODELLED = 5
MAGIC = b"\x89GOS\r\n\x1a\n"


@dataclass(frozen=True)
class Container:
    """A file taken apart.

    Args:
        version: of the format.
        header: the JSON object.
        sections: the bytes of each section.
        header_bytes: stored length of the header.
        frame_bytes: length of everything else before the first section.
    """

    version: int
    header: Mapping[str, Any]
    sections: tuple[memoryview, ...]
    header_bytes: int
    frame_bytes: int


def pack(header: Mapping[str, Any], sections: Sequence[bytes], version: int = NEWEST) -> bytes:
    """Return the file of some version that holds a header and sections.

    Raises:
        FormatError: if the header has no JSON form.
    """
    text = _to_json(header)
    modelled = version >= _MODELLED and header.get("profile") == "small"
    modelled = modelled and len(text) <= LONGEST_TEXT
    stored = write_text(text) if modelled else _deflate(text)
    return pack_stored(stored, len(text), sections, version, modelled=modelled)


def _deflate(text: bytes) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    return squeeze.compress(text) + squeeze.flush()


def pack_stored(
    stored: bytes,
    unpacked_bytes: int,
    sections: Sequence[bytes],
    version: int = NEWEST,
    *,
    modelled: bool = False,
) -> bytes:
    """Return the file that holds an already deflated or modelled header and sections."""
    length = 2 * len(stored) + modelled if version >= _MODELLED else len(stored)
    front = [MAGIC, bytes([version]), uvarint(length), uvarint(unpacked_bytes), stored]
    front.append(uvarint(len(sections)))
    front += [uvarint(len(section)) + _checksum(section) for section in sections]
    whole = b"".join(front)
    return b"".join([whole, _checksum(whole), *sections])


def unpack(data: bytes | memoryview, limits: Limits) -> Container:
    """Take a file apart, checking lengths, limits and checksums before anything is unpacked.

    Raises:
        FormatError: or one of its subclasses, if the file is not well formed.
    """
    cursor = Cursor(memoryview(data).cast("B"))
    if cursor.left > limits.file_bytes:
        raise LimitExceededError(
            "the file is too long", got=cursor.left, expected=f"≤ {limits.file_bytes} bytes"
        )
    version = _read_version(cursor)
    stored_bytes, unpacked_bytes = cursor.uvarint(), cursor.uvarint()
    modelled = 0
    if version >= _MODELLED:
        stored_bytes, modelled = divmod(stored_bytes, 2)
    if max(stored_bytes, unpacked_bytes) > limits.header_bytes:
        raise LimitExceededError(
            "the header is too long",
            got=max(stored_bytes, unpacked_bytes),
            expected=f"≤ {limits.header_bytes} bytes",
        )
    stored = cursor.take(stored_bytes)
    table = _read_table(cursor)
    front_bytes = cursor.position
    if _checksum(cursor.data[:front_bytes]) != cursor.take(4):
        raise ChecksumError("the checksum is wrong", where="header")
    sections = _read_sections(cursor, table)
    unpacked = read_text if modelled else _inflate
    header = _from_json(unpacked(stored, unpacked_bytes))
    return Container(version, header, sections, stored_bytes, front_bytes + 4 - stored_bytes)


def _checksum(data: bytes | memoryview) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


def _read_version(cursor: Cursor) -> int:
    magic = bytes(cursor.data[: len(MAGIC)])
    if magic != MAGIC[: len(magic)] or not magic:
        hint = "it looks damaged by a text-mode transfer" if magic[:4] == MAGIC[:4] else None
        raise FormatError("not a .goss file", got=magic, expected=MAGIC, hint=hint)
    cursor.take(len(MAGIC))
    version = cursor.byte()
    if version not in VERSIONS:
        raise UnsupportedVersionError(
            "unknown version of the format",
            got=version,
            expected=VERSIONS,
            hint="a newer gossamer may read it",
        )
    return version


def _read_table(cursor: Cursor) -> list[tuple[int, memoryview]]:
    count = cursor.uvarint()
    if count > cursor.left // 5:
        raise TruncatedError(
            "the table of sections ends too early", got=cursor.left, expected=f"{count} entries"
        )
    return [(cursor.uvarint(), cursor.take(4)) for _ in range(count)]


def _read_sections(cursor: Cursor, table: list[tuple[int, memoryview]]) -> tuple[memoryview, ...]:
    total = sum(length for length, _ in table)
    if total > cursor.left:
        raise TruncatedError(
            "the file ends too early", got=cursor.left, expected=f"{total} bytes of sections"
        )
    sections = tuple(cursor.take(length) for length, _ in table)
    cursor.finish()
    for index, (section, (_, checksum)) in enumerate(zip(sections, table, strict=True)):
        if _checksum(section) != checksum:
            raise ChecksumError("the checksum is wrong", where=f"section {index}")
    return sections


def _inflate(stored: memoryview, unpacked_bytes: int) -> bytes:
    inflater = zlib.decompressobj(-15)
    try:
        text = inflater.decompress(stored, unpacked_bytes + 1)
    except zlib.error as error:
        raise FormatError("the header cannot be unpacked", where="header", got=str(error)) from None
    if len(text) != unpacked_bytes or not inflater.eof or inflater.unused_data:
        raise FormatError(
            "the header has another length than it states", where="header", expected=unpacked_bytes
        )
    return text


def _to_json(value: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError("the header has no JSON form", got=str(error)) from None


def _from_json(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(
            text.decode(),
            object_pairs_hook=_object,
            parse_float=_finite,
            parse_constant=_reject,
        )
        # A lone surrogate can be written as \ud800 but is not a character.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise FormatError("the header is not JSON", where="header", got=str(error)[:200]) from None
    if not isinstance(value, dict):
        raise FormatError("the header is not an object", where="header", got=type(value).__name__)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key appears twice")
    return value


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _reject(text)


def _reject(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is not a number of JSON")
