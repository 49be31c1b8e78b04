"""Folders of pictures: `train/CLASS/*.jpg` and `test/CLASS/*.jpg` (or `val/`)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from gossamer.errors import DataError
from gossamer.images import InputRecord, read_pixels
from gossamer.train.data import Data, Split, mean_and_deviation
from gossamer.train.progress import track

_SUFFIXES = {".jpg", ".jpeg", ".png"}


def load(root: str | Path, size: int = 32, *, grey: bool = False, progress: bool = True) -> Data:
    """Read every picture of a folder into memory, in the order of its name.

    Args:
        root: has `train/` and one of `test/` and `val/`, each with one folder a class.
        size: H and W in pixels; other pictures are scaled (short side) and cropped to their centre.
        grey: read as one channel.
        progress: show a bar on a terminal.

    Raises:
        DataError: if a folder is missing or empty, the splits differ in classes, or a picture
            cannot be read.
    """
    root = Path(root)
    test = next((root / name for name in ("test", "val") if (root / name).is_dir()), root / "test")
    files = [_list_files(root / "train"), _list_files(test)]
    names = tuple(files[0])
    if tuple(files[1]) != names:
        raise DataError(
            "the splits differ in classes", where=test, got=list(files[1]), expected=list(names)
        )
    order, channels = ("L", 1) if grey else ("RGB", 3)
    # The pixels are read first; mean and deviation are theirs, and known only afterwards.
    zeros, ones = (0.0,) * channels, (1.0,) * channels
    record = InputRecord(size, size, order, class_names=names, mean=zeros, deviation=ones)
    arrays = [_read_all(split, record, progress=progress) for split in files]
    mean, deviation = mean_and_deviation(arrays[0][0])
    record = replace(record, mean=mean, deviation=deviation)
    return Data(*(Split(pixels, labels, record) for pixels, labels in arrays))


def _list_files(folder: Path) -> dict[str, list[Path]]:
    """Return the picture files of each class, sorted by class and name."""
    if not folder.is_dir():
        raise DataError(
            "no such folder", where=folder, hint="expected train/CLASS/*.jpg and test/CLASS/*.jpg"
        )
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    files = {
        path.name: sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES)
        for path in classes
    }
    empty = [name for name, found in files.items() if not found]
    if not files or empty:
        raise DataError(
            "no pictures", where=folder, got=empty or "no class folders", expected=sorted(_SUFFIXES)
        )
    return files


def _read_all(
    files: dict[str, list[Path]], record: InputRecord, *, progress: bool
) -> tuple[np.ndarray, np.ndarray]:
    paths = [path for found in files.values() for path in found]
    labels = np.repeat(np.arange(len(files)), [len(found) for found in files.values()])
    pixels = np.empty((len(paths), record.height, record.width, record.channels), np.uint8)
    with (
        track("reading pictures", len(paths), enabled=progress) as advance,
        ThreadPoolExecutor() as pool,
    ):
        # map() hands back at most what the pool has finished: each picture is stored and dropped.
        for index, picture in enumerate(pool.map(lambda path: read_pixels(path, record), paths)):
            pixels[index] = picture
            advance()
    return pixels, labels.astype(np.int64)
