"""How much a file may ask of its reader, and the counter that holds it to that."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from gossamer.errors import LimitExceededError


@dataclass(frozen=True)
class Limits:
    """Caps that a reader checks before it allocates; raise them for files that you trust.

    Args:
        file_bytes: largest file.
        header_bytes: largest header, unpacked.
        nodes: most operators.
        entries: most entries of all weight tensors together, zeros included, and of any one value
            of the network at its example size.
        free_symbols: most symbols that any file may decode to; a symbol is one byte of a float,
            one gap or one code; a channel of a shuffle counts as 16, eight entries of a quantised
            tensor count as one.
        symbols_per_byte: how many more for each byte of the file. A stream of one repeated symbol
            takes no bits, so the file's length alone does not bound what comes out of it.

    Examples:
        >>> Limits(entries=10**9).entries
        1000000000
    """

    file_bytes: int = 2**30
    header_bytes: int = 2**21
    nodes: int = 2**13
    entries: int = 2**28
    free_symbols: int = 2**22
    symbols_per_byte: int = 64

    def memory_bytes(self, file_bytes: int) -> int:
        """Return the most memory that reading a file of that length may take.

        64 bytes a symbol, 32 a byte of an unpacked header, and 32 MiB for tables.
        """
        symbols = self.free_symbols + self.symbols_per_byte * file_bytes
        return 64 * symbols + 32 * self.header_bytes + 2**25


class Budget:
    """Counts down the symbols that one file may still decode to."""

    def __init__(self, limits: Limits, file_bytes: int) -> None:
        self.left = limits.free_symbols + limits.symbols_per_byte * file_bytes
        self._lock = Lock()

    def take(self, symbols: int) -> None:
        """Charge `symbols`; raises LimitExceededError when the file asks for too many."""
        with self._lock:
            enough = symbols <= self.left
            self.left -= symbols if enough else 0
        if not enough:
            raise LimitExceededError(
                "the file unpacks to far more than its length",
                got=f"{symbols} more symbols",
                expected=f"at most {self.left}",
                hint="pass larger Limits if you trust it",
            )
