from xml.etree import ElementTree

import pytest

from gossamer.report.connectivity import draw_connectivity
from gossamer.report.networks import untrained_graph

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def picture():
    return draw_connectivity(untrained_graph("digits-igc"))


def test_the_picture_is_well_formed_and_needs_nothing_else(picture):
    root = ElementTree.fromstring(picture)
    assert root.tag == f"{SVG}svg"
    links = [i.get("href") for i in root.iter(f"{SVG}image")]
    assert links
    assert all(link.startswith("data:image/png;base64,") for link in links)
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


def test_it_shows_the_counts_and_both_parts(picture):
    texts = [element.text for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]
    assert texts[0] == "digits-igc"
    assert texts[1].startswith("112,426 parameters, 1,789,824 MACs, depth 8")
    assert "Which channel reaches which" in texts
    assert "Which layer reads which" in texts
    assert "blocks.1.primary … blocks.1.restore, and 1 more alike" in texts
    assert "192 → 192 channels: 1 path from every input to every output" in texts


def test_everything_stands_in_the_picture(picture):
    root = ElementTree.fromstring(picture)
    width, height = float(root.get("width")), float(root.get("height"))
    groups = next(root.iter(f"{SVG}g"))
    tops = [g.get("transform") for g in groups]
    assert all(float(top.split()[1].rstrip(")")) < height for top in tops)
    assert all(float(t.get("x")) < width for t in root.iter(f"{SVG}text"))


def test_it_is_light_and_dark(picture):
    assert "prefers-color-scheme: dark" in picture


def test_a_network_without_groups_has_no_matrices():
    picture = draw_connectivity(untrained_graph("lenet-5"))
    assert "<image" not in picture
    assert "Which channel" not in picture
