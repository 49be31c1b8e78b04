import pytest

from gossamer.errors import SpecError, UnknownNameError
from gossamer.nets.create import create_model


def test_unknown_name_names_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'digits-plain'"):
        create_model("digit-plain")


@pytest.mark.parametrize("value", [0, -1, 2.5, "10"])
@pytest.mark.parametrize("option", ["num_classes", "in_channels"])
def test_counts_must_be_positive_integers(option, value):
    with pytest.raises(SpecError, match=option):
        create_model("digits-plain", **{option: value})


@pytest.mark.parametrize("seed", [10**30, "a", None, 1.5])
def test_seeds_are_integers(seed):
    with pytest.raises(SpecError, match="seed"):
        create_model("digits-plain", seed=seed)


@pytest.mark.parametrize("name", [None, 3])
def test_names_are_text(name):
    with pytest.raises(UnknownNameError, match="unknown network"):
        create_model(name)


def test_unknown_option_lists_the_known_ones():
    with pytest.raises(SpecError, match=r"unexpected.*'depht'.*'width'"):
        create_model("digits-plain", depht=3)


def test_options_reach_the_family():
    assert create_model("digits-plain", width=16).head.in_features == 16
    assert create_model("digits-igc", primary=2, secondary=4).head.in_features == 8


@pytest.mark.parametrize("width", [-1, "a", 2.5, None])
def test_options_that_no_network_can_have_are_named(width):
    with pytest.raises(SpecError, match="digits-plain"):
        create_model("digits-plain", width=width)
