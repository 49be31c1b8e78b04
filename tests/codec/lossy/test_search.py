import numpy as np
import pytest

from gossamer.codec.lossy.approximate import Approximation
from gossamer.codec.lossy.search import code_to_accuracy, code_to_size, first_price, narrow
from gossamer.codec.write import encode
from gossamer.errors import SpecError
from gossamer.graph import interpret


@pytest.fixture
def approximation(net, images):
    return Approximation(net, images[:24])


@pytest.mark.parametrize("threshold", [3e-7, 0.9, 1.0, 2e5])
def test_prices_are_narrowed_down(threshold):
    low, high = narrow(lambda price: price >= threshold, 1.0)
    assert low < threshold <= high <= 1.03 * low


@pytest.mark.parametrize("answer", [True, False])
def test_a_threshold_that_is_nowhere_is_an_error(answer):
    with pytest.raises(SpecError, match="no price"):
        narrow(lambda price: answer, 1.0)


@pytest.mark.parametrize("size_bytes", [1300, 2000])
def test_files_come_near_the_asked_size(approximation, size_bytes):
    found = code_to_size(approximation, size_bytes)
    assert found.size_bytes == len(encode(found.graph))
    assert 0.95 * size_bytes <= found.size_bytes <= size_bytes


def test_impossible_sizes_are_errors(approximation):
    with pytest.raises(SpecError, match="100 bytes"):
        code_to_size(approximation, 100)


def agreement(net, images):
    wanted = interpret(net, images).argmax(axis=1)
    return lambda graph: float((interpret(graph, images).argmax(axis=1) == wanted).mean())


def test_the_accuracy_asked_for_is_kept(approximation, net, images):
    evaluate = agreement(net, images)
    found = code_to_accuracy(approximation, 0.9, evaluate)
    assert found.accuracy == evaluate(found.graph) >= 0.9
    finer = approximation.at(found.bit_price / 20)
    assert found.size_bytes < 0.8 * len(encode(finer))


def test_accuracy_that_the_network_has_not_is_refused(approximation):
    with pytest.raises(SpecError, match="itself"):
        code_to_accuracy(approximation, 0.9, lambda graph: 0.8)


def test_the_first_price_does_not_depend_on_the_batch_size(net, images, approximation):
    assert np.isclose(first_price(approximation), first_price(Approximation(net, images[:20])))


def test_accuracy_that_every_graph_has_gives_the_smallest_one_tried(approximation):
    found = code_to_accuracy(approximation, 0.2, lambda graph: 0.2)
    assert found.size_bytes < 1000
