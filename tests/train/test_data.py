from dataclasses import replace

import numpy as np
import pytest
import torch

from gossamer.errors import DataError, SpecError, UnknownNameError
from gossamer.images import InputRecord
from gossamer.train.data import Data, Split, load_data, mean_and_deviation

RECORD = InputRecord(4, 3, "RGB", mean=(0.1, 0.2, 0.3), class_names=("a", "b"))


def split(n: int = 5) -> Split:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (n, 4, 3, 3)).astype(np.uint8)
    return Split(pixels, np.arange(n) % 2, RECORD)


def test_batch_is_normalised_and_matches_items():
    images, labels = split().batch(np.array([3, 1]))
    assert images.dtype == torch.float32
    assert images.shape == (2, 3, 4, 3)
    assert labels.tolist() == [1, 1]
    item, label = split()[3]
    assert torch.equal(item, images[0])
    assert label == 1
    expected = split().pixels[3].transpose(2, 0, 1) / 255 - np.reshape([0.1, 0.2, 0.3], (3, 1, 1))
    np.testing.assert_allclose(item.numpy(), expected, atol=1e-6)


def test_works_in_a_torch_loader():
    batches = list(torch.utils.data.DataLoader(split(), batch_size=2))
    assert [len(labels) for _, labels in batches] == [2, 2, 1]


@pytest.mark.parametrize(
    ("pixels", "labels"),
    [
        (np.zeros((2, 4, 3, 3), np.float32), np.array([0, 1])),
        (np.zeros((2, 3, 4, 3), np.uint8), np.array([0, 1])),
        (np.zeros((2, 4, 3, 3), np.uint8), np.array([0])),
        (np.zeros((0, 4, 3, 3), np.uint8), np.zeros(0, np.int64)),
        (np.zeros((2, 4, 3, 3), np.uint8), np.array([0, 2])),
        (np.zeros((2, 4, 3, 3), np.uint8), np.array([-1, 0])),
    ],
)
def test_refuses_what_does_not_fit(pixels, labels):
    with pytest.raises(DataError):
        Split(pixels, labels, RECORD)


def test_splits_must_agree():
    other = Split(split().pixels, split().labels, replace(RECORD, scale=1.0))
    with pytest.raises(DataError, match="different input records"):
        Data(split(), other)


def test_mean_and_deviation_match_numpy():
    pixels = split(7).pixels
    mean, deviation = mean_and_deviation(pixels)
    np.testing.assert_allclose(mean, (pixels / 255).mean((0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(deviation, (pixels / 255).std((0, 1, 2)), atol=1e-4)


def test_a_flat_channel_has_deviation_one():
    assert mean_and_deviation(np.full((1, 2, 2, 1), 51, np.uint8)) == ((0.2,), (1.0,))


def test_unknown_names_and_options():
    with pytest.raises(UnknownNameError, match="did you mean 'digits'"):
        load_data("digit")
    with pytest.raises(SpecError, match="data set 'digits'"):
        load_data("digits", root="x")
