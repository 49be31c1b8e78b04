import json
from math import nan

import pytest

from gossamer.errors import SpecError, UnknownNameError
from gossamer.train.recipe import Recipe


def test_json_round_trip():
    recipe = Recipe(epochs=3, optimiser="adamw", schedule="step", augment="none", seed=7)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize(
    "data",
    [
        {"epochs": -1},
        {"batch_size": 0},
        {"learning_rate": -0.1},
        {"learning_rate": nan},
        {"momentum": 1.5},
        {"label_smoothing": 2.0},
        {"warmup": float("inf")},
        {"seed": -1},
        {"epoch": 3},
    ],
)
def test_refuses(data):
    with pytest.raises(SpecError, match="recipe"):
        Recipe.from_dict(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [("epochs", "3"), ("epochs", 1.5), ("epochs", True), ("seed", None), ("learning_rate", "0.1")],
)
def test_refuses_other_types(field, value):
    with pytest.raises(SpecError, match=f"recipe: {field}"):
        Recipe(**{field: value})


@pytest.mark.parametrize("field", ["optimiser", "schedule", "augment", "precision"])
def test_refuses_unknown_names(field):
    with pytest.raises(UnknownNameError, match="'nothing'"):
        Recipe.from_dict({field: "nothing"})
