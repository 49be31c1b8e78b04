"""MNIST, and whatever else comes as four gzip-compressed IDX files.

An IDX file is big-endian: two zero bytes, a type byte (8: unsigned byte), the number of axes, one
32-bit size an axis, then the values.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np

from gossamer.errors import DataError
from gossamer.images import InputRecord
from gossamer.train.data import Data, Split, mean_and_deviation

_MAX_BYTES = 2**31


def read_idx(path: str | Path) -> np.ndarray:
    """Read a gzip-compressed IDX file of unsigned bytes.

    Raises:
        DataError: if the file is missing, is not IDX of bytes, ends early or goes on too long, or
            states more than 2 GiB.
    """
    try:
        with gzip.open(path) as file:
            return _parse(file, path)
    except FileNotFoundError:
        raise DataError("no such file", where=path) from None
    except (EOFError, OSError, zlib.error, struct.error) as error:
        raise DataError("not a whole gzip file of IDX data", where=path, got=error) from None


def _parse(file: gzip.GzipFile, path: str | Path) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:3] != b"\0\0\x08" or not 1 <= magic[3] <= 4:
        raise DataError("not an IDX file of bytes", where=path, got=magic.hex(" "))
    shape = struct.unpack(f">{magic[3]}I", file.read(4 * magic[3]))
    size = prod(shape)
    if size > _MAX_BYTES:
        raise DataError("the IDX file states too much", where=path, got=shape)
    values = file.read(size + 1)
    if len(values) != size:
        problem = "ends early" if len(values) < size else "goes on after its end"
        raise DataError(f"the IDX file {problem}", where=path, expected=f"{size} values")
    return np.frombuffer(values, np.uint8).reshape(shape)


def load(root: str | Path | None = None) -> Data:
    """Return MNIST's 60,000 training and 10,000 test digits, 28×28.

    Args:
        root: folder of the four files `train-images-idx3-ubyte.gz`, …; `mnist/` under the folder
            that the environment variable GOSSAMER_DATA names, unless given.

    Raises:
        DataError: if a file is missing or cannot be read, or the files do not fit together.
    """
    folder = _default_root() if root is None else Path(root)
    (train, train_labels), (test, test_labels) = (
        _read_pair(folder, prefix) for prefix in ("train", "t10k")
    )
    mean, deviation = mean_and_deviation(train)
    height, width = train.shape[1:3]
    record = InputRecord(
        height, width, "L", mean=mean, deviation=deviation, class_names=tuple("0123456789")
    )
    return Data(Split(train, train_labels, record), Split(test, test_labels, record))


def _default_root() -> Path:
    if "GOSSAMER_DATA" not in os.environ:
        raise DataError(
            "no folder given", where="data set 'mnist'", hint="pass root=… or set GOSSAMER_DATA"
        )
    return Path(os.environ["GOSSAMER_DATA"]) / "mnist"


def _read_pair(folder: Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    images = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz")
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or images.size == 0:
        raise DataError(
            "images and labels do not fit together", where=folder, got=(images.shape, labels.shape)
        )
    return images[..., None], labels.astype(np.int64)
