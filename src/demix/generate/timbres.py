"""How a part sounds in one song: which instrument plays it and what its sound is sent through."""

from dataclasses import dataclass, field

from demix.generate.effects import Wave, chorus, compress, drive, tremolo
from demix.generate.fonts import Font
from demix.generate.space import Curve
from demix.generate.synth import Patch


@dataclass(frozen=True)
class Timbre:
    """The sound of a part.

    Args:
        font: the SoundFont.
        bank: of the preset.
        program: of the preset.
        shift: semitones by which the instrument's samples are sped up; the note they play is lower by as much.
        bend_cents: all notes are out of tune by so much.
        wide: two channels are kept where the instrument has them.
        takes: 2 plays the part twice, one for each side.
        loose_seconds: by which takes differ.
        release_seconds: a note's fading.
        ring_seconds: notes are held longer by so much.
        dynamics: power of the velocity that a note's level follows; 2 as in SoundFonts.
        drive_db: overdrive; none where None.
        bias: of the overdrive.
        tight_hz: of the overdrive.
        crush: gain and share of a saturated copy; none where None.
        ratio: of the compressor; 1 is none.
        tremolo: hertz and depth, or None.
        chorus: hertz, seconds and mix, or None.
        curve: equaliser.
        pan: -1 to 1.
        send_db: of the room.
        echo: whether it repeats.
        level_db: among the parts of its stem.
        seed: of what is drawn while playing.
        patch: our own synthesizer plays it, and neither font, bank nor program count; None where it does not.
    """

    font: Font
    bank: int
    program: int
    shift: int = 0
    bend_cents: float = 0.0
    wide: bool = False
    takes: int = 1
    loose_seconds: float = 0.008
    release_seconds: float = 0.1
    ring_seconds: float = 0.0
    dynamics: float = 2.0
    drive_db: float | None = None
    bias: float = 0.0
    tight_hz: float = 0.0
    crush: tuple[float, float] | None = None
    ratio: float = 1.0
    tremolo: tuple[float, float] | None = None
    chorus: tuple[float, float, float] | None = None
    curve: Curve = field(default=())
    pan: float = 0.0
    send_db: float = -60.0
    echo: bool = False
    level_db: float = 0.0
    seed: int = 0
    patch: Patch | None = None


def colour(wave: Wave, timbre: Timbre, *, channels: int) -> Wave:
    """Send a part through what is not linear: amplifier, compressor, tremolo, chorus. The wave itself is used up."""
    if timbre.drive_db is not None:
        wave = drive(wave, gain_db=timbre.drive_db, bias=timbre.bias, tight_hz=timbre.tight_hz)
    if timbre.crush is not None:
        wave = drive(wave, gain_db=timbre.crush[0], mix=timbre.crush[1])
    if timbre.ratio > 1:
        wave = compress(wave, threshold_db=-6, ratio=timbre.ratio, seconds=0.04)
    if timbre.tremolo is not None:
        wave = tremolo(wave, hertz=timbre.tremolo[0], depth=timbre.tremolo[1])
    if timbre.chorus is not None:
        hertz, seconds, mix = timbre.chorus
        wave = chorus(wave, hertz=hertz, depth_seconds=seconds, mix=mix, channels=channels)
    return wave
