"""`gossamer bench codec`."""

from __future__ import annotations

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
    """Compare the bytes that networks' integer weights take by several coders.

    Rivals: huffman, lzma, zstandard, brotli, nncodec; those that are not installed have no number.
    Only codebooks and quantised tensors are counted, for all coders alike; `file` is the whole
    file, and the times are those of reading it.

    Example: `gossamer bench codec small.goss large.goss --against lzma,nncodec`
    """
    from gossamer.bench.codecs import RIVALS
    from gossamer.bench.coding import measure_coding
    from gossamer.cli.options import split_names
    from gossamer.cli.output import print_json, print_table
    from gossamer.report.table import Table

    rivals = split_names(against) or list(RIVALS)
    records = [measure_coding(path, rivals) for path in nets]
    if as_json:
        print_json([asdict(record) for record in records])
        return
    front = ("network", "weights", "density", "entropy", "small", "fast")
    heads = (*front, *rivals, "file", "small ms", "fast ms")
    title = "bytes of integer weights"
    print_table(Table(heads, tuple(_row(record, rivals) for record in records), title, words=1))


def _row(record: CodingRecord, rivals: list[str]) -> tuple[str, ...]:
    sizes = [record.sizes_bytes[name] for name in ("small", "fast", *rivals)]
    return (
        record.name,
        f"{record.weights:,}",
        f"{record.nonzeros / max(record.weights, 1):.1%}",
        f"{record.entropy_bytes:,.0f}",
        *("" if size is None else f"{size:,}" for size in sizes),
        f"{record.file_bytes['small']:,}",
        *(f"{record.decode_ms[name]:.1f}" for name in ("small", "fast")),
    )
