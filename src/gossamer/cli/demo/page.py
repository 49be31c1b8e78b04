"""The demo's page: the table, the mistakes, the nonzeros, the bytes, the choices."""

from __future__ import annotations

from html import escape

import numpy as np

from gossamer.cli.demo.result import DemoResult, Outcome, layers_of
from gossamer.cli.demo.summary import summarise
from gossamer.report.page import Section, figure, gallery, listing, paragraph, render_page
from gossamer.report.pictures import picture_grey, picture_nonzeros, stacked_bar

_LEAD = (
    "Two small networks learn handwritten digits, lose nine weights in ten, share the values of "
    "the rest, and run from a file in a process without PyTorch."
)


def render_demo(result: DemoResult, pixels: np.ndarray) -> str:
    """Return the page.

    Args:
        result: of the demo.
        pixels: the test images, uint8 (N, H, W).
    """
    sections = [
        Section("Asked and got", summarise(result).to_html(), _about_the_table(result)),
        Section("Digits that it got wrong", _each(result, lambda o: _mistakes(o, pixels)), _WRONG),
        Section("What is left of each layer", _each(result, _nonzeros), _NONZEROS),
        Section("Where the bytes of the file are", _each(result, _bytes), _BYTES),
        Section("What ran, layer by layer", _each(result, _choices), _CHOICES),
    ]
    record = result.outcomes[0].after.record
    versions = ", ".join(f"{package} {version}" for package, version in record.versions.items())
    foot = f"{record.machine}; {versions}. Seed {result.seed}, {result.duration_s:.0f} s in all."
    return render_page("Gossamer on handwritten digits", _LEAD, sections, foot)


_WRONG = "Test images on which the compressed network errs; all others it reads correctly."
_NONZEROS = (
    "Each weight tensor as a matrix of output channels by inputs of their filters, the longer side "
    "across; ink where a weight is not zero."
)
_BYTES = "The whole .goss file, header and tables counted. Hover a part to read its size."
_CHOICES = (
    "The compiler times every way it has to run a layer on this machine and keeps the fastest."
)


def _about_the_table(result: DemoResult) -> str:
    images = result.outcomes[0].images
    return (
        f"Accuracy is on {images} held-out digits. The file before is the dense network as fp32 "
        "safetensors, the file after is .goss. Times are medians, engines in turns in one process "
        "on the same input; “faster” is gossamer against that engine, on the same network, "
        "compared round by round. Effective MACs are those whose weight is not zero."
    )


def _each(result: DemoResult, show: object) -> str:
    assert callable(show)
    return "".join(f"<h3>{escape(o.network)}</h3>{show(o)}" for o in result.outcomes)


def _mistakes(outcome: Outcome, pixels: np.ndarray) -> str:
    if not outcome.mistakes:
        return paragraph("None.")
    return gallery(
        [
            figure(
                picture_grey(255 - pixels[mistake.index], f"test image {mistake.index}"),
                f"a {mistake.label}, read as {mistake.predicted}",
            )
            for mistake in outcome.mistakes
        ]
    )


def _nonzeros(outcome: Outcome) -> str:
    figures = []
    for node, layout in layers_of(outcome.graph):
        shape = "×".join(str(size) for size in layout.shape)
        caption = f"{node.name}: {shape}, {layout.nonzeros:,} weights left ({layout.density:.1%})"
        figures.append(figure(picture_nonzeros(layout.to_dense(), node.name), caption))
    return listing(figures)


def _bytes(outcome: Outcome) -> str:
    return stacked_bar(outcome.parts, "bytes")


def _choices(outcome: Outcome) -> str:
    return f"<pre>{escape(outcome.explanation)}</pre>"
