"""The program `gossamer`: its verbs, and what becomes of errors."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gossamer import __version__
from gossamer.cli.activations import activations
from gossamer.cli.bench import bench
from gossamer.cli.bench_codec import bench_codec
from gossamer.cli.bench_suite import bench_suite
from gossamer.cli.compress import compress
from gossamer.cli.demo.verb import demo
from gossamer.cli.encode import encode
from gossamer.cli.export import export
from gossamer.cli.inspect import inspect
from gossamer.cli.nets import nets
from gossamer.cli.run import run
from gossamer.cli.sensitivity import sensitivity
from gossamer.cli.train import train
from gossamer.errors import GossamerError, missing_dependency

_INTERRUPTED = 130  # what a shell reports for Ctrl-C: 128 + SIGINT
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
# click.ClickException, wherever this version of typer keeps it.
_CommandLineError: type[Exception] = typer.BadParameter.__mro__[2]  # type: ignore[assignment]


class _Verbs(TyperGroup):
    """Verbs of one word or two; two words come first, as in `bench suite`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Join the first two words if they are a verb."""
        two = " ".join(args[:2])
        return super().resolve_command(ctx, [two, *args[2:]] if two in self.commands else args)


app = typer.Typer(
    name="gossamer",
    cls=_Verbs,
    help="Make convolutional networks sparse and compact: a smaller file, less CPU time.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for verb in (
    demo,
    nets,
    train,
    compress,
    sensitivity,
    activations,
    export,
    encode,
    inspect,
    run,
    bench,
    bench_suite,
    bench_codec,
):
    app.command(verb.__name__.replace("_", " "))(verb)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"gossamer {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Make convolutional networks sparse and compact: a smaller file, less CPU time."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status.

    0: done. 2: bad input, told in one line on standard error. 130: interrupted.

    Args:
        arguments: those of the process unless given.
    """
    try:
        arguments = sys.argv[1:] if arguments is None else list(arguments)
        status = app(arguments or ["--help"], prog_name="gossamer", standalone_mode=False)
        print(end="", flush=True)  # what cannot be written is said here, not when Python ends
    except _CommandLineError as error:
        return _complain(error.format_message())  # type: ignore[attr-defined]
    except GossamerError as error:
        return _complain(str(error))
    except ModuleNotFoundError as error:
        missing = missing_dependency(error)
        if missing is error:
            raise
        return _complain(str(missing))
    except MemoryError:
        return _complain("there is not enough memory for this")
    except OSError as error:
        if error.errno not in _FULL and error.filename is None:
            raise
        return _complain(f"{error.filename or 'the output'}: {error.strerror}")
    except (typer.Abort, KeyboardInterrupt):
        status = _INTERRUPTED
    if status == _INTERRUPTED:
        print("gossamer: interrupted", file=sys.stderr)
    return status if isinstance(status, int) else 0


def _complain(message: str) -> int:
    line = " ".join(message.split())
    print(f"gossamer: {line}", file=sys.stderr)
    return 2
