"""Reading bytes front to back, and the variable-length integers of the format."""

from __future__ import annotations

from gossamer.errors import FormatError, TruncatedError

_LONGEST = 9


def uvarint(value: int) -> bytes:
    """Return a number as LEB128: 7 bits a byte, lowest first, high bit on all but the last byte.

    Examples:
        >>> uvarint(300).hex()
        'ac02'
    """
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Cursor:
    """A position in a byte string; reading past the end raises TruncatedError."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.position = 0

    @property
    def left(self) -> int:
        """How many bytes are not read yet."""
        return len(self.data) - self.position

    def take(self, count: int) -> memoryview:
        """Return the next `count` bytes."""
        if count > self.left:
            raise TruncatedError(
                "the data ends too early", got=self.left, expected=f"{count} more bytes"
            )
        self.position += count
        return self.data[self.position - count : self.position]

    def byte(self) -> int:
        """Return the next byte as a number."""
        return self.take(1)[0]

    def uvarint(self) -> int:
        """Return the next variable-length integer, below 2⁶³, in its shortest form."""
        value = 0
        for index in range(_LONGEST):
            byte = self.byte()
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                if byte == 0 and index:
                    raise FormatError("an integer is not in its shortest form")
                return value
        raise FormatError("an integer is too long", expected=f"at most {_LONGEST} bytes")

    def finish(self) -> None:
        """Raise FormatError if bytes are left."""
        if self.left:
            raise FormatError("bytes are left over", got=self.left, expected=0)
