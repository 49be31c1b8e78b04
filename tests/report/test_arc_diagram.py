import re

from gossamer.graph import Graph, Input, Node
from gossamer.graph.ops import Activation, Add, ChannelPermute, Concat, MaxPool2d
from gossamer.report.arc_diagram import draw_arcs, draw_legend

TURN = ChannelPermute((1, 0))
SHAPE = (1, 2, 8, 8)


def graph_of(*nodes):
    made = tuple(Node(name, op, tuple(inputs.split())) for name, op, inputs in nodes)
    return Graph(Input("x", SHAPE), made, made[-1].name if made else "x", {})


def links(drawing):
    return re.findall(r'class="link (\w+)"', drawing.body)


def test_each_link_is_a_line_or_an_arc():
    graph = graph_of(("a", TURN, "x"), ("b", TURN, "a"), ("s", Add(), "b x"))
    drawing = draw_arcs(graph)
    assert links(drawing) == ["next", "next", "adds", "next"]
    assert "<title>0 → 3</title>" in drawing.body
    assert drawing.body.count("<circle") == 4
    assert "next" not in draw_legend(graph).body
    assert "added" in draw_legend(graph).body


def test_arcs_say_how_they_are_read():
    graph = graph_of(
        ("a", TURN, "x"),
        ("b", TURN, "x"),
        ("c", Concat(), "x a b"),
        ("d", MaxPool2d((2, 2), (2, 2)), "c"),
    )
    assert sorted(links(draw_arcs(graph))) == ["joins", "joins", "next", "next", "reads"]


def test_arcs_stay_in_the_picture_however_long_they_are():
    nodes = [("v0", TURN, "x"), *((f"v{i}", TURN, f"v{i - 1}") for i in range(1, 400))]
    drawing = draw_arcs(graph_of(*nodes, ("s", Add(), "v399 x")))
    (arc,) = re.findall(r'd="M([\d.]+) [\d.]+C([-\d.]+) ', drawing.body)
    start, handle = map(float, arc)
    assert start - 0.75 * (start - handle) >= 0  # a curve goes three quarters of the way


def test_a_rule_stands_where_the_picture_size_changes():
    graph = graph_of(("a", TURN, "x"), ("p", MaxPool2d((2, 2), (2, 2)), "a"), ("b", TURN, "p"))
    assert draw_arcs(graph).body.count('class="rule"') == 1


def test_names_are_escaped_and_shortened():
    graph = graph_of(("a<b" + "c" * 60, TURN, "x"))
    body = draw_arcs(graph).body
    assert "a<b" not in body
    assert "…" in body


def test_an_empty_graph_is_its_input():
    assert draw_arcs(graph_of()).body.count("<circle") == 1


def test_only_what_occurs_is_in_the_legend():
    graph = graph_of(("a", Activation("relu"), "x"))
    assert draw_legend(graph).body.count("<circle") == 1
    assert "<path" not in draw_legend(graph).body
