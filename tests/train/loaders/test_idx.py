import gzip
import os
import struct

import numpy as np
import pytest

from gossamer.errors import DataError
from gossamer.train.data import load_data
from gossamer.train.loaders.idx import load, read_idx


def idx_bytes(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for prefix, n in (("train", 6), ("t10k", 3)):
        images, labels = rng.integers(0, 256, (n, 5, 4)), rng.integers(0, 10, n)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            path = tmp_path / f"{prefix}-{name}-ubyte.gz"
            path.write_bytes(gzip.compress(idx_bytes(array)))
    return tmp_path


def test_round_trip(root):
    data = load(root)
    assert data.train.pixels.shape == (6, 5, 4, 1)
    assert data.test.labels.shape == (3,)
    assert (data.record.height, data.record.width) == (5, 4)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not an IDX file"),
        (b"\0\0\x08", "not an IDX file"),
        (b"\0\0\x0d\x01" + bytes(8), "not an IDX file"),
        (b"\1\0\x08\x01" + bytes(8), "not an IDX file"),
        (b"\0\0\x08\x00", "not an IDX file"),
        (b"\0\0\x08\xff" + bytes(2000), "not an IDX file"),
        (b"\0\0\x08\x03\0\0", "not a whole"),
        (b"\0\0\x08\x01\0\0\0\x05abc", "ends early"),
        (b"\0\0\x08\x01\0\0\0\x02abc", "goes on"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "states too much"),
    ],
)
def test_hostile_content(tmp_path, content, problem):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=problem):
        read_idx(path)


def test_every_truncation_is_a_named_error(tmp_path):
    whole = gzip.compress(idx_bytes(np.arange(30).reshape(5, 6)))
    path = tmp_path / "x.gz"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError):
            read_idx(path)


def test_not_gzip_and_missing(tmp_path):
    (tmp_path / "x.gz").write_bytes(b"hello")
    with pytest.raises(DataError, match="not a whole gzip"):
        read_idx(tmp_path / "x.gz")
    with pytest.raises(DataError, match="no such file"):
        load(tmp_path / "nowhere")
    with pytest.raises(DataError, match="not a whole gzip"):
        read_idx(tmp_path)


def test_images_and_labels_must_fit(root):
    labels = gzip.compress(idx_bytes(np.zeros(5)))
    (root / "train-labels-idx1-ubyte.gz").write_bytes(labels)
    with pytest.raises(DataError, match="do not fit"):
        load(root)


def test_root_comes_from_the_environment(root, monkeypatch):
    monkeypatch.delenv("GOSSAMER_DATA", raising=False)
    with pytest.raises(DataError, match="GOSSAMER_DATA"):
        load()
    (root / "mnist").mkdir()
    for path in root.glob("*.gz"):
        path.rename(root / "mnist" / path.name)
    monkeypatch.setenv("GOSSAMER_DATA", str(root))
    assert len(load().train) == 6


@pytest.mark.skipif("GOSSAMER_DATA" not in os.environ, reason="GOSSAMER_DATA is not set")
def test_real_mnist():
    data = load_data("mnist")
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    assert data.record.mean == pytest.approx((0.1307,), abs=1e-4)
    assert data.record.deviation == pytest.approx((0.3081,), abs=1e-4)
    assert np.bincount(data.test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
