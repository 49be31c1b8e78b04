"""Constants of an ONNX file as arrays: dense, sparse, or in a file beside it."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gossamer.errors import FormatError, LimitExceededError
from gossamer.graph.from_onnx.limits import OnnxLimits

if TYPE_CHECKING:
    from onnx import SparseTensorProto, TensorProto


class Tensors:
    """The constants of one file by name, each read once, all together within the limits.

    Args:
        stored: name → dense or sparse tensor.
        folder: where files of external data may lie; None: nowhere.
        limits: on entries and bytes.
    """

    def __init__(
        self,
        stored: Mapping[str, TensorProto | SparseTensorProto],
        folder: Path | None,
        limits: OnnxLimits,
    ) -> None:
        self.stored, self.limits = stored, limits
        self._folder = folder
        self._left = limits.entries
        self._arrays: dict[str, np.ndarray] = {}

    def read(self, name: str, stored: Any = None) -> np.ndarray:
        """Return a constant, read-only.

        Args:
            name: of the value.
            stored: the tensor, if it is not one of the file's initialisers.

        Raises:
            FormatError: if it is not well formed.
            LimitExceededError: if the constants are too large together.
        """
        if name not in self._arrays:
            tensor: Any = self.stored[name] if stored is None else stored
            try:
                array = self._sparse(tensor) if hasattr(tensor, "indices") else self._dense(tensor)
            except FormatError as error:
                error.where = error.where or f"constant {name!r}"
                raise
            except (TypeError, ValueError, KeyError, OverflowError) as error:
                problem = "not a well-formed tensor"
                raise FormatError(problem, where=f"constant {name!r}", got=error) from None
            array.flags.writeable = False
            self._arrays[name] = array
        return self._arrays[name]

    def _charge(self, dims: tuple[int, ...]) -> None:
        if any(size < 0 for size in dims):
            raise FormatError("a size is negative", got=dims)
        self._left -= prod(dims)
        if self._left < 0:
            raise LimitExceededError(
                "the constants have too many entries",
                expected=f"≤ {self.limits.entries} together",
                hint="pass larger Limits if you trust the file",
            )

    def _dense(self, tensor: TensorProto, charge: bool = True) -> np.ndarray:
        from onnx import TensorProto
        from onnx.numpy_helper import to_array

        if charge:
            self._charge(tuple(tensor.dims))
        if tensor.data_location == TensorProto.EXTERNAL:
            held = TensorProto(data_type=tensor.data_type, dims=tensor.dims)
            held.raw_data = self._external(tensor)
            tensor = held
        array = to_array(tensor)
        if array.dtype.kind not in "fiubV":
            raise FormatError("not a tensor of numbers", got=array.dtype)
        return array.copy() if array.dtype.kind != "f" or array.flags.writeable else array.view()

    def _sparse(self, tensor: SparseTensorProto) -> np.ndarray:
        """Return a sparse tensor made dense; its indices are flat, or one row an entry."""
        shape = tuple(tensor.dims)
        self._charge(shape)
        values, indices = self._dense(tensor.values, False), self._dense(tensor.indices, False)
        if indices.ndim == 2 and indices.shape[1] == len(shape):
            indices = np.asarray(np.ravel_multi_index(tuple(indices.T), shape))
        if indices.shape != values.shape or values.ndim != 1:
            raise FormatError("one position a value", got=indices.shape, expected=values.shape)
        if len(indices) and not 0 <= indices.min() <= indices.max() < prod(shape):
            raise FormatError("a position lies outside the tensor", expected=f"< {prod(shape)}")
        array = np.zeros(prod(shape), values.dtype)
        array[indices] = values
        return array.reshape(shape)

    def _external(self, tensor: TensorProto) -> bytes:
        """Return the bytes of a tensor that lie in a file beside the model, and nowhere else."""
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        if self._folder is None:
            raise FormatError("a file of external data needs a model that is a file", got=location)
        path = (self._folder / location).resolve()
        if not location or not path.is_relative_to(self._folder.resolve()):
            raise FormatError("external data outside the model's folder", got=location)
        offset = int(entries.get("offset", 0))
        try:
            size = path.stat().st_size if path.is_file() else -1
            length = int(entries.get("length", size - offset))
            if not (offset >= 0 and 0 <= length <= size - offset):
                raise FormatError("the file of external data is missing or too short", got=location)
            if length > self.limits.file_bytes:
                raise LimitExceededError("external data is too long", got=length)
            with path.open("rb") as file:
                file.seek(offset)
                return file.read(length)
        except OSError as error:
            raise FormatError("external data cannot be read", got=error.strerror) from None
