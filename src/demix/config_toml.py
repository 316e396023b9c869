"""TOML files and single values of TOML."""

import tomllib
from pathlib import Path
from typing import Any

from demix.errors import DemixError


def parse_value(text: str, kind: Any) -> Any:
    """Read a value as TOML; of a key whose `kind` is text, what is no text in TOML is the text itself."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return text if kind is str and not isinstance(value, str) else value


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        DemixError: when it cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DemixError(f"{path}: cannot be read ({error.strerror}); name a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DemixError(f"{path}: expected TOML, but {error}; see configs/ for examples") from error
