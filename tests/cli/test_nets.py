import json

from gossamer.nets.registry import NETWORKS


def test_every_network_is_listed(gossamer_program):
    listed = json.loads(gossamer_program("nets", "--json").out)
    assert [network["name"] for network in listed] == list(NETWORKS)
    assert all(network["params"] > 0 for network in listed)


def test_the_text_has_one_line_a_network(gossamer_program):
    lines = gossamer_program("nets").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(NETWORKS)
