import numpy as np
import pytest

from gossamer.bench.accuracy import accuracy, predict_classes
from gossamer.errors import DataError


@pytest.mark.parametrize("batch", [1, 3, 7, 100])
def test_every_batch_size_gives_the_same_classes(batch):
    scores = np.random.default_rng(0).normal(size=(17, 5)).astype(np.float32)
    predicted = predict_classes(lambda x: x, scores, batch=batch)
    assert predicted.tolist() == scores.argmax(axis=1).tolist()


def test_batches_are_contiguous_and_in_order():
    seen = []

    def predict(x):
        assert x.flags.c_contiguous
        seen.append(len(x))
        return np.zeros((len(x), 2))

    predict_classes(predict, np.zeros((2, 5)).T, batch=2)
    assert seen == [2, 2, 1]


def test_accuracy_is_the_fraction_right():
    assert accuracy(np.array([0, 1, 1]), np.array([0, 1, 2])) == pytest.approx(2 / 3)


@pytest.mark.parametrize("predicted", [np.zeros(0, int), np.zeros(2, int)])
def test_missing_labels_are_refused(predicted):
    with pytest.raises(DataError):
        accuracy(predicted, np.zeros(3, int) if predicted.size else predicted)


def test_no_images_are_refused():
    with pytest.raises(DataError, match="no images"):
        predict_classes(lambda x: x, np.zeros((0, 3)))
