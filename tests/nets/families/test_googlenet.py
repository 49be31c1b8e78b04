import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.create import create_model

INCEPTIONS = ["3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"]
WIDTHS = [256, 480, 512, 512, 512, 528, 832, 832, 1024]


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_main_net_and_heads(on_meta):
    model = on_meta("googlenet")
    heads = [parameters(head) for head in model.auxiliary]
    assert heads == [3_188_840, 3_190_888]
    assert parameters(model) - sum(heads) == 6_998_552
    assert parameters(on_meta("googlenet", auxiliary=False)) == 6_998_552
    assert parameters(on_meta("googlenet-torchvision", auxiliary=False)) == 6_624_904


def test_stem_and_modules(on_meta):
    model, seen = on_meta("googlenet").eval(), {}
    for part in (model.stem, model.early, model.middle, model.late):
        for name, layer in part.named_children():
            layer.register_forward_hook(lambda _, x, y, name=name: seen.update({name: y.shape}))
    model(torch.zeros(1, 3, 224, 224, device="meta"))
    assert parameters(model.stem.conv1) == 9_472
    assert parameters(model.stem.conv2) + parameters(model.stem.conv3) == 114_944
    sizes = [28, 28, 14, 14, 14, 14, 14, 7, 7]
    expected = [(1, c, s, s) for c, s in zip(WIDTHS, sizes, strict=True)]
    assert [tuple(seen[f"inception{name}"]) for name in INCEPTIONS] == expected
    assert [seen[f"pool{i}"][2] for i in (1, 2, 3, 4)] == [56, 28, 14, 7]


def test_biases_or_norms(on_meta):
    for name, norm in (("googlenet", False), ("googlenet-bn", True)):
        model = on_meta(name)
        kinds = [type(m) for m in model.modules()]
        assert all((m.bias is None) == norm for m in model.modules() if isinstance(m, nn.Conv2d))
        assert (nn.BatchNorm2d in kinds) == norm
        assert (nn.LocalResponseNorm in kinds) == (not norm)


def test_auxiliary_logits_in_training_only(on_meta):
    model, x = on_meta("googlenet-bn", num_classes=7), torch.zeros(2, 3, 224, 224, device="meta")
    assert [out.shape for out in model(x)] == [(2, 7)] * 3
    assert model.eval()(x).shape == (2, 7)
    assert on_meta("googlenet-bn", auxiliary=False)(x).shape == (2, 1000)


def test_heads_read_the_ends_of_4a_and_4d():
    torch.manual_seed(0)
    model = create_model("googlenet-torchvision", num_classes=3).train()
    for layer in model.modules():
        if isinstance(layer, nn.Dropout | nn.BatchNorm2d):
            layer.eval()
    with torch.no_grad():
        x = torch.randn(1, 3, 64, 64)
        first = model.early(model.stem(x))
        _, one, two = model(x)
        torch.testing.assert_close(one, model.auxiliary[0](first))
        torch.testing.assert_close(two, model.auxiliary[1](model.middle(first)))


def test_unknown_form():
    with pytest.raises(SpecError, match=r"got v2.*torchvision"):
        create_model("googlenet", form="v2")
