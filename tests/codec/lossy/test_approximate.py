from dataclasses import replace

import numpy as np
import pytest

from gossamer.codec.lossy.approximate import Approximation
from gossamer.codec.lossy.options import LossyOptions
from gossamer.codec.read import decode
from gossamer.codec.write import encode
from gossamer.errors import GraphError, ShapeError, SpecError
from gossamer.graph import Codebook, Dense, verify
from gossamer.graph.rewrite.choose_layouts import choose_layouts


def rounded(graph, share):
    """The rival: weights to multiples of a share of their tensor's deviation, biases exact."""
    weights = dict(graph.weights)
    for name, layout in graph.weights.items():
        values = layout.to_dense()
        if values.ndim > 1:
            step = share * values.std()
            weights[name] = Dense(np.rint(values / step) * step)
    return choose_layouts(replace(graph, weights=weights))


def test_dearer_bits_make_smaller_files_and_larger_changes(net, images, change):
    approximation = Approximation(net, images[:32])
    graphs = [approximation.at(price) for price in (1e-6, 1e-4, 1e-2)]
    sizes = [len(encode(graph, "small")) for graph in graphs]
    changes = [change(net, graph, images) for graph in graphs]
    assert sizes[0] > sizes[1] > sizes[2]
    assert changes[0] < changes[1] < changes[2]
    assert changes[0] < 1e-2


def test_it_is_smaller_than_rounding_at_the_same_change_of_unseen_outputs(net, images, change):
    approximation, unseen = Approximation(net, images[:32]), images[32:]
    ours = approximation.at(1e-4)
    size, changed = len(encode(ours, "small")), change(net, ours, unseen)
    rivals = [rounded(net, share) for share in np.geomspace(0.02, 2, 12)]
    as_good = [rival for rival in rivals if change(net, rival, unseen) <= changed]
    assert 0 < len(as_good) < len(rivals)
    assert min(len(encode(rival, "small")) for rival in as_good) > 1.1 * size


def test_levels_are_codebooks_that_files_hold(net, images):
    graph = Approximation(net, images).at(1e-4)
    assert decode(encode(graph, "small")) == verify(graph) == decode(encode(graph, "fast"))
    for name in ("w0", "w1", "w2", "w3"):
        assert isinstance(graph.weights[name], Codebook)
    assert "mid.bias" in graph.weights


def test_fast_files_have_levels_without_a_trellis(net, images):
    small, fast = (Approximation(net, images, profile=p) for p in ("small", "fast"))
    assert (small.options.trellis, fast.options.trellis) == (True, False)
    assert Approximation(net, images).profile == "small"
    plain = Approximation(net, images, LossyOptions(trellis=False)).at(1e-4)
    assert fast.at(1e-4) == plain != small.at(1e-4)
    with pytest.raises(SpecError, match="profile"):
        Approximation(net, images, profile="tiny")


def test_it_tells_how_far_it_is_and_can_be_cancelled(net, images):
    told = []
    Approximation(net, images[:8]).at(1e-2, lambda *now: told.append(now))
    total = sum(net.weights[name].size for name in ("w0", "w1", "w2", "w3"))
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert len(told) == 4
    assert {of for _, of in told} == {total}
    assert told[-1][0] == total

    def stop(done, of):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        Approximation(net, images[:8]).at(1e-2, stop)


def test_the_same_seed_gives_the_same_graph(net, images):
    made = [
        Approximation(net, images, LossyOptions(places=300, seed=seed)).at(1e-4)
        for seed in (3, 3, 4)
    ]
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_zeros_stay_zeros(net, images, rng):
    sparse = net.weights["w1"].to_dense() * (rng.random((12, 12, 3, 3)) < 0.3)
    pruned = choose_layouts(replace(net, weights={**net.weights, "w1": Dense(sparse)}))
    graph = Approximation(pruned, images).at(1e-5)
    assert not graph.weights["w1"].to_dense()[sparse == 0].any()
    assert graph.weights["w1"].nonzeros > 0.5 * np.count_nonzero(sparse)


def test_what_is_shared_keeps_its_bits(small_graph, rng):
    images = rng.standard_normal((16, 3, 6, 6)).astype(np.float32)
    shape = small_graph.input.example
    graph = Approximation(small_graph, rng.standard_normal((16, *shape[1:]))).at(1e-4)
    assert images.dtype == np.float32
    assert graph.weights["w"] == small_graph.weights["w"]
    assert graph.weights["b"] == small_graph.weights["b"]  # a norm's shift, too
    assert graph.node("c1").weights["bias"] != "b"


@pytest.mark.parametrize("price", [0, -1.0, float("inf"), float("nan")])
def test_prices_are_positive(net, images, price):
    with pytest.raises(SpecError, match="bit_price"):
        Approximation(net, images).at(price)


def test_wrong_images_are_refused_before_work_starts(net, images):
    with pytest.raises(ShapeError):
        Approximation(net, images[:, :1])
    with pytest.raises(GraphError, match="not finite"):
        Approximation(net, np.full_like(images, np.nan))
