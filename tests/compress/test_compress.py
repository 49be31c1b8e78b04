from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from gossamer.compress.cluster.share import ShareWeights
from gossamer.compress.compress import compress
from gossamer.compress.prune.gradual import GradualPrune
from gossamer.compress.quantise.binarise import Binarise
from gossamer.compress.quantise.quantise import QuantiseLayers
from gossamer.compress.repair import Repair
from gossamer.errors import DataError, PassError
from gossamer.train.recipe import Recipe

TRAINING = Recipe(epochs=2, batch_size=10, learning_rate=0.02)
NONE = Recipe(epochs=0)
RECIPE = (
    GradualPrune(0.8, every=2, training=TRAINING),
    ShareWeights(3, training=replace(TRAINING, optimiser="adamw", learning_rate=1e-3)),
)


def state(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_chain_on_a_copy(small_parent, small_data, small_example):
    before = state(small_parent)
    result = compress(small_parent, small_example, RECIPE, data=small_data)
    assert same(state(small_parent), before)
    assert type(result.model) is type(small_parent)
    assert list(result.model.state_dict()) == list(before)
    pruned, shared = result.ledger.entries
    assert pruned.asked["sparsity"] == 0.8
    assert pruned.got["sparsity"] == pytest.approx(0.8, abs=0.005)
    assert shared.got["distinct_values"] <= 8
    assert shared.before == pruned.after
    assert shared.accuracy_before == pruned.accuracy_after
    assert shared.after.nonzeros == pruned.after.nonzeros
    assert shared.after.effective_macs < shared.after.macs
    assert pruned.time_s > 0
    assert shared.accuracy_after > 0.9


def test_seed_decides(small_parent, small_data, small_example):
    def run(seed):
        return state(
            compress(small_parent, small_example, RECIPE, data=small_data, seed=seed).model
        )

    assert same(run(1), run(1))
    assert not same(run(1), run(2))


def test_epochs_are_reported(small_parent, small_data, small_example):
    seen = []
    compress(small_parent, small_example, RECIPE, data=small_data, on_epoch=seen.append)
    assert [record.epoch for record in seen] == [1, 2, 1, 2]


def test_interrupted_and_resumed_equals_uninterrupted(
    small_parent, small_data, small_example, tmp_path, monkeypatch
):
    class Killed(Exception):
        pass

    def kill(self, model, context):
        raise Killed

    def run(**options):
        return compress(small_parent, small_example, RECIPE, data=small_data, **options)

    through = run()
    with monkeypatch.context() as patch:
        patch.setattr(ShareWeights, "apply", kill)
        with pytest.raises(Killed):
            run(checkpoint=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pass-0-gradual-prune.safetensors"]
    with monkeypatch.context() as patch:
        patch.setattr(GradualPrune, "apply", kill)  # the finished pass must not run again
        resumed = run(checkpoint=tmp_path, resume=True)
    assert same(state(resumed.model), state(through.model))
    assert [replace(e, time_s=0) for e in resumed.ledger.entries] == [
        replace(e, time_s=0) for e in through.ledger.entries
    ]
    with monkeypatch.context() as patch:
        for kind in (GradualPrune, ShareWeights):
            patch.setattr(kind, "apply", kill)
        assert same(state(run(checkpoint=tmp_path, resume=True).model), state(through.model))


def test_finished_passes_of_something_else_are_refused(
    small_parent, small_data, small_example, tmp_path
):
    one_shot = GradualPrune(0.5, training=Recipe(epochs=0))

    def run(model=small_parent, step=one_shot, **options):
        options = {"checkpoint": tmp_path, "resume": True, **options}
        return compress(model, small_example, [step], **options)

    run()
    other = deepcopy(small_parent)
    torch.nn.init.ones_(other[0].weight)
    for wrong in ({"model": other}, {"step": replace(one_shot, sparsity=0.6)}, {"seed": 1}):
        with pytest.raises(PassError, match="another recipe, seed or network"):
            run(**wrong)
    run(seed=1, resume=False)
    path = tmp_path / "pass-0-gradual-prune.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="not a safetensors file"):
        run(seed=1)
    with pytest.raises(PassError, match="nothing to resume from"):
        run(checkpoint=None)


def test_what_is_no_module_and_no_folder(small_parent, small_example, tmp_path):
    with pytest.raises(PassError, match="not a module"):
        compress(None, small_example, [])
    (tmp_path / "file").touch()
    with pytest.raises(PassError, match="need a folder"):
        compress(small_parent, small_example, [], checkpoint=tmp_path / "file")


def test_an_example_may_be_an_array(small_parent, small_example):
    assert compress(small_parent, small_example.numpy(), []).ledger.entries == ()


def test_all_passes_are_checked_before_the_first_starts(
    small_parent, small_data, small_example, monkeypatch
):
    monkeypatch.setattr(GradualPrune, "apply", lambda *args: pytest.fail("work has begun"))
    bad = [RECIPE[0], replace(RECIPE[1], bits=99)]
    with pytest.raises(PassError, match="bits out of range"):
        compress(small_parent, small_example, bad, data=small_data)
    with pytest.raises(PassError, match="retraining needs data"):
        compress(small_parent, small_example, RECIPE)


def test_own_evaluation_and_none(small_parent, small_data, small_example):
    one_shot = [GradualPrune(0.5, training=Recipe(epochs=0))]
    given = compress(small_parent, small_example, one_shot, evaluate=lambda model: 0.25)
    assert given.ledger.entries[0].accuracy_after == 0.25
    none = compress(small_parent, small_example, one_shot)
    assert none.ledger.entries[0].accuracy_after is None


def test_an_empty_recipe_gives_a_copy(small_parent, small_example):
    result = compress(small_parent, small_example, [])
    assert result.model is not small_parent
    assert same(state(result.model), state(small_parent))


@pytest.fixture
def one_thread():
    """Steps this small lose time to a second thread when the machine is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits-plain", "digits-igc"])
def test_digits_within_one_point_over_three_seeds(name, one_thread):
    from gossamer.nets.create import create_model
    from gossamer.train.data import load_data
    from gossamer.train.evaluate import accuracy
    from gossamer.train.fit import fit

    dense, compact = [], []
    for seed in range(3):
        data = load_data("digits", seed=seed)
        parent = fit(create_model(name, seed=seed), data, Recipe(seed=seed))
        dense.append(accuracy(parent, data.test))
        result = compress(parent, data.test.batch([0])[0], "digits", data=data, seed=seed)
        compact.append(result.ledger.entries[-1].accuracy_after)
        assert result.ledger.entries[-1].after.sparsity == pytest.approx(0.9, abs=1e-4)
    assert sum(dense) / 3 >= 0.985
    assert sum(compact) / 3 >= sum(dense) / 3 - 0.01


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda model: model.double(), "0.weight: a parameter of another type"),
        (lambda model: model[3].bias.data.fill_(torch.nan), "3.bias: .* not finite"),
        (lambda model: torch.nn.utils.parametrizations.weight_norm(model[6]), "6: .* is computed"),
    ],
    ids=["type", "NaN", "computed"],
)  # fmt: skip
def test_networks_that_passes_cannot_work_on(small_parent, small_example, spoil, problem):
    model = deepcopy(small_parent)
    spoil(model)
    with pytest.raises(PassError, match=problem):
        compress(model, small_example, RECIPE)


@pytest.mark.parametrize(
    "step",
    [Binarise("twn", ends=True, training=NONE), Binarise("binary-connect", ends=True,
     training=NONE), Repair(training=NONE), QuantiseLayers(rounding="learned", steps=2)],
    ids=lambda step: step.name,
)  # fmt: skip
def test_the_order_of_bytes_in_memory_does_not_matter(
    small_parent, small_data, small_example, step
):
    moved = deepcopy(small_parent).to(memory_format=torch.channels_last)
    results = [
        compress(model, small_example, [step], data=small_data) for model in (small_parent, moved)
    ]
    assert same(*(state(result.model) for result in results))


def test_means_are_those_before_the_pass_once_a_pass_has_trained(small_data, small_example):
    """Nothing is removed by the second pass, so nothing is to be brought back."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(64, 2)
    )
    trained = GradualPrune(0.5, training=TRAINING)
    one, two = (
        compress(model, small_example, recipe, data=small_data).model
        for recipe in ([trained], [trained, GradualPrune(0.0, training=NONE)])
    )
    for key, value in one.state_dict().items():
        torch.testing.assert_close(two.state_dict()[key], value, rtol=1e-4, atol=1e-5)
