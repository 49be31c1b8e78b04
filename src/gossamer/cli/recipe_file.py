"""A recipe as a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gossamer.errors import DataError


def read_json(path: Path) -> Any:
    """Read a JSON file; raises DataError if it is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError("no such file", where=path) from None
    except OSError as error:
        raise DataError("the file cannot be read", where=path, got=error.strerror) from None
    except ValueError as error:
        raise DataError("not JSON", where=path, got=error) from None
