import pytest

from gossamer.errors import UnknownNameError
from gossamer.graph.counting import count
from gossamer.nets.registry import NETWORKS
from gossamer.report.networks import (
    NetworkView,
    list_networks,
    network_table,
    untrained_graph,
)


def test_the_list_says_what_the_records_say():
    listed = {network["name"]: network for network in list_networks()}
    assert list(listed) == list(NETWORKS)
    assert listed["vgg-16"] == {
        "name": "vgg-16",
        "params": 138_357_544,
        "macs": 15_470_264_320,
        "input_shape": (3, 224, 224),
        "source": NETWORKS["vgg-16"].source,
        "paper": "138 M",
    }


def test_the_table_leaves_out_what_is_not_known():
    network = {"name": "n", "params": 1200, "macs": None, "input_shape": (1, 8, 8)}
    table = network_table([{**network, "source": "s", "paper": ""}])
    assert table.rows == (("n", "s", "", "1×8×8", "1,200", ""),)


@pytest.mark.parametrize("name", ["lenet-300-100", "resnet-20-cifar", "digits-igc"])
def test_the_graph_has_the_parameters_and_macs_of_the_record(name):
    total, network = count(untrained_graph(name)), NETWORKS[name]
    assert total.parameters == network.params
    assert total.macs == (network.macs or total.macs)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "depth"), [("resnet-18", 18), ("vgg-16", 16), ("googlenet", 22)])
def test_depth_is_the_number_in_the_name(name, depth):
    assert count(untrained_graph(name)).depth == depth


def test_depth_of_small_networks():
    assert count(untrained_graph("resnet-20-cifar")).depth == 20
    assert count(untrained_graph("lenet-5")).depth == 4


def test_a_view_is_the_record_the_counts_and_the_layers():
    view = NetworkView.of("lenet-5", untrained_graph("lenet-5"))
    assert view.to_dict()["layers"][0]["parameters"] == 520
    assert view.to_dict()["paper"] == NETWORKS["lenet-5"].paper
    assert sum(line.macs for line in view.layers) == NETWORKS["lenet-5"].macs
    assert view.title.startswith("lenet-5, LeNet")
    # conv1's output 20×24×24 and its pooled form are the most that lives at one time.
    assert view.to_dict()["peak_live_bytes"] == 4 * (20 * 24 * 24 + 20 * 12 * 12)
    assert len(view.notes) == 2


def test_a_view_says_when_the_graph_has_other_parameters():
    graph = untrained_graph("lenet-300-100")
    assert "266,610" in NetworkView.of("lenet-5", graph).notes[-1]


def test_an_unknown_network_is_refused():
    with pytest.raises(UnknownNameError, match="lenet-5"):
        untrained_graph("lenet-6")
