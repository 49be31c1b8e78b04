from dataclasses import replace

import numpy as np
import pytest

from gossamer.codec.lossy.walk import check_images, last_readers, run_all, run_changed
from gossamer.errors import GraphError, ShapeError
from gossamer.graph import Dense, interpret


def test_every_value_is_the_interpreters(net, images):
    values: dict[str, np.ndarray] = {}
    interpret(net, images, values=values)
    found = run_all(net, images)
    assert found.keys() == values.keys()
    for name, value in values.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-4 * np.abs(value).max())


def test_what_follows_a_change_is_run_again(net, images):
    changed = replace(net, weights={**net.weights, "w1": Dense(2 * net.weights["w1"].to_dense())})
    values, wanted = run_all(net, images), run_all(changed, images)
    output = run_changed(net, values, "mid", wanted["mid"])
    assert np.array_equal(output, wanted["out"])
    assert np.array_equal(run_changed(net, values, "out", wanted["out"]), wanted["out"])


def test_values_are_needed_until_their_last_reader(net):
    assert last_readers(net) == {
        "x": "stem", "stem": "sum", "mid": "sum", "sum": "down", "down": "pool", "pool": "flat",
        "flat": "out", "out": "",
    }  # fmt: skip


@pytest.mark.parametrize("shape", [(0, 2, 8, 8), (4, 3, 8, 8), (4, 2, 8), (2, 8, 8)])
def test_other_images_are_refused(net, shape):
    with pytest.raises(ShapeError, match="images"):
        check_images(net, np.zeros(shape))


def test_values_that_are_not_finite_are_refused(net, images):
    images[3, 0, 0, 0] = np.inf
    with pytest.raises(GraphError, match=r"'stem'.*not finite"):
        run_all(net, images)
