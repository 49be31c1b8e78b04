"""`gossamer bench codec`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gossamer.cli.options import Json

if TYPE_CHECKING:
    from gossamer.bench.coding import CodingRecord


def bench_codec(
    nets: Annotated[list[Path], typer.Argument(metavar="NET.GOSS…", help=".goss or .onnx files.")],
    against: Annotated[
        list[str] | None, typer.Option(help="Rivals, separated by commas.  [default: all]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare the bytes that networks' weights take by several coders.

    Rivals: huffman, lzma, zstandard, brotli, nncodec; those that are not installed have no number.
    Two lines a network. The first is everything: the whole .goss file, by the rivals the same
    integers, biases, norm parameters and scales, and the network in files of other kinds. The
    second is the integers alone, of codebooks and quantised tensors, against their zero-order
    entropy. Times are those of reading the file.

    Example: `gossamer bench codec small.goss large.goss --against lzma,nncodec`
    """
    from gossamer.bench.codecs import RIVALS
    from gossamer.bench.coding import measure_coding
    from gossamer.bench.containers import CONTAINERS
    from gossamer.cli.options import split_names
    from gossamer.cli.output import print_json, print_table
    from gossamer.report.table import Table

    rivals = split_names(against) or list(RIVALS)
    for name in rivals:
        RIVALS[name]  # raises, with the nearest names, before anything is coded
    records = [measure_coding(path, rivals, list(CONTAINERS)) for path in nets]
    if as_json:
        print_json([asdict(record) for record in records])
        return
    coders = ("small", "fast", *rivals)
    heads = (
        "network",
        "weights",
        "density",
        "entropy",
        *coders,
        *CONTAINERS,
        "small ms",
        "fast ms",
    )
    rows = tuple(row for record in records for row in _rows(record, coders))
    print_table(Table(heads, rows, "bytes of everything; of integer weights", words=1))


def _rows(record: CodingRecord, coders: tuple[str, ...]) -> list[tuple[str, ...]]:
    def numbers(sizes: dict[str, int | None], names: Iterable[str]) -> list[str]:
        return ["" if sizes[name] is None else f"{sizes[name]:,}" for name in names]

    containers = record.container_bytes
    times = (f"{record.decode_ms[name]:.1f}" for name in ("small", "fast"))
    density = f"{record.nonzeros / max(record.weights, 1):.1%}"
    entropy = f"{record.entropy_bytes:,.0f}"
    files = (*numbers(record.file_bytes, coders), *numbers(record.container_bytes, containers))
    integers = numbers(record.sizes_bytes, coders)
    return [
        (record.name, f"{record.weights:,}", density, "", *files, *times),
        ("  integers", "", "", entropy, *integers, *("",) * (len(containers) + 2)),
    ]
