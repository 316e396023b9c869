"""A bank of SoundFont notes: each is played by FluidSynth once and kept, so that songs are additions of arrays.

A note is known by its font (the file's content), preset, key, velocity layer and length class. Files hold 16-bit
samples and their scale; what is in memory is bounded, the oldest goes first.
"""

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from demix.config import SAMPLE_RATE
from demix.files import writing
from demix.generate.fluid import Player
from demix.generate.fonts import Font

Wave = npt.NDArray[np.float32]

FORMAT = 1  # raise it when the same note is played otherwise
LAYERS = (45, 80, 112)  # velocities that notes are played with
CLASSES_SECONDS = (0.4, 1.0, 2.5, 6.0, 12.0)  # for which keys are held
TAIL_SECONDS = 0.7  # played after a class's length, so that a note can be faded out there
SILENT_DB = -72.0  # below a note's peak; what is quieter at its end is left out
STEREO_DB = -14.0  # of the side against the middle; a narrower note is kept as one channel
HEAD = np.dtype([("scale", "<f4"), ("channels", "<i4")])


def nearest_layer(velocity: int) -> int:
    """Return the one of `LAYERS` that a note of some velocity is taken from."""
    return min(LAYERS, key=lambda layer: abs(layer - velocity))


@dataclass
class NoteBank:
    """Notes by what they are, in memory and on disk.

    Args:
        folder: where they are kept.
        memory_bytes: of samples held in memory at most.
    """

    folder: Path
    memory_bytes: int = 256 << 20
    _held: "OrderedDict[tuple[str, int, int, int, int, int], Wave]" = field(default_factory=OrderedDict)
    _bytes: int = 0
    _players: dict[str, Player] = field(default_factory=dict)

    def note(self, font: Font, bank: int, program: int, key: int, *, velocity: int, seconds: float) -> Wave:
        """Return a note that sounds for at least `seconds` (as long as the instrument itself lasts, 12 s at most).

        Args:
            font: the SoundFont.
            bank: of the preset.
            program: of the preset.
            key: MIDI key.
            velocity: 1 to 127; the nearest of `LAYERS` is taken.
            seconds: how long the key is held.

        Returns:
            The wave `(channels, samples)` with one channel or two, not to be written to, as loud as it is at
            `nearest_layer(velocity)`.
        """
        layer = LAYERS.index(nearest_layer(velocity))
        length = next((number for number, most in enumerate(CLASSES_SECONDS) if most >= seconds), -1)
        length = length % len(CLASSES_SECONDS)
        known = (font.identity, bank, program, key, layer, length)
        wave = self._held.get(known)
        if wave is None:
            wave = self._read(font, known)
            self._held[known] = wave
            self._bytes += wave.nbytes
            while self._bytes > self.memory_bytes and len(self._held) > 1:
                self._bytes -= self._held.popitem(last=False)[1].nbytes
        else:
            self._held.move_to_end(known)
        return wave

    def _read(self, font: Font, known: tuple[str, int, int, int, int, int]) -> Wave:
        identity, bank, program, key, layer, length = known
        path = self.folder / f"{identity}-{FORMAT}" / f"{bank}-{program}" / f"{key}-{layer}-{length}.note"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            data = b""
        if not data:  # also of a disk that was full
            data = self._play(font, bank, program, key, LAYERS[layer], CLASSES_SECONDS[length])
            _write(path, data)
        head = np.frombuffer(data, HEAD, 1)[0]
        samples = np.frombuffer(data, "<i2", offset=HEAD.itemsize).reshape(int(head["channels"]), -1)
        return samples * np.float32(head["scale"])

    def _play(self, font: Font, bank: int, program: int, key: int, velocity: int, seconds: float) -> bytes:
        if font.identity not in self._players:
            self._players[font.identity] = Player(font.path)
        samples = round((seconds + TAIL_SECONDS) * SAMPLE_RATE)
        player = self._players[font.identity]
        wave = player.play(bank, program, key, velocity=velocity, held_samples=samples, samples=samples)
        middle, side = (wave[0] + wave[1]) / 2, (wave[0] - wave[1]) / 2
        if np.square(side).sum() < 10 ** (STEREO_DB / 10) * np.square(middle).sum() or not middle.any():
            wave = middle[None]
        loud = np.abs(wave).max(axis=0)
        peak = float(loud.max())
        last = int(np.flatnonzero(loud >= peak * 10 ** (SILENT_DB / 20))[-1]) + 1
        head = np.array([(peak / 32767, len(wave))], HEAD)
        scaled = wave[:, :last] * np.float32(32767 / peak if peak else 0)
        return head.tobytes() + np.round(scaled).astype("<i2").tobytes()


def _write(path: Path, data: bytes) -> None:
    """Write a file whole; several processes may make the same note at once, so that each has its own neighbour."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
