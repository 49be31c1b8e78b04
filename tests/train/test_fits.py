import pytest
import torch
from torch import nn

from gossamer.errors import ShapeError, SpecError
from gossamer.nets.create import create_model
from gossamer.train.data import load_data
from gossamer.train.fits import check_fits


@pytest.fixture(scope="module")
def data():
    return load_data("digits")


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (nn.Conv2d(3, 10, 1), r"does not take the pictures .*\(1, 1, 8, 8\).*3 channels"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 9)), "few classes .got 9, expected 10"),
        (nn.Flatten(0), "does not give logits"),
    ],
)
def test_what_does_not_fit_is_said(data, model, problem):
    with pytest.raises(ShapeError, match=problem):
        check_fits(model, data)


def test_what_is_no_network_and_no_data(data):
    with pytest.raises(SpecError, match="not a module"):
        check_fits(None, data)
    with pytest.raises(SpecError, match="load_data"):
        check_fits(nn.Flatten(), "digits")


def test_what_fits_stays_as_it_was(data):
    model = create_model("digits-plain", num_classes=11)
    model[0].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    check_fits(model, data)
    assert model.training
    assert not model[0].training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
