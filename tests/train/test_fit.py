from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from gossamer.errors import DataError, ShapeError, SpecError
from gossamer.images import InputRecord
from gossamer.train.data import Data, Split
from gossamer.train.fit import fit
from gossamer.train.recipe import Recipe

RECIPE = Recipe(epochs=4, batch_size=16, learning_rate=0.05)


@pytest.fixture(scope="module")
def data() -> Data:
    """Bright-left against bright-right pictures with noise."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 90)
    pixels = rng.integers(0, 120, (90, 6, 6, 1))
    for picture, label in zip(pixels, labels, strict=True):
        picture[:, 3 * label : 3 * label + 3] += 100
    record = InputRecord(6, 6, "L", mean=(0.4,), deviation=(0.2,), class_names=("left", "right"))
    pixels = pixels.astype(np.uint8)
    return Data(Split(pixels[:70], labels[:70], record), Split(pixels[70:], labels[70:], record))


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2),
            nn.Linear(64, 2),
        )  # fmt: skip


class Probe(nn.Module):
    """Notes in which type values come."""

    def __init__(self, seen: set[torch.dtype]) -> None:
        super().__init__()
        self.seen = seen

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.add(x.dtype)
        return x


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[key], b[key]) for key in a) and a.keys() == b.keys()


def test_learns_and_records(data):
    history = []
    model = network()
    assert fit(model, data, RECIPE, on_epoch=history.append) is model
    assert [record.epoch for record in history] == [1, 2, 3, 4]
    assert history[-1].loss < history[0].loss
    assert history[-1].accuracy > 0.9
    assert not model.training


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_stopped_and_resumed_equals_uninterrupted(data, tmp_path, optimiser):
    class Killed(Exception):
        pass

    def kill(record):
        if record.epoch == 2:
            raise Killed

    recipe = replace(RECIPE, optimiser=optimiser, learning_rate=0.01)
    through, resumed = [], []
    expected = weights(fit(network(), data, recipe, on_epoch=through.append))
    path = tmp_path / "run.safetensors"
    with pytest.raises(Killed):
        fit(network(), data, recipe, checkpoint=path, on_epoch=kill)
    model = fit(network(), data, recipe, checkpoint=path, resume=True, on_epoch=resumed.append)
    assert same(weights(model), expected)
    assert resumed == through


def test_seed_decides_and_the_global_generator_is_untouched(data):
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first = weights(fit(network(), data, RECIPE))
    assert torch.equal(torch.rand(1), expected)
    assert same(weights(fit(network(), data, RECIPE)), first)
    assert not same(weights(fit(network(), data, replace(RECIPE, seed=1))), first)


def test_after_step_sees_each_step_in_order(data):
    seen = []
    model = network()

    def look(step):
        assert step.model is model
        assert step.optimiser.state
        seen.append((step.index, step.total))

    fit(model, data, RECIPE, after_step=(look,))
    assert seen == [(index, 16) for index in range(16)]


def test_half_precision_is_of_the_computing_alone(data, tmp_path):
    seen = set()
    recipe = replace(RECIPE, precision="bfloat16", distil=0.5)
    models = [network(), network()]
    models[0].add_module("probe", Probe(seen))
    history, path = [], tmp_path / "run.safetensors"
    fit(models[0], data, recipe, teacher=models[1], on_epoch=history.append, checkpoint=path)
    assert seen == {torch.bfloat16, torch.float32}  # in training, in evaluation
    assert {value.dtype for value in models[0].parameters()} == {torch.float32}
    assert history[-1].accuracy > 0.9
    exact = weights(fit(network(), data, replace(RECIPE, distil=0.5), teacher=models[1]))
    assert not same(weights(models[0]), exact)
    again = fit(network(), data, recipe, teacher=models[1], checkpoint=path, resume=True)
    assert same(weights(again), weights(models[0]))


def test_no_epochs_change_nothing(data):
    assert same(weights(fit(network(), data, replace(RECIPE, epochs=0))), weights(network()))


def test_a_batch_larger_than_the_data_is_the_data(data):
    seen = []
    fit(network(), data, replace(RECIPE, batch_size=1000), after_step=(seen.append,))
    assert len(seen) == RECIPE.epochs


def test_resume_without_a_file_starts(data, tmp_path):
    path = tmp_path / "run.safetensors"
    fit(network(), data, replace(RECIPE, epochs=1), checkpoint=path, resume=True)
    assert path.exists()


def test_refuses_to_resume_wrongly(data, tmp_path):
    path = tmp_path / "run.safetensors"
    with pytest.raises(SpecError, match="nothing to resume from"):
        fit(network(), data, RECIPE, resume=True)
    fit(network(), data, RECIPE, checkpoint=path)
    with pytest.raises(SpecError, match=r"got \{'epochs': 4\}, expected \{'epochs': 9\}"):
        fit(network(), data, replace(RECIPE, epochs=9), checkpoint=path, resume=True)


def test_refuses_data_of_another_shape(data):
    with pytest.raises(ShapeError, match="does not take the pictures"):
        fit(nn.Conv2d(3, 10, 1), data, RECIPE)


def test_divergence_is_named(data):
    with pytest.raises(DataError, match=r"epoch \d: the loss is not finite"):
        fit(network(), data, replace(RECIPE, learning_rate=1e30))


def test_a_penalty_is_added_to_every_step(data):
    model, seen = network(), []

    def decay() -> torch.Tensor:
        seen.append(model.training)
        return 5 * model[5].weight.square().sum()

    fit(model, data, replace(RECIPE, weight_decay=0.0), penalties=(decay,))
    free = fit(network(), data, replace(RECIPE, weight_decay=0.0))
    assert seen == [True] * 16
    assert model[5].weight.norm() < 0.5 * free[5].weight.norm()


def test_a_teacher_comes_back_from_the_device_of_the_training(data):
    teacher, places = network(), []
    teacher.to = lambda place: places.append(str(place)) or teacher
    fit(network(), data, replace(RECIPE, epochs=1, distil=0.5), teacher=teacher)
    assert len(places) == 2
    assert places[1] == "cpu"


def test_a_teacher_is_asked_in_evaluation_mode_and_left_as_it_was(data):
    teacher = fit(network(), data, RECIPE)
    before = weights(teacher)
    taught = fit(network(), data, replace(RECIPE, distil=1.0), teacher=teacher.train())
    assert same(weights(teacher), before)
    x = data.test.batch(np.arange(20))[0]
    assert (taught(x).argmax(1) == teacher.eval()(x).argmax(1)).float().mean() > 0.9
    with pytest.raises(SpecError, match="distillation needs a teacher"):
        fit(network(), data, replace(RECIPE, distil=0.5))


def test_what_remembers_between_steps_is_resumed_too(data, tmp_path):
    class Counter:
        """Counts steps."""

        def __init__(self) -> None:
            self.steps = torch.zeros(1)

        def __call__(self, step):
            self.steps += 1

        def state_dict(self):
            return {"steps": self.steps}

        def load_state_dict(self, state):
            self.steps = state["steps"].clone()

    path = tmp_path / "a.safetensors"
    fit(network(), data, RECIPE, checkpoint=path, after_step=(lambda step: None, Counter()))
    counter = Counter()
    resumed = fit(
        network(), data, RECIPE, checkpoint=path, resume=True,
        after_step=(lambda step: None, counter),
    )  # fmt: skip
    assert counter.steps.item() == 16
    assert not resumed.training
