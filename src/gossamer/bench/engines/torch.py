"""PyTorch: the module as it is, in inference mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from gossamer.bench.engines.engine import Engine, Subject
from gossamer.errors import MissingDependencyError, SpecError


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let PyTorch use that many threads inside the block, and as many as before after it.

    Raises:
        MissingDependencyError: without PyTorch.
    """
    torch = _import_torch()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _import_torch() -> Any:
    try:
        import torch
    except ImportError:
        raise MissingDependencyError(
            "PyTorch is not installed", hint="pip install 'gossamer[train]'"
        ) from None
    return torch


class Torch(Engine):
    """Runs the subject's module; PyTorch's threads are set, and put back by `close()`."""

    name = "torch"

    def __init__(self, subject: Subject, *, threads: int = 1) -> None:
        if subject.module is None:
            raise SpecError(
                "the engine 'torch' runs a module, and none was given",
                hint="pass module=… in Python, or measure against another engine",
            )
        self._torch, self._module = _import_torch(), subject.module
        self._restore = ExitStack()
        self._restore.enter_context(torch_threads(threads))
        self._restore.callback(subject.module.train, subject.module.training)
        subject.module.eval()

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Run the module."""
        return self.bind(x)().numpy()

    def bind(self, x: np.ndarray) -> Callable[[], Any]:
        """Return a call that runs the module on `x`, already a tensor."""
        tensor = self._torch.from_numpy(np.array(x, np.float32))

        def call() -> Any:
            with self._torch.inference_mode():
                return self._module(tensor)

        return call

    def versions(self) -> dict[str, str]:
        """Return the version of PyTorch."""
        return {"torch": str(self._torch.__version__)}

    def close(self) -> None:
        """Put PyTorch's number of threads and the module's mode back."""
        self._restore.close()
