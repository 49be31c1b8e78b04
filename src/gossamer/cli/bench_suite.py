"""`gossamer bench suite`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gossamer.cli.options import Json

_ROUNDS, _QUICK_ROUNDS = 31, 5


def bench_suite(
    networks: Annotated[
        list[str] | None, typer.Option(help="Only these networks, separated by commas.")
    ] = None,
    against: Annotated[
        list[str] | None, typer.Option(help="Rivals, separated by commas.  [default: all]")
    ] = None,
    threads: Annotated[
        list[str] | None, typer.Option(help="Numbers of threads, as in 1,2.  [default: 1,2]")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("suite-output"),
    isa: Annotated[
        str, typer.Option(help="Hold engines to an instruction set: host or avx2.")
    ] = "host",
    rounds: Annotated[
        int | None, typer.Option(min=1, help=f"Samples of each engine.  [default: {_ROUNDS}]")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help=f"Only {_QUICK_ROUNDS} rounds, for a first look.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Measure rows again that are in the folder.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure the networks that the runtime is judged by, against all rivals that are installed.

    Each row runs in a process of its own and is kept in the folder when it is finished, so that a
    suite can be interrupted and goes on where it was. The tables are printed and written as
    Markdown.

    Example: `gossamer bench suite --networks resnet-50 --threads 1,2 --quick`
    """
    import sys

    from gossamer.bench.suite.rows import ROWS
    from gossamer.bench.suite.run import ALL_RIVALS, SuiteOptions, run_suite, select_rows
    from gossamer.cli.options import split_names
    from gossamer.cli.output import print_json, print_table
    from gossamer.errors import SpecError
    from gossamer.report.page import write_page
    from gossamer.report.suite import missing_lines, suite_page, suite_tables

    if quick and rounds:
        raise SpecError("--quick says how many rounds", where="--rounds", got=rounds)
    options = SuiteOptions(
        threads=_numbers(split_names(threads) or ["1", "2"]),
        engines=tuple(split_names(against) or ALL_RIVALS),
        rounds=rounds or (_QUICK_ROUNDS if quick else _ROUNDS),
        isa=isa,
    )
    rows = select_rows(ROWS, split_names(networks))
    results = run_suite(
        rows, options, out, again=again, say=lambda line: print(line, file=sys.stderr, flush=True)
    )
    write_page(out / "suite.md", suite_page(results, rows, options.engines))
    if as_json:
        print_json([result.to_dict() for result in results])
        return
    for table in suite_tables(results, rows, options.engines):
        print_table(table)
        print()
    print("\n".join([*missing_lines(results), f"wrote {out / 'suite.md'}"]))


def _numbers(words: list[str]) -> tuple[int, ...]:
    from gossamer.errors import SpecError

    if not all(word.isdecimal() for word in words):
        raise SpecError("threads are numbers", where="--threads", got=",".join(words))
    return tuple(int(word) for word in words)
