import numpy as np
import pytest

from gossamer.train.augment import crop_mirror, shift
from gossamer.train.registry import AUGMENTS


@pytest.fixture
def pixels():
    return np.random.default_rng(1).integers(1, 256, (40, 5, 6, 2)).astype(np.uint8)


@pytest.mark.parametrize("name", list(AUGMENTS))
def test_same_seed_same_pictures_and_the_input_is_kept(name, pixels):
    before = pixels.copy()
    first, second = (AUGMENTS[name](pixels, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.shape == pixels.shape
    assert first.dtype == np.uint8
    assert np.array_equal(pixels, before)


def test_shift_gives_every_offset_and_nothing_else(pixels):
    moved = shift(pixels, np.random.default_rng(0), reach=1)
    padded = np.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)))
    seen = set()
    for picture, frame in zip(moved, padded, strict=True):
        matches = [
            (y, x)
            for y in range(3)
            for x in range(3)
            if np.array_equal(picture, frame[y : y + 5, x : x + 6])
        ]
        assert len(matches) == 1
        seen.update(matches)
    assert len(seen) == 9


def test_crop_mirror_mirrors_about_half():
    ramp = np.broadcast_to(np.arange(1, 33, dtype=np.uint8)[None, None, :, None], (200, 32, 32, 1))
    moved = crop_mirror(ramp, np.random.default_rng(0))
    falling = (moved[:, 16, 15, 0] > moved[:, 16, 16, 0]).sum()
    assert 70 < falling < 130
