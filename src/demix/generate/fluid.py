"""FluidSynth, called straight through its C interface: one note of a SoundFont as samples.

Only floats are asked for: the 16-bit output is dithered, so that a note would depend on those played before it.
Reference: https://www.fluidsynth.org/api/
"""

import ctypes
import ctypes.util
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from demix.config import SAMPLE_RATE
from demix.errors import DemixError

BLOCK = 64  # samples; FluidSynth begins notes at multiples of it
GAIN = 0.6  # of the synthesiser: the loudest note stays below full scale
WARM_UP = 10 * BLOCK  # samples
CHANNELS = 16  # presets that a synthesiser holds at once
SETTINGS = {"synth.reverb.active": 0, "synth.chorus.active": 0, "synth.dynamic-sample-loading": 1}


class Player:
    """A synthesiser that holds one SoundFont.

    Args:
        font: the SoundFont file.

    Raises:
        DemixError: when FluidSynth is not installed or cannot read the file.
    """

    def __init__(self, font: Path) -> None:
        self._library = library = _load()
        self._settings = settings = library.new_fluid_settings()
        for name, value in SETTINGS.items():
            library.fluid_settings_setint(settings, name.encode(), value)
        library.fluid_settings_setnum(settings, b"synth.gain", GAIN)
        library.fluid_settings_setnum(settings, b"synth.sample-rate", float(SAMPLE_RATE))
        self._synth = library.new_fluid_synth(settings)
        self._font = library.fluid_synth_sfload(self._synth, str(font).encode(), 0)
        self._channels: dict[tuple[int, int], int] = {}
        if self._font < 0:
            self.close()
            raise DemixError(f"{font}: expected a SoundFont that FluidSynth reads; install its package again")

    def play(
        self, bank: int, program: int, key: int, *, velocity: int, held_samples: int, samples: int
    ) -> npt.NDArray[np.float32]:
        """Play one note from silence.

        Args:
            bank: of the preset; 128 holds drum kits.
            program: of the preset, 0 to 127.
            key: MIDI key.
            velocity: 1 to 127.
            held_samples: after which the key is let go.
            samples: length of the result.

        Returns:
            `(2, samples)`; silence where the font has no such preset.
        """
        library, synth = self._library, self._synth
        channel = self._channel(bank, program)
        if channel is None:
            return np.zeros((2, samples), np.float32)
        for start in (WARM_UP, 0):  # a first note differs a little from all that follow; only those are repeatable
            library.fluid_synth_all_sounds_off(synth, -1)
            self._write(BLOCK)
            library.fluid_synth_noteon(synth, channel, key, velocity)
            self._write(start)
        held = min(samples, held_samples) // BLOCK * BLOCK
        parts = [self._write(held)]
        if samples > held:
            library.fluid_synth_noteoff(synth, channel, key)
            parts.append(self._write(samples - held))
        return np.concatenate(parts, axis=1)

    def close(self) -> None:
        """Free what FluidSynth holds."""
        self._library.delete_fluid_synth(self._synth)
        self._library.delete_fluid_settings(self._settings)

    def _channel(self, bank: int, program: int) -> int | None:
        """Return the channel that plays a preset; a channel keeps its samples, which take seconds to unpack."""
        preset = (bank, program)
        if preset not in self._channels:
            channel = len(self._channels)
            if channel >= CHANNELS:
                channel = self._channels.pop(next(iter(self._channels)))
            if self._library.fluid_synth_program_select(self._synth, channel, self._font, bank, program):
                return None
            self._channels[preset] = channel
        return self._channels[preset]

    def _write(self, samples: int) -> npt.NDArray[np.float32]:
        whole = -(-samples // BLOCK) * BLOCK
        out = np.zeros((2, whole), np.float32)
        left, right = (channel.ctypes.data_as(ctypes.c_void_p) for channel in out)
        self._library.fluid_synth_write_float(self._synth, whole, left, 0, 1, right, 0, 1)
        return out[:, :samples]


def _load() -> Any:
    """Return FluidSynth's library with the types of its functions set.

    Raises:
        DemixError: when it is not installed.
    """
    name = ctypes.util.find_library("fluidsynth")
    if name is None:
        raise DemixError("generate: expected FluidSynth, which is missing; apt-get install libfluidsynth3")
    library = ctypes.CDLL(name)
    pointer, integer, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    types: dict[str, tuple[Any, list[Any]]] = {
        "new_fluid_settings": (pointer, []),
        "fluid_settings_setint": (integer, [pointer, text, integer]),
        "fluid_settings_setnum": (integer, [pointer, text, ctypes.c_double]),
        "new_fluid_synth": (pointer, [pointer]),
        "fluid_synth_sfload": (integer, [pointer, text, integer]),
        "fluid_synth_all_sounds_off": (integer, [pointer, integer]),
        "fluid_synth_program_select": (integer, [pointer, integer, integer, integer, integer]),
        "fluid_synth_noteon": (integer, [pointer, integer, integer, integer]),
        "fluid_synth_noteoff": (integer, [pointer, integer, integer]),
        "fluid_synth_write_float": (integer, [pointer, integer, pointer, integer, integer, pointer, integer, integer]),
        "delete_fluid_synth": (None, [pointer]),
        "delete_fluid_settings": (None, [pointer]),
        "fluid_set_log_function": (pointer, [integer, pointer, pointer]),
    }
    for function, (result, arguments) in types.items():
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    for level in range(5):  # what goes wrong is told by return values; its own lines would spoil the progress bar
        library.fluid_set_log_function(level, None, None)
    return library
