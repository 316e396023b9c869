"""Where drum samples come from besides SoundFonts: kits for Hydrogen, one-shots of Sonic Pi; with their licences.

A kit here is a table from General MIDI percussion keys to files.
"""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

HYDROGEN = Path("/usr/share/hydrogen/data/drumkits")
SONIC_PI = Path("/usr/share/sonic-pi/samples")
FREE = (  # in a kit's own words: what it says, what that is; anything else is not used
    (r"creative commons 0|cc-?0|public domain", "CC0"),
    (r"cc-by ==>|cc-by[ -]?[34]|attribution [34]", "CC BY"),
    (r"attribution-?\s?share\s?-?alike|cc-by-sa", "CC BY-SA"),
    (r"\bgpl|general public license", "GPL"),
)
UNFREE = r"non-?\s?commercial|no-?\s?deriv|by-n[cd]"
# First match counts; of names in lower case.
NAMES = (
    (r"empty|whistle|zap|^fx|roll|sample:|choke|swish|glass|snaps?", None),
    (r"side ?stick|rim ?click|\bstick", 37),
    (r"clap", 39),
    (r"kick|bass ?drum|thump|djembe1 bass|dununba1 head hit", 36),
    (r"rim ?shot", 40),
    (r"snare|slaps?$|drum 2", 38),
    (r"(ped|foot|\bpd\b)", 44),
    (r"(open|\bop\b|ohh|free).*|hat ring", 46),
    (r"hi-?\s?hat|hat|hh\b", 42),
    (r"floor|tom.?low|low tom|head mute|bass$", 43),
    (r"tom.?mid|middle tom|^tom$|tom 2|tone$|conga 2", 47),
    (r"tom.?hi|high tom|tom 1|conga 1", 50),
    (r"cup|ride bell|\bbell|bell hit", 53),
    (r"ride", 51),
    (r"splash", 55),
    (r"china", 52),
    (r"crash|cymbal", 49),
    (r"tamb", 54),
    (r"cowbell|bell mute", 56),
    (r"maraca", 70),
    (r"bongo hi", 60),
    (r"bongo lo", 61),
    (r"clave", 75),
    (r"wood", 76),
)
ONE_SHOTS = {  # beginnings of Sonic Pi's names
    36: ("bd_", "drum_heavy_kick", "drum_bass_", "elec_soft_kick", "elec_hollow_kick"),
    37: ("elec_tick", "perc_snap", "elec_wood"),
    38: ("sn_", "drum_snare_", "elec_snare", "elec_hi_snare", "elec_lo_snare", "elec_mid_snare", "elec_filt_snare"),
    39: ("perc_snap", "elec_filt_snare", "sn_generic"),
    42: ("drum_cymbal_closed", "elec_tick", "elec_cymbal", "drum_cymbal_pedal"),
    44: ("drum_cymbal_pedal", "drum_cymbal_closed"),
    46: ("drum_cymbal_open", "elec_cymbal"),
    43: ("drum_tom_lo_", "elec_fuzz_tom", "tabla_ghe"),
    47: ("drum_tom_mid_", "elec_fuzz_tom", "tabla_tun"),
    50: ("drum_tom_hi_", "tabla_na"),
    49: ("drum_cymbal_hard", "drum_splash_hard"),
    51: ("drum_cymbal_soft",),
    53: ("perc_bell", "elec_triangle"),
    55: ("drum_splash_",),
    54: ("elec_triangle", "drum_cymbal_pedal"),
    56: ("drum_cowbell", "elec_bong", "elec_ping"),
    63: ("tabla_te", "tabla_ke", "elec_plip"),
    64: ("tabla_ghe", "elec_pop"),
}


@dataclass(frozen=True)
class FileKit:
    """A drum kit of sound files.

    Args:
        name: of the kit.
        licence: what it may be used under, and who made it.
        electronic: it is a machine's.
        files: by General MIDI percussion key the files: softest first, of a machine's kit to choose from.
    """

    name: str
    licence: str
    electronic: bool
    files: dict[int, tuple[Path, ...]]


ELECTRONIC = ("Audiophob", "ElectricEmpireKit", "HardElectro1", "VariBreaks", "rumpf_kit_z01_gm")
LEAST_KEYS = {36, 38, 42}  # without them it is no kit


def hydrogen_kits(folder: Path = HYDROGEN) -> list[FileKit]:
    """Return the free kits for Hydrogen that are installed; none where there is no such folder."""
    kits = [kit for path in sorted(folder.glob("*/drumkit.xml")) if (kit := _read_kit(path))]
    return [kit for kit in kits if set(kit.files) >= LEAST_KEYS]


def one_shots(folder: Path = SONIC_PI) -> list[FileKit]:
    """Return Sonic Pi's one-shots as a kit whose layers are choices; none where they are not installed."""
    files = {
        key: tuple(path for name in names for path in sorted(folder.glob(f"{name}*.flac")))
        for key, names in ONE_SHOTS.items()
    }
    files = {key: paths for key, paths in files.items() if paths}
    return [FileKit("sonic-pi", "CC0: samples of Sonic Pi", True, files)] if set(files) >= LEAST_KEYS else []


def free_licence(text: str) -> str | None:
    """Return the free licence that a kit's own words name; None where they name none."""
    if re.search(UNFREE, text.lower()):
        return None
    return next((name for pattern, name in reversed(FREE) if re.search(pattern, text.lower())), None)


def key_of(name: str) -> int | None:
    """Return the General MIDI percussion key of an instrument's name; None for what is none."""
    return next((key for pattern, key in NAMES if re.search(pattern, name.lower())), None)


def _read_kit(path: Path) -> FileKit | None:
    text = re.sub(r'\sxmlns="[^"]*"', "", path.read_text(encoding="utf-8", errors="replace"))
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 (a file of a Debian package)
    except ElementTree.ParseError:
        return None
    licence = free_licence(" ".join(root.findtext(tag) or "" for tag in ("license", "info")))
    if licence is None:
        return None
    name = root.findtext("name") or path.parent.name
    electronic = name in ELECTRONIC
    files: dict[int, tuple[Path, ...]] = {}
    for instrument in root.iter("instrument"):
        key = key_of(instrument.findtext("name") or "")
        layers = _layers(path.parent, instrument)
        if key is None or not layers:
            continue
        if electronic:
            files[key] = (*files.get(key, ()), *layers)
        elif len(layers) > len(files.get(key, ())):
            files[key] = layers
    return FileKit(name, f"{licence}: {name} by {root.findtext('author')}", electronic, files)


def _layers(folder: Path, instrument: ElementTree.Element) -> tuple[Path, ...]:
    found: list[tuple[float, Path]] = []
    for layer in instrument.iter("layer"):
        found.append((float(layer.findtext("max") or 1), folder / (layer.findtext("filename") or "-")))
    if not found:
        found = [(1.0, folder / (instrument.findtext("filename") or "-"))]
    return tuple(path for _, path in sorted(found) if path.is_file())
