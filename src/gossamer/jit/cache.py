"""Results that cost time to make and are the same the next time, kept on disk for this user.

Machine code comes from here and is run, so that nobody else may have written it: the folder is
made for its owner alone, and a file is ignored unless it is a regular file that belongs to this
user, that nobody else may write, and that starts with the digest of its key and content. A cache
never fails the program: what cannot be read is made again, what cannot be written is not kept.

The folder is `$GOSSAMER_CACHE`, or `gossamer` in the user's cache folder; with an empty
`GOSSAMER_CACHE` nothing is read or written. It may be deleted at any time.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from gossamer.replacing import replacing

LARGEST_BYTES = 64 * 2**20
"""What the folder may hold; the files not used for longest go first."""
_TRIMMING = "00"
"""How keys begin whose writing trims the folder, one in 256: looking at all files takes time."""
_BLOCK_BYTES = 4096
_DIGEST_BYTES = 32
_OURS = re.compile(r"\.?[0-9a-f]{64}\.kept(\.\d+\.partial)?")


def digest(*parts: str | bytes) -> str:
    """Return a key for something made from `parts`: 64 hexadecimal digits.

    Examples:
        >>> digest("a", "b") == digest("ab")
        False
    """
    whole = sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8, "little") + data)
    return whole.hexdigest()


def recall(key: str) -> bytes | None:
    """Return what is kept under a key (of `digest`); None if there is nothing to be trusted."""
    folder = cache_folder()
    if folder is None:
        return None
    path = folder / f"{key}.kept"
    try:
        data = _read_own(path)
        if data is None or not _is_whole(key, data):
            return None
    except OSError:
        return None
    with suppress(OSError):
        os.utime(path)  # used just now: it goes last
    return data[_DIGEST_BYTES:]


def keep(key: str, data: bytes) -> None:
    """Keep `data` under a key (of `digest`), or do nothing where that is not possible."""
    folder = cache_folder()
    if folder is None:
        return
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(folder / f"{key}.kept") as partial:
            _write_own(partial, _seal(key, data) + data)
        if key.startswith(_TRIMMING):
            trim(folder)


def cache_folder() -> Path | None:
    """Return the folder that is used now, which may not exist yet; None if the cache is off."""
    chosen = os.environ.get("GOSSAMER_CACHE")
    if chosen is not None:
        return Path(chosen) if chosen else None
    with suppress(RuntimeError):  # a user without a home
        return _user_cache() / "gossamer"
    return None


def trim(folder: Path, most_bytes: int = LARGEST_BYTES) -> None:
    """Delete the files of the cache that were not used for longest, down to `most_bytes`."""
    found = []
    for entry in os.scandir(folder):
        with suppress(OSError):  # another process may be deleting, too
            if _OURS.fullmatch(entry.name):
                about = entry.stat(follow_symlinks=False)
                found.append((about.st_mtime_ns, -(-about.st_size // _BLOCK_BYTES), entry.path))
    room = most_bytes // _BLOCK_BYTES
    for _, blocks, path in sorted(found, reverse=True):
        room -= blocks
        if room < 0:
            with suppress(OSError):
                Path(path).unlink()


def _user_cache() -> Path:
    """Return the platform's folder for what can be made again."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches"
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return chosen if chosen.is_absolute() else Path.home() / ".cache"


def _seal(key: str, data: bytes) -> bytes:
    return sha256(key.encode() + data).digest()


def _is_whole(key: str, data: bytes) -> bool:
    return data[:_DIGEST_BYTES] == _seal(key, data[_DIGEST_BYTES:])


def _read_own(path: Path) -> bytes | None:
    """Return a file's bytes if it can only have been written by this user."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        is_own = not hasattr(os, "geteuid") or (
            about.st_uid == os.geteuid() and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        )
        return file.read() if is_own and stat.S_ISREG(about.st_mode) else None


def _write_own(path: Path, data: bytes) -> None:
    """Write a file that nobody else may change."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
