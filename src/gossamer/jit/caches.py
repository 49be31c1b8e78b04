"""How large the caches are that one thread has, as the system says."""

from __future__ import annotations

from pathlib import Path

KIB = 1024
TYPICAL_BYTES = (32 * KIB, 512 * KIB)
"""Of the first and the second cache, where the system does not say."""
LINUX = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": KIB, "M": KIB**2}


def cache_bytes(folder: Path = LINUX) -> tuple[int, int]:
    """Return the bytes of the first cache for data and of the second; typical ones if unknown.

    Args:
        folder: where Linux describes the caches of a processor.

    Examples:
        >>> first, second = cache_bytes()
        >>> 0 < first <= second
        True
    """
    try:
        sizes = dict(_cache(index) for index in sorted(folder.glob("index*"), reverse=True))
    except (OSError, ValueError, LookupError):
        return TYPICAL_BYTES
    first, second = sizes.get("1", 0), sizes.get("2", 0)
    return (first, second) if 0 < first <= second else TYPICAL_BYTES


def _cache(index: Path) -> tuple[str, int]:
    """Return the level of a cache, or another name if it holds no data, and its bytes."""
    level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
    return level if kind != "Instruction" else kind, int(size[:-1]) * _UNITS[size[-1]]
