"""What a network expects of a picture, and how a picture is brought to it.

The record travels with the network from the data set that it was trained on through the graph into
the file, so that `gossamer run net.goss photo.jpg` needs nothing else. Pillow is imported on use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from reprlib import repr as short_repr
from typing import TYPE_CHECKING, Any

import numpy as np

from gossamer.errors import DataError, MissingDependencyError, SpecError

if TYPE_CHECKING:
    from pathlib import Path

_CHANNELS = {"L": 1, "RGB": 3, "BGR": 3}
_RESIZE = ("stretch", "crop")
_LARGEST_SIDE = 2**16
_LARGEST_NUMBER = 1e30


@dataclass(frozen=True)
class InputRecord:
    """How a picture becomes the input array of a network.

    The array is `(pixels · scale − mean) / deviation`, float32, (1, C, H, W), with the pixels as
    8-bit values 0…255.

    Args:
        height: H in pixels, ≥ 1.
        width: W in pixels, ≥ 1.
        channel_order: "L" (grey), "RGB" or "BGR".
        scale: factor on the 8-bit value, usually 1/255.
        mean: one number a channel, subtracted after scaling.
        deviation: one positive number a channel.
        resize: "stretch" to (H, W), or "crop": short side to size, then the centre.
        class_names: one a class, may be empty.

    Raises:
        SpecError: if a number is out of range or the lengths do not agree.

    Examples:
        >>> record = InputRecord(height=8, width=8, channel_order="L", scale=1 / 255,
        ...                      mean=(0.5,), deviation=(0.25,))
        >>> record.normalise(np.full((8, 8, 1), 255, np.uint8)).shape
        (1, 1, 8, 8)
    """

    height: int
    width: int
    channel_order: str = "RGB"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    deviation: tuple[float, ...] = (1.0, 1.0, 1.0)
    resize: str = "crop"
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.channel_order not in _CHANNELS:
            raise SpecError(
                "unknown channel order", got=self.channel_order, expected=list(_CHANNELS)
            )
        if self.resize not in _RESIZE:
            raise SpecError("unknown way to resize", got=self.resize, expected=list(_RESIZE))
        if not (1 <= self.height <= _LARGEST_SIDE and 1 <= self.width <= _LARGEST_SIDE):
            raise SpecError(
                "impossible input size", got=(self.height, self.width), expected="1…65536 pixels"
            )
        for label, values in (("mean", self.mean), ("deviation", self.deviation)):
            if len(values) != self.channels:
                raise SpecError(
                    f"{label} needs one number a channel", got=len(values), expected=self.channels
                )
        if min(self.deviation) <= 0:
            raise SpecError("deviations must be positive", got=self.deviation)

    @property
    def channels(self) -> int:
        """C, the number of channels."""
        return _CHANNELS[self.channel_order]

    def normalise(self, pixels: np.ndarray) -> np.ndarray:
        """Turn 8-bit pixels (H, W, C) or (N, H, W, C) into a float32 array (N, C, H, W)."""
        batch = pixels[None] if pixels.ndim == 3 else pixels
        if batch.ndim != 4 or batch.shape[3] != self.channels:
            raise DataError(
                "wrong pixel array", got=pixels.shape, expected=f"(H, W, {self.channels})"
            )
        values = batch.astype(np.float32) * np.float32(self.scale)
        values -= np.asarray(self.mean, np.float32)
        values /= np.asarray(self.deviation, np.float32)
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2))

    def read(self, path: str | Path) -> np.ndarray:
        """Read a picture file into a network's input (1, C, H, W).

        Raises:
            DataError: if the file is missing or is not a picture.
            MissingDependencyError: without Pillow.
        """
        return self.normalise(read_pixels(path, self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> InputRecord:
        """Rebuild a record from `to_dict()`; raises SpecError on unknown or badly typed fields."""
        known = {f.name: f.type for f in fields(cls)}
        if not isinstance(data, Mapping) or set(data) - set(known):
            raise SpecError("not an input record", got=short_repr(data), expected=sorted(known))
        try:
            return cls(**{name: _checked(known[name], value) for name, value in data.items()})
        except TypeError as error:
            raise SpecError("not an input record", got=str(error)) from None


def _checked(annotation: Any, value: Any) -> Any:
    """Return a field's value as the record holds it, or raise TypeError."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match annotation:
        case "int" if is_number and isinstance(value, int):
            return value
        case "float" if is_number and abs(value) < _LARGEST_NUMBER:
            return float(value)
        case "str" if isinstance(value, str):
            return value
        case "tuple[float, ...]" if isinstance(value, list | tuple):
            return tuple(_checked("float", v) for v in value)
        case "tuple[str, ...]" if isinstance(value, list | tuple):
            return tuple(_checked("str", v) for v in value)
    raise TypeError(f"{short_repr(value)} is not {annotation}")


def read_pixels(path: str | Path, record: InputRecord) -> np.ndarray:
    """Read a picture file as 8-bit pixels (H, W, C) of the record's size and channel order."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise MissingDependencyError(
            "reading pictures needs Pillow",
            hint="pip install 'gossamer[report]', or give a .npy file",
        ) from None
    try:
        with Image.open(path) as image:
            picture = image.convert("L" if record.channel_order == "L" else "RGB")
    except FileNotFoundError:
        raise DataError("no such file", where=path) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise DataError("not a picture that can be read", where=path) from None
    picture = _fit(picture, record)
    pixels = np.asarray(picture, np.uint8)
    if record.channel_order == "L":
        return pixels[:, :, None]
    return pixels if record.channel_order == "RGB" else np.ascontiguousarray(pixels[:, :, ::-1])


def _fit(picture: Any, record: InputRecord) -> Any:
    """Resize to the record's size, keeping the proportions when it says "crop"."""
    if picture.size == (record.width, record.height):
        return picture
    box = None
    if record.resize == "crop":
        factor = min(picture.width / record.width, picture.height / record.height)
        width, height = record.width * factor, record.height * factor
        left, top = (picture.width - width) / 2, (picture.height - height) / 2
        box = (left, top, left + width, top + height)
    return picture.resize((record.width, record.height), box=box)
