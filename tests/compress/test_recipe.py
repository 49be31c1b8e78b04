import json

import pytest

from gossamer.compress.cluster.share import ShareWeights
from gossamer.compress.prune.gradual import GradualPrune
from gossamer.compress.recipe import (
    load_recipe,
    recipe_from_text,
    recipe_to_dict,
    recipe_to_text,
    shipped_recipes,
)
from gossamer.errors import DataError, PassError, SpecError, UnknownNameError
from gossamer.train.recipe import Recipe

RECIPE = (
    GradualPrune(0.75, "uniform", include=("a", "b"), training=Recipe(epochs=2)),
    ShareWeights(5, "density"),
)


def test_round_trips(tmp_path):
    assert recipe_from_text(recipe_to_text(RECIPE)) == RECIPE
    assert load_recipe(recipe_to_dict(RECIPE)) == RECIPE
    assert recipe_from_text(json.dumps(recipe_to_dict(RECIPE))) == RECIPE
    (tmp_path / "mine.yaml").write_text(recipe_to_text(RECIPE))
    assert load_recipe(tmp_path / "mine.yaml") == load_recipe(str(tmp_path / "mine.yaml")) == RECIPE
    assert load_recipe(list(RECIPE)) == RECIPE


@pytest.mark.parametrize("name", ["deep-compression", "digits"])
def test_two_shipped_recipes_prune_then_share(name):
    prune, share = load_recipe(name)
    assert isinstance(prune, GradualPrune)
    assert isinstance(share, ShareWeights)
    assert prune.sparsity == 0.9


def test_the_shipped_ones():
    known = ["binary", "channels", "deep-compression", "digits"]
    known += ["gradual", "int8", "low-rank", "one-shot"]
    assert shipped_recipes() == known
    assert all(load_recipe(name) for name in known)
    (step,) = load_recipe("channels")
    assert (step.name, step.of, step.amount) == ("remove-channels", "macs", 0.5)


@pytest.mark.parametrize(
    ("text", "error", "problem"),
    [
        ("passes: [", SpecError, "not YAML"),
        ("!!python/object/apply:os.system [ls]", SpecError, "not YAML"),
        ("3", SpecError, "a recipe is a mapping"),
        ("", SpecError, "a recipe is a mapping"),
        ("steps: []", SpecError, "one list, 'passes'"),
        ("passes: {}", SpecError, "one list, 'passes'"),
        ("passes: [3]", SpecError, "pass 0: .*its name under 'pass'"),
        ("passes: []\npasses: []", SpecError, "from line 1: a key is given twice .got .'passes'"),
        ("passes:\n- {pass: prune, sparsity: 0.5, sparsity: 0.9}", SpecError, "line 2: .*twice"),
        ("passes: [{sparsity: 0.5}]", SpecError, "its name under 'pass'"),
        ("passes: [{pass: gradual-prun}]", UnknownNameError, "did you mean 'gradual-prune'"),
        ("passes: [{pass: [1]}]", SpecError, "its name under 'pass'"),
        ("passes: [{pass: gradual-prune, spars: 0.5}]", SpecError, "unknown option 'spars'"),
        ("passes: [{pass: gradual-prune, sparsity: high}]", SpecError, "sparsity: wrong type"),
        (
            "passes: [{pass: gradual-prune, training: {epoch: 1}}]",
            SpecError,
            "unknown option 'epoch'",
        ),
    ],
)
def test_unusable_text_is_a_named_error(text, error, problem):
    with pytest.raises(error, match=problem):
        recipe_from_text(text)


def test_unknown_names_and_missing_files(tmp_path):
    with pytest.raises(UnknownNameError, match="known: binary"):
        load_recipe("nothing")
    with pytest.raises(UnknownNameError, match="did you mean 'gradual'"):
        load_recipe("gradul")
    with pytest.raises(DataError, match="cannot read the recipe"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "none.YML").write_text("passes: []")
    assert load_recipe(tmp_path / "none.YML") == ()
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(DataError, match="cannot read the recipe"):
        load_recipe(tmp_path / "bad.yaml")


@pytest.mark.parametrize(
    "source",
    [None, 3, object(), ["prune"], [{"pass": "prune"}], [load_recipe], [type("P", (), {})]],
)
def test_what_is_no_recipe(source):
    with pytest.raises(SpecError, match="not a"):
        load_recipe(source)


def test_an_impossible_number_is_the_passes_own_business(small_parent, small_example):
    from gossamer.compress.compress import compress

    text = "passes: [{pass: gradual-prune, sparsity: 1.0, training: {epochs: 0}}]"
    with pytest.raises(PassError, match="sparsity out of range"):
        compress(small_parent, small_example, recipe_from_text(text))
