from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.create import create_model
from gossamer.nets.weights import load_weights


def small() -> nn.Module:
    return create_model("resnet-20-cifar", depth=8, width=4, option="B")


def renamed(model: nn.Module, rename) -> OrderedDict[str, torch.Tensor]:
    return OrderedDict((rename(key), value) for key, value in model.state_dict().items())


def torchvision_names(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the state dict of a CIFAR ResNet under torchvision's names."""
    names = {"stem.conv": "conv1", "stem.norm": "bn1", "head": "fc"}
    units = len(model.blocks)
    for i in range(units):
        place = f"layer{1 + 3 * i // units}.{i % (units // 3)}"
        for j in (1, 2):
            names[f"blocks.{i}.body.conv{j}"] = f"{place}.conv{j}"
            names[f"blocks.{i}.body.norm{j}"] = f"{place}.bn{j}"
        names[f"blocks.{i}.shortcut.conv"] = f"{place}.downsample.0"
        names[f"blocks.{i}.shortcut.norm"] = f"{place}.downsample.1"

    def rename(key: str) -> str:
        module, _, role = key.rpartition(".")
        return f"{names[module]}.{role}"

    return renamed(model, rename)


def equal(a: nn.Module, b: nn.Module) -> bool:
    x, y = a.state_dict(), b.state_dict()
    return all(torch.equal(x[key], y[key]) for key in x)


@pytest.fixture
def donor() -> nn.Module:
    """Give a network all of whose tensors differ from those of `small()`."""
    model = small()
    generator = torch.Generator().manual_seed(7)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator))
    return model


def test_own_names_in_any_order(donor, tmp_path):
    save_file(donor.state_dict(), tmp_path / "net.safetensors")
    model = small()
    assert load_weights(model, tmp_path / "net.safetensors") is model
    assert equal(model, donor)


@pytest.mark.parametrize("kind", ["safetensors", "torch"])
def test_names_of_torchvision(donor, tmp_path, kind):
    state = torchvision_names(donor)
    if kind == "torch":
        torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "net")
    else:
        save_file(state, tmp_path / "net")
    assert equal(load_weights(small(), tmp_path / "net"), donor)


def test_unknown_names_go_by_the_order_of_a_torch_file(donor, tmp_path):
    state = renamed(donor, lambda key: "z" + key.replace(".", "_", key.count(".") - 1))
    torch.save(state, tmp_path / "net.pth")
    assert equal(load_weights(small(), tmp_path / "net.pth"), donor)
    save_file(state, tmp_path / "net.safetensors")
    with pytest.raises(SpecError, match="do not tell the order"):
        load_weights(small(), tmp_path / "net.safetensors")


def test_counters_of_batches_may_be_missing(donor, tmp_path):
    state = {k: v for k, v in donor.state_dict().items() if "num_batches" not in k}
    torch.save(state, tmp_path / "net.pth")
    assert equal(load_weights(small(), tmp_path / "net.pth"), donor)


def test_half_precision_becomes_float(donor, tmp_path):
    torch.save({k: v.half() for k, v in donor.state_dict().items()}, tmp_path / "net.pth")
    model = load_weights(small(), tmp_path / "net.pth")
    assert model.head.weight.dtype == torch.float32
    assert torch.equal(model.head.weight, donor.head.weight.half().float())


@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize(
    ("options", "key", "foreign_key", "message"),
    [
        ({"num_classes": 7}, "head.weight", "fc.weight", r"\(7, 16\), expected .* \(10, 16\)"),
        ({"in_channels": 1}, "stem.conv.weight", "conv1.weight", r"\(4, 1, 3, 3\), expected"),
        ({"depth": 14}, "blocks.1.body.conv1.weight", "layer1.1.conv1.weight", r"\(4, 4, 3, 3\)"),
        ({"option": "A"}, "blocks.1.shortcut.conv.weight", "layer3.0.conv1.weight", "expected"),
    ],
)
def test_the_first_key_that_differs_is_named(tmp_path, foreign, options, key, foreign_key, message):
    other = create_model("resnet-20-cifar", **{"depth": 8, "width": 4, "option": "B", **options})
    torch.save(torchvision_names(other) if foreign else other.state_dict(), tmp_path / "net.pth")
    model, before = small(), small()
    with pytest.raises(SpecError, match=message) as caught:
        load_weights(model, tmp_path / "net.pth")
    assert f"at '{foreign_key if foreign else key}'" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert equal(model, before)


def test_a_surplus_and_a_missing_tensor_are_named(donor, tmp_path):
    state = donor.state_dict()
    torch.save({**state, "extra.weight": torch.ones(1)}, tmp_path / "more.pth")
    with pytest.raises(SpecError, match=r"'extra.weight'.*expected no further layer"):
        load_weights(small(), tmp_path / "more.pth")
    del state["head.bias"]
    torch.save(state, tmp_path / "less.pth")
    with pytest.raises(SpecError, match=r"'head.bias'.*no bias in layer 'head'"):
        load_weights(small(), tmp_path / "less.pth")
