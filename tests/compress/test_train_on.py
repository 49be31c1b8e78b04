"""A pass that is interrupted in the middle of a training goes on there, with the same result."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

import gossamer.train.fit as fitting
from gossamer.compress.cluster.hash import HashWeights
from gossamer.compress.cluster.share import ShareWeights
from gossamer.compress.compress import compress
from gossamer.compress.contract import Context
from gossamer.compress.factor.factor import Factor
from gossamer.compress.neurons.truncate import TruncateActivations
from gossamer.compress.prune.dynamic import DynamicSparse
from gossamer.compress.prune.gradual import GradualPrune
from gossamer.compress.prune.hard_concrete import L0Prune
from gossamer.compress.prune.lottery import LotteryTicket
from gossamer.compress.quantise.binarise import Binarise
from gossamer.compress.quantise.quantise import QuantiseLayers
from gossamer.compress.repair import Repair
from gossamer.compress.resume import PassStore
from gossamer.compress.train_on import train_on
from gossamer.errors import DataError
from gossamer.train.recipe import Recipe

TRAINING = Recipe(epochs=3, batch_size=20, learning_rate=0.02)
PASSES = [
    GradualPrune(0.8, every=2, regrow=True, ramp=0.9, training=TRAINING),
    DynamicSparse(0.7, growth="random", every=2, training=TRAINING),
    LotteryTicket(0.5, 0.3, rewind=0.5, training=TRAINING),
    L0Prune(gate_rate=0.2, training=TRAINING),
    ShareWeights(3, training=replace(TRAINING, optimiser="adamw", learning_rate=1e-3)),
    HashWeights(training=replace(TRAINING, optimiser="adamw", learning_rate=1e-3)),
    TruncateActivations(training=TRAINING),
    QuantiseLayers(4, training=TRAINING),
    Binarise(training=TRAINING),
    Repair(images=40, training=replace(TRAINING, distil=0.5)),
]


class Killed(Exception):
    pass


def run(parent, example, step, data, **options):
    return compress(parent, example, [step], data=data, progress=False, **options)


@pytest.mark.parametrize("step", PASSES, ids=lambda step: step.name)
@pytest.mark.parametrize("survived", [1, 4])
def test_resumed_equals_uninterrupted(
    small_parent, small_data, small_example, tmp_path, monkeypatch, step, survived
):
    """Killed behind some epoch: in the first training, or in the second where there is one."""
    epochs: list[int] = []
    whole = fitting._Loop.run_epoch

    def counted(loop, epoch):
        epochs.append(epoch)
        return whole(loop, epoch)

    monkeypatch.setattr(fitting._Loop, "run_epoch", counted)
    through = run(small_parent, small_example, step, small_data)
    total = len(epochs)
    if survived >= total:
        pytest.skip("one training only")

    def killed(loop, epoch):
        if len(epochs) == survived:
            raise Killed
        return counted(loop, epoch)

    epochs.clear()
    with monkeypatch.context() as patch:
        patch.setattr(fitting._Loop, "run_epoch", killed)
        with pytest.raises(Killed):
            run(small_parent, small_example, step, small_data, checkpoint=tmp_path)
    names = [path.name for path in tmp_path.iterdir()]
    assert names
    assert all(name.startswith(f"pass-0-{step.name}.training-") for name in names)
    again = run(small_parent, small_example, step, small_data, checkpoint=tmp_path, resume=True)
    assert len(epochs) == total  # none was trained twice
    states = [result.model.state_dict() for result in (through, again)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert [path.name for path in tmp_path.iterdir()] == [f"pass-0-{step.name}.safetensors"]


def test_a_pass_that_measures_time_chooses_as_before(
    small_parent, small_data, small_example, tmp_path, monkeypatch
):
    """The clock goes otherwise when the pass is played again: small ranks are then slow."""
    dear = [False]

    def time_ms(module, x):
        weights = float(sum(p.numel() for p in module.parameters()))
        return 1000.0 - weights if dear[0] else weights

    step = Factor("svd", of="time", amount=0.1, reconstruct=False, training=TRAINING)
    options = {"time_ms": time_ms, "checkpoint": tmp_path}
    evaluated = iter(range(2))  # before the pass, and behind its first epoch
    whole = fitting.accuracy

    def killed(*args):
        if next(evaluated) == 1:
            raise Killed
        return whole(*args)

    through = run(small_parent, small_example, step, small_data, time_ms=time_ms)
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "accuracy", killed)
        with pytest.raises(Killed):
            run(small_parent, small_example, step, small_data, **options)
    assert any(path.suffix == ".json" for path in tmp_path.iterdir())
    dear[0] = True
    again = run(small_parent, small_example, step, small_data, resume=True, **options)
    states = [result.model.state_dict() for result in (through, again)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert [path.name for path in tmp_path.iterdir()] == ["pass-0-factor.safetensors"]


@pytest.mark.parametrize("text", ["", "{", "7", '["x"]', "[[1]]"])
def test_damaged_times_are_a_named_error(tmp_path, text):
    store = PassStore(tmp_path, torch.nn.Linear(2, 2), (PASSES[0],), 0)
    store.clock(0, lambda module, x: 1.0)(torch.nn.ReLU(), torch.zeros(1))
    (path,) = tmp_path.iterdir()
    path.write_text(text)
    with pytest.raises(DataError, match="not times"):
        store.clock(0, lambda module, x: 1.0)


def test_without_resume_and_with_another_recipe_it_begins_anew(
    small_parent, small_data, small_example, tmp_path, monkeypatch
):
    step = PASSES[0]
    monkeypatch.setattr(fitting, "accuracy", lambda *args: (_ for _ in ()).throw(Killed))
    (tmp_path / f"pass-0-{step.name}.training-0-0123456789ab.safetensors").write_bytes(b"other")
    with pytest.raises(Killed):
        run(small_parent, small_example, step, small_data, checkpoint=tmp_path, resume=True)
    with pytest.raises(Killed):
        run(small_parent, small_example, step, small_data, checkpoint=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_parent_teaches(small_parent, small_data, small_example):
    """With all of the loss from the parent, a network that was disturbed answers as it does."""
    x = small_example
    disturbed = deepcopy(small_parent)
    with torch.no_grad():
        disturbed[3].weight.mul_(0.5)
    before = (disturbed.eval()(x) - small_parent(x)).abs().max()
    context = Context(x, small_data, progress=False, parent=small_parent)
    taught = Recipe(epochs=6, batch_size=20, learning_rate=0.05, distil=1.0, label_smoothing=0.0)
    train_on(disturbed, context, taught)
    softmax = [torch.softmax(model(x), 1) for model in (disturbed, small_parent)]
    assert (softmax[0] - softmax[1]).abs().max() < 0.1
    assert before > 0.1
