from xml.etree import ElementTree

import pytest

from gossamer.compress.sensitivity import Curve, Sensitivity
from gossamer.report.sensitivity import draw_sensitivity, sensitivity_table

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def found():
    curves = (
        Curve(("stem.conv",), 864, (0.9, 0.45)),
        Curve(("blocks.0.conv", "blocks.1.conv", "head"), 41472, (0.95, 0.0)),
    )
    return Sensitivity("channels", (0.25, 0.875), 0.9, 200, curves)


def test_the_table_has_a_line_a_layer(found):
    text = sensitivity_table(found, "net").to_text().splitlines()
    assert text[0] == "net, 90.0% on 200 pictures as it is"
    assert text[1].split() == ["layer", "weights", "25%", "87.5%"]
    assert text[2].split() == ["stem.conv", "864", "90.0", "45.0"]
    assert text[3].split()[:4] == ["blocks.0.conv", "and", "2", "more"]


def test_the_picture_is_the_fuller_the_more_is_lost(found):
    root = ElementTree.fromstring(draw_sensitivity(found, "a<b"))
    cells = [float(cell.get("fill-opacity")) for cell in root.iter(f"{SVG}rect")]
    assert cells == [0.0, 0.5, 0.0, 1.0]  # better than as it is counts as nothing lost
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert "a<b, 90.0% on 200 pictures as it is" in texts
    assert texts[-1] == "0.0"


def test_a_network_that_is_always_wrong_can_be_drawn():
    never = Sensitivity("bits", (8,), 0.0, 5, (Curve(("fc",), 10, (0.0,)),))
    assert "8 bits" in draw_sensitivity(never, "net")
