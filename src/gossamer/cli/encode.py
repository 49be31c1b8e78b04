"""`gossamer encode`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gossamer.cli.options import DataName, Json, Profile, Seed
from gossamer.errors import SpecError

if TYPE_CHECKING:
    import numpy as np

    from gossamer.graph import Graph
    from gossamer.train.data import Data


def encode(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK", help="A name from `gossamer nets`; leave it out if WEIGHTS says it."
        ),
    ],
    weights: Annotated[
        Path | None, typer.Argument(metavar="WEIGHTS", help="A safetensors, .goss or .onnx file.")
    ] = None,
    size: Annotated[int | None, typer.Option(min=1, help="Bytes of the file to come near.")] = None,
    accuracy: Annotated[
        float | None, typer.Option(min=0, max=1, help="To keep, on training images.")
    ] = None,
    data: DataName = "digits",
    images: Annotated[int, typer.Option(min=1, help="To watch the layers on.")] = 512,
    trials: Annotated[int, typer.Option(min=1, help="To measure accuracy on: others.")] = 1000,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("net.goss"),
    profile: Profile = None,
    as_json: Json = False,
) -> None:
    """Code a network's weights at a distortion: to a size, or to an accuracy.

    Nothing is trained: levels are chosen by what the layers see on some training images, without
    their labels. `gossamer export` writes weights as they are.

    Example: `gossamer encode digits-plain plain.safetensors --accuracy 0.95 --out net.goss`
    """
    import gossamer
    from gossamer.cli.data_name import load_named_data
    from gossamer.cli.network_file import load_graph
    from gossamer.cli.output import print_json
    from gossamer.cli.progress import track_file
    from gossamer.codec.lossy.approximate import Approximation
    from gossamer.codec.lossy.options import LossyOptions
    from gossamer.codec.lossy.search import code_to_accuracy, code_to_size
    from gossamer.replacing import check_target

    if (size is None) == (accuracy is None):
        raise SpecError("ask for one of both", expected="--size BYTES or --accuracy FRACTION")
    check_target(out, ".goss", source=weights or network)
    graph, examples = load_graph(network, weights), load_named_data(data)
    (watched, _), (tried, labels) = _splits(graph, examples, images, trials, seed)
    options = LossyOptions(seed=seed)
    with track_file("measuring layers"):
        approximation = Approximation(graph, watched, options, profile=profile)
    with track_file("coding, once for each price tried") as progress:
        if size is not None:
            found = code_to_size(approximation, size, progress=progress)
        else:
            assert accuracy is not None
            found = code_to_accuracy(
                approximation,
                accuracy,
                lambda coded: _accuracy(coded, tried, labels),
                progress=progress,
            )
    gossamer.save(found.graph, out, profile=approximation.profile)
    reached = _accuracy(found.graph, tried, labels)
    if as_json:
        told = {"network": graph.name, "out": str(out), "size_bytes": found.size_bytes}
        print_json(told | {"accuracy": reached, "bit_price": found.bit_price})
    else:
        print(
            f"{graph.name}: wrote {out}, {found.size_bytes:,} bytes, "
            f"accuracy {reached:.2%} on {len(labels):,} training images"
        )


def _splits(
    graph: Graph, data: Data, images: int, trials: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (images, labels) to watch and to measure on, drawn from the training split."""
    import numpy as np

    train, record = data.train, graph.record or data.record
    drawn = np.random.default_rng(seed).permutation(len(train))
    if len(drawn) <= images:
        raise SpecError(
            "no image is left to measure on",
            where="--images",
            got=images,
            expected=f"< {len(drawn)}",
        )
    parts = (drawn[:images], drawn[images : images + trials])
    return [(record.normalise(train.pixels[part]), train.labels[part]) for part in parts]


def _accuracy(graph: Graph, images: np.ndarray, labels: np.ndarray) -> float:
    from gossamer.bench.accuracy import accuracy, predict_classes
    from gossamer.compile.compile import compile

    with compile(graph) as program:
        return accuracy(predict_classes(program, images), labels)
