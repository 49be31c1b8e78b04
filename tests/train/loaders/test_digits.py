import numpy as np
import pytest

from gossamer.errors import SpecError
from gossamer.train.loaders.digits import load


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "a", None])
def test_refuses_seeds(seed):
    with pytest.raises(SpecError, match="digits: seed"):
        load(seed=seed)


def test_stratified_disjoint_and_seeded():
    data, again, other = load(seed=1), load(seed=1), load(seed=2)
    assert (len(data.train), len(data.test)) == (1437, 360)
    assert np.bincount(data.test.labels).min() >= 34
    assert np.array_equal(data.test.pixels, again.test.pixels)
    assert not np.array_equal(data.test.pixels, other.test.pixels)
    together = np.concatenate([data.train.pixels, data.test.pixels]).astype(int).sum()
    assert together == np.concatenate([other.train.pixels, other.test.pixels]).astype(int).sum()


def test_record_normalises_the_training_pixels():
    data = load()
    images, _ = data.train.batch(np.arange(len(data.train)))
    assert abs(images.mean()) < 1e-3
    assert abs(images.std() - 1) < 1e-3
    assert data.train.pixels.max() == 255
    assert data.class_names == tuple("0123456789")
