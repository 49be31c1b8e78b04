"""The exception tree: every error says where, what was got, what was expected, and the next step.

A user's mistake raises one of these; a broken invariant of our own is an `assert`. Each class also
derives from the fitting built-in, so that `except ValueError` keeps working for callers.
"""


class GossamerError(Exception):
    """Base of all errors that gossamer raises on purpose.

    Args:
        problem: one sentence without a full stop.
        where: the node, tensor path, file or option at fault.
        got: the offending value.
        expected: what would have been accepted.
        hint: the next step for the user.

    Examples:
        >>> print(ShapeError("channels differ", where="node 'conv1'", got=3, expected=1))
        node 'conv1': channels differ (got 3, expected 1)
    """

    def __init__(
        self,
        problem: str,
        *,
        where: object = None,
        got: object = None,
        expected: object = None,
        hint: str | None = None,
    ) -> None:
        self.problem, self.where, self.got = problem, where, got
        self.expected, self.hint = expected, hint
        super().__init__(problem)

    def __str__(self) -> str:
        details = [
            f"{label} {value}"
            for label, value in (("got", self.got), ("expected", self.expected))
            if value is not None
        ]
        text = f"{self.where}: {self.problem}" if self.where is not None else self.problem
        if details:
            text += f" ({', '.join(details)})"
        return f"{text}; {self.hint}" if self.hint else text


class SpecError(GossamerError, ValueError):
    """An option, recipe or network description is not usable."""


class ShapeError(GossamerError, ValueError):
    """A shape does not fit the operator or network it was given to."""


class DataError(GossamerError, ValueError):
    """A data set, image or array is missing or cannot be read."""


class PassError(GossamerError, ValueError):
    """A compression pass was asked for something impossible."""


class GraphError(GossamerError, ValueError):
    """A graph is not well formed."""


class UnsupportedOperatorError(GraphError):
    """A module uses an operator that the graph does not have."""


class VerificationError(GraphError):
    """Two things that must be equal are not: module and graph, masked and removed, and so on."""


class FormatError(GossamerError, ValueError):
    """A `.goss` file is not well formed."""


class TruncatedError(FormatError):
    """A `.goss` file ends too early."""


class ChecksumError(FormatError):
    """A part of a `.goss` file does not have the checksum that the file states."""


class UnsupportedVersionError(FormatError):
    """A `.goss` file is of a version that this reader does not know."""


class LimitExceededError(FormatError):
    """A `.goss` file asks for more memory than the reader allows."""


class CompileError(GossamerError, RuntimeError):
    """A graph cannot be turned into a program."""


class ProgramError(GossamerError, RuntimeError):
    """A program cannot run: closed, or its threads failed."""


class UnknownNameError(GossamerError, KeyError):
    """A registry has no entry of that name."""

    __str__ = GossamerError.__str__


class MissingDependencyError(GossamerError, ImportError):
    """An optional package is needed and not installed."""


_EXTRAS = {
    "torch": "train",
    "accelerate": "train",
    "safetensors": "train",
    "sklearn": "train",
    "yaml": "train",
    "onnx": "onnx",
    "onnxruntime": "bench",
    "openvino": "bench",
    "PIL": "report",
}


def missing_dependency(error: ModuleNotFoundError) -> ImportError:
    """Return what to raise for a failed import: our own error if an extra of gossamer brings it."""
    package = (error.name or "").partition(".")[0]
    if package not in _EXTRAS:
        return error
    return MissingDependencyError(
        f"this needs {package}, which is not installed",
        hint=f"install gossamer with the extra [{_EXTRAS[package]}]",
    )
