"""Nothing of the user's is lost: a file is written under another name first, then renamed.

Whether that can be done is asked before the work whose result goes there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gossamer.errors import SpecError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a name beside `path` to write to; on success it takes the place of `path`.

    If the body raises, `path` is as it was, and nothing is left behind. What the system refuses is
    told of `path`, not of the other name.

    Raises:
        OSError: if `path` is there and is not a file, or cannot be written.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replacing(Path(folder, "note.txt")) as partial:
        ...         _ = partial.write_text("whole")
        ...     Path(folder, "note.txt").read_text()
        'whole'
    """
    path = Path(path)
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "a name cannot have a zero byte", str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EEXIST, "this is not a file", str(path))
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        if error.filename in (partial, str(partial)):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        partial.unlink(missing_ok=True)


def check_target(path: str | Path, *suffixes: str, source: str | Path | None = None) -> None:
    """Raise SpecError unless a file can be written there.

    Args:
        path: of the file; an existing one may be replaced.
        suffixes: lower-case; one of them ends the name, if any are given.
        source: a file that is read and must not be replaced by what is made of it.

    Examples:
        >>> check_target("picture.png", ".svg")
        Traceback (most recent call last):
        gossamer.errors.SpecError: picture.png: not the name of such a file (expected NAME.svg)
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        expected = " or ".join(f"NAME{suffix}" for suffix in suffixes)
        raise SpecError("not the name of such a file", where=path, expected=expected)
    if path.exists() and not path.is_file():
        raise SpecError("this is not a file", where=path, hint="give the name of a file")
    if not path.parent.is_dir():
        raise SpecError("no such folder", where=path.parent, hint="make it first")
    if not os.access(path.parent, os.W_OK):
        raise SpecError("nothing can be written to this folder", where=path.parent)
    if source is not None and path.resolve() == Path(source).resolve():
        raise SpecError(
            "this would replace the file that it is made of", where=path, hint="give another --out"
        )
