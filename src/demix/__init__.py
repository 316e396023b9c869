"""demix: cut a song into vocals, drums, bass and other, and compare the nets that do it.

from demix import load

separator = load("unet")
stems = separator.separate(waveform)          # {"vocals": (channels, samples), ...}
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from demix.pretrained import load
    from demix.separation import separate
    from demix.separator import Separator

__all__ = ["Separator", "__version__", "load", "separate"]
__version__ = "0.1.0"

_HOMES = {"Separator": "demix.separator", "load": "demix.pretrained", "separate": "demix.separation"}


def __getattr__(name: str) -> object:
    """Import a name when it is first asked for: `import demix` alone stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
