import numpy as np
import pytest
from PIL import Image

from gossamer.errors import DataError, SpecError
from gossamer.train.loaders.folders import load


def write(root, split, name, n, size=(8, 8)):
    folder = root / split / name
    folder.mkdir(parents=True)
    rng = np.random.default_rng(len(name))
    for index in range(n):
        pixels = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:03}.png")
    return folder


@pytest.fixture
def root(tmp_path):
    for split, n in (("train", 3), ("val", 2)):
        write(tmp_path, split, "cat", n)
        write(tmp_path, split, "ant", n + 1)
    return tmp_path


def test_classes_and_files_in_order_of_name(root):
    data = load(root, size=8)
    assert data.class_names == ("ant", "cat")
    assert data.train.labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert len(data.test) == 5
    with Image.open(root / "train" / "cat" / "001.png") as picture:
        assert np.array_equal(data.train.pixels[5], np.asarray(picture))


def test_test_folder_is_preferred_over_val(root):
    write(root, "test", "cat", 1)
    write(root, "test", "ant", 1)
    assert len(load(root, size=8).test) == 2


def test_other_sizes_and_grey(root):
    write(root, "train", "bee", 2, size=(20, 11))
    write(root, "val", "bee", 2, size=(5, 30))
    data = load(root, size=6, grey=True)
    assert data.train.pixels.shape == (9, 6, 6, 1)
    assert len(data.record.mean) == 1


def test_missing_empty_and_unlike_splits(root, tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        load(tmp_path / "nowhere")
    (root / "train" / "dog").mkdir()
    with pytest.raises(DataError, match="no pictures"):
        load(root)
    write(root, "train", "dog2", 1)
    (root / "train" / "dog").rmdir()
    with pytest.raises(DataError, match="differ in classes"):
        load(root)


def test_a_file_that_is_no_picture_is_named(root):
    (root / "train" / "cat" / "bad.jpg").write_bytes(b"\xff\xd8 no picture")
    with pytest.raises(DataError, match=r"bad\.jpg"):
        load(root, size=8)


def test_size_must_be_positive(root):
    with pytest.raises(SpecError):
        load(root, size=0)
