"""Put trained weights of somebody else into a network."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from gossamer.nets.weights.pair import pair
from gossamer.nets.weights.read import read_weights


def load_weights(model: nn.Module, path: str | Path) -> nn.Module:
    """Load weights from a file, under the model's own names or under other libraries' names.

    A state dict of torchvision's ResNet, VGG, GoogLeNet, MobileNetV2, DenseNet or SqueezeNet, or of
    any network that has the same layers in the same order, needs no renaming: its layers are
    compared with the model's in the order of the network, and every role and shape must agree.

    Args:
        model: changed in place, only if everything fits; its mode stays.
        path: a safetensors file, or a torch checkpoint (read with `weights_only=True`): a state
            dict, alone or under the key `state_dict` or `model`, names with or without `module.`.

    Returns:
        The model.

    Raises:
        DataError: if the file is missing or is not a weight file.
        SpecError: if the weights are of another network; it names the first tensor that differs.

    Examples:
        >>> import tempfile, torch
        >>> from gossamer.nets.create import create_model
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save(create_model("lenet-5", seed=1).state_dict(), f"{folder}/lenet.pt")
        ...     model = load_weights(create_model("lenet-5"), f"{folder}/lenet.pt")
        >>> torch.equal(model.fc2.weight, create_model("lenet-5", seed=1).fc2.weight)
        True
    """
    state = model.state_dict()
    state.update(pair(state, read_weights(path)))
    model.load_state_dict(state)
    return model
