import random

import pytest

from gossamer.nets.weights.order import forward_order

# Names in the order of the network, as the libraries give them.
NETWORKS = {
    "resnet": """conv1 bn1 layer1.0.conv1 layer1.0.bn1 layer1.0.conv2 layer1.0.bn2 layer1.0.conv3
        layer1.0.bn3 layer1.0.downsample.0 layer1.0.downsample.1 layer1.1.conv1 layer1.2.conv1
        layer1.10.conv1 layer2.0.conv1 layer4.0.conv1 fc""",
    "cifar resnet": "conv1 bn1 layer1.0.conv1 layer1.0.bn1 layer1.0.shortcut.0 layer2.0.bn1 linear",
    "vgg": "features.0 features.1 features.3 features.10 features.28 classifier.0 classifier.3",
    "googlenet": """conv1.conv conv1.bn conv2.conv conv2.bn conv3.conv inception3a.branch1.conv
        inception3a.branch1.bn inception3a.branch2.0.conv inception3a.branch2.1.conv
        inception3a.branch3.0.conv inception3a.branch4.1.conv inception3b.branch1.conv
        inception4a.branch1.conv inception5b.branch1.conv aux1.conv.conv aux1.conv.bn aux1.fc1
        aux1.fc2 aux2.conv.conv aux2.fc1 fc""",
    "mobilenet v2": """features.0.0 features.0.1 features.1.conv.0.0 features.1.conv.0.1
        features.1.conv.1 features.1.conv.2 features.2.conv.0.0 features.18.0 classifier.1""",
    "densenet": """features.conv0 features.norm0 features.denseblock1.denselayer1.norm1
        features.denseblock1.denselayer1.conv1 features.denseblock1.denselayer1.norm2
        features.denseblock1.denselayer1.conv2 features.denseblock1.denselayer2.norm1
        features.denseblock1.denselayer10.norm1 features.transition1.norm features.transition1.conv
        features.denseblock2.denselayer1.norm1 features.denseblock4.denselayer1.norm1
        features.norm5 classifier""",
    "squeezenet": """features.0 features.3.squeeze features.3.expand1x1 features.3.expand3x3
        features.4.squeeze features.12.expand3x3 classifier.1""",
}


@pytest.mark.parametrize("network", NETWORKS)
def test_order_is_told_from_the_names_alone(network):
    names = NETWORKS[network].split()
    for seed in range(5):
        shuffled = names[:]
        random.Random(seed).shuffle(shuffled)
        assert forward_order(shuffled) == names


@pytest.mark.parametrize("name", ["encoder", "conv1xy", "layer1.attention", "conv-1", "a.b"])
def test_unknown_words_tell_nothing(name):
    assert forward_order(["conv1", name]) is None
