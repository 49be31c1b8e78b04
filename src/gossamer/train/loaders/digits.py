"""scikit-learn's 1,797 real 8×8 handwritten digits, which come with the package."""

from __future__ import annotations

import numpy as np

from gossamer.errors import SpecError
from gossamer.images import InputRecord
from gossamer.train.data import Data, Split, mean_and_deviation

_TEST_SIZE = 360


def load(seed: int = 0) -> Data:
    """Return 1,437 training and 360 test digits, drawn in equal proportions from each class.

    The 17 grey levels 0…16 are spread over 0…255.

    Args:
        seed: of the draw, an integer from 0 to 2³² − 1.

    Raises:
        SpecError: if the seed is not an integer from 0 to 2³² − 1.

    Examples:
        >>> load().train.pixels.shape
        (1437, 8, 8, 1)
    """
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise SpecError("out of range", where="digits: seed", got=seed, expected=f"0…{2**32 - 1}")
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    levels, labels = (np.asarray(array) for array in load_digits(return_X_y=True))
    pixels = np.round(levels * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    labels = labels.astype(np.int64)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=_TEST_SIZE, stratify=labels, random_state=seed
    )
    mean, deviation = mean_and_deviation(pixels[train])
    record = InputRecord(
        8, 8, "L", mean=mean, deviation=deviation, resize="stretch", class_names=tuple("0123456789")
    )
    return Data(*(Split(pixels[part], labels[part], record) for part in (train, test)))
