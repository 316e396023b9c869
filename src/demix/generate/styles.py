"""All styles, and how often each is drawn."""

from demix.generate.style import Style
from demix.generate.styles_groove import GROOVE_STYLES
from demix.generate.styles_guitar import GUITAR_STYLES
from demix.generate.styles_machine import MACHINE_STYLES

STYLES: dict[str, Style] = GUITAR_STYLES | GROOVE_STYLES | MACHINE_STYLES
# How often each style is drawn: what is judged is mostly rock.
WEIGHTS = {"rock": 3.0, "hard rock": 2.0, "blues": 1.6, "sixties pop": 1.6, "synth pop": 1.4, "metal": 1.4, "punk": 1.2}
