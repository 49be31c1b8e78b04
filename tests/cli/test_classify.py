import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gossamer.cli.classify import classify
from gossamer.errors import DataError


@given(arrays(np.float32, (3, 5), elements=st.floats(-1e4, 1e4, width=32)))
def test_probabilities_sum_to_one_and_fall(outputs):
    for row, guesses in zip(outputs, classify(outputs, (), 5), strict=True):
        probabilities = [guess["probability"] for guess in guesses]
        assert sum(probabilities) == pytest.approx(1)
        assert probabilities == sorted(probabilities, reverse=True)
        assert row[int(guesses[0]["class"])] == row.max()


def test_names_of_another_number_of_classes_are_not_used():
    assert classify(np.array([[0.0, 1.0]]), ("only",), 1)[0][0]["class"] == "1"


def test_outputs_with_a_pixel_axis_are_taken():
    assert classify(np.ones((1, 2, 1, 1)), ("a", "b"), 2)[0][1]["class"] == "b"


@pytest.mark.parametrize("output", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_not_finite_are_said(output):
    with pytest.raises(DataError, match="not finite"):
        classify(np.array([[0.0, output]]), (), 1)
