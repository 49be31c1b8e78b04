"""`gossamer bench`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gossamer.cli.options import Json, NetFile, Threads

if TYPE_CHECKING:
    from gossamer.bench.own_file import FileCheck
    from gossamer.bench.record import Record
    from gossamer.graph import Graph
    from gossamer.graph.ops import Shape


def bench(
    net: NetFile,
    against: Annotated[
        list[str] | None,
        typer.Option(help="Rival engines, separated by commas: onnxruntime, openvino, mnn, …"),
    ] = None,
    threads: Threads = 1,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Images at once.  [default: 1, or what the file fixes]"),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Samples of each engine.")] = 31,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="How far outputs may differ, relative to the largest.  "
            "[default: 1e-4, more if the network rounds]",
        ),
    ] = None,
    isa: Annotated[
        str,
        typer.Option(help="Instruction set: host (all of it), or a narrower one: avx2, portable."),
    ] = "host",
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Also say of each layer what runs, its shares, and why."),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write the record as a JSON line.")] = None,
    as_json: Json = False,
) -> None:
    """Time a network, in turns with other engines on the same random inputs.

    Engines: onnxruntime, openvino, mnn, deepsparse, and onnxruntime-int8 and openvino-int8, which
    run the network quantised. One that is not installed, fails, or gives other outputs is left out,
    and the reason stands below the table. `gossamer bench suite` measures the published rows.

    Example: `gossamer bench net.onnx --against onnxruntime,openvino --threads 2`
    """
    import numpy as np

    import gossamer
    from gossamer.bench.benchmark import engine_names
    from gossamer.bench.engines import ENGINES
    from gossamer.bench.own_file import check_file
    from gossamer.bench.record import write_records
    from gossamer.bench.tolerance import allowed_difference
    from gossamer.cli.options import split_names
    from gossamer.cli.output import print_json
    from gossamer.cli.progress import load_tracked, track
    from gossamer.compile.compile import compile
    from gossamer.errors import SpecError
    from gossamer.jit.target import HOST
    from gossamer.replacing import check_target

    if out:
        check_target(out)
    rivals = split_names(against)
    for name in rivals:
        ENGINES[name]  # a name that is no engine's is told before anything is measured
    if "torch" in rivals:
        raise SpecError(
            "the engine 'torch' runs a module, and a file has none",
            where="--against",
            hint="leave it out here, or call gossamer.benchmark(…, module=…) in Python",
        )
    if rivals and isa != HOST:
        raise SpecError(
            "rivals are not held to an instruction set here",
            where="--isa",
            hint="leave out --against, or see `gossamer bench suite --isa`",
        )
    graph = load_tracked(net)
    shape = _input_shape(graph, batch)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    command = f"gossamer bench {net} --threads {threads} --batch {shape[0]} --rounds {rounds}"
    command += f" --tolerance {tolerance}" if tolerance is not None else ""
    command += f" --against {','.join(rivals)}" if rivals else ""
    command += f" --isa {isa}" if isa != HOST else ""
    from_onnx = net.suffix.lower() == ".onnx"
    if tolerance is None and (rivals or from_onnx):
        tolerance = allowed_difference(graph, x)
    with compile(graph, threads=threads, target=isa) as program:
        checked = check_file(program, net, x, tolerance or 0.0) if from_onnx else None
        samples = rounds * len(engine_names(rivals))
        with track("timing", samples, shown=not as_json) as advance:
            record = gossamer.benchmark(
                program,
                x,
                against=rivals,
                rounds=rounds,
                tolerance=tolerance,
                strict=False,
                command=command,
                advance=advance,
            )
            for _ in range(rounds * len(record.missing)):
                advance()
        reasons = program.explain() if explain else ""
    if out:
        write_records(out, [record])
    if as_json:
        data = record.to_dict() | ({"file_check": asdict(checked)} if checked else {})
        print_json(data | ({"explain": reasons} if explain else {}))
    else:
        _print(record, net, checked, reasons)


def _input_shape(graph: Graph, batch: int | None) -> Shape:
    """Return the shape to measure: the example's, with another batch where one is asked for."""
    from gossamer.errors import SpecError

    fixed = None if 0 in graph.input.free else graph.input.example[0]
    if fixed is not None and batch not in (None, fixed):
        raise SpecError(
            "the network takes another number of images at once",
            where="--batch",
            got=batch,
            expected=fixed,
            hint="leave out --batch, or export the network with an open batch size",
        )
    return (fixed or batch or 1, *graph.input.example[1:])


def _print(record: Record, net: Path, checked: FileCheck | None, reasons: str) -> None:
    from gossamer.cli.output import print_table
    from gossamer.report.table import timing_table

    print_table(timing_table(record))
    if record.missing:
        print()
    for engine, reason in record.missing.items():
        print(f"{engine} was not measured: {reason}")
    print(f"\n{record.machine}")
    if checked and checked.difference is not None:
        apart = f"{checked.difference:.1g} of the largest" if checked.difference else "nothing"
        print(f"our outputs differ from those of {net} in ONNX Runtime by {apart}")
    elif checked:
        print(f"our outputs were not compared with those of {net} itself: {checked.reason}")
    if reasons:
        print(f"\n{reasons}")
