"""Fixtures that more than one test module uses."""

import os

# Before torch is loaded: nets this small gain nothing from threads, and lose much where cores are shared.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import importlib.util
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import soundfile

Audio = npt.NDArray[np.float32]
Make = Callable[..., Path]

# A shell that starts the tests in the background has them, and all that they start, ignore Ctrl-C: tests send it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

RATE = 44_100
STEMS = ("vocals", "drums", "bass", "other")
LITHIUM = Path(__file__).parents[1] / "songs" / "lithium"


@pytest.fixture
def call_demix(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """The command in this process, which has PyTorch loaded already: arguments to exit status."""
    from demix import cli

    signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["demix", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0)

    yield call
    for number, handler in signals.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def song_excerpt() -> Audio:
    """Six seconds of Lithium in which every stem sounds, `(stems, channels, samples)`, read-only."""
    stems = [
        soundfile.read(LITHIUM / f"{stem}.ogg", start=72 * RATE, frames=6 * RATE, dtype="float32")[0].T
        for stem in STEMS
    ]
    excerpt = np.stack(stems)
    excerpt.flags.writeable = False
    return excerpt


@pytest.fixture(scope="session")
def falcon() -> Path:
    """Six real seconds of MUSDB18's test set, which the stempeg package carries.

    stempeg is found, not imported: importing it needs ffmpeg on the path.
    """
    spec = importlib.util.find_spec("stempeg")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data" / "The Easton Ellises - Falcon 69.stem.mp4"


@pytest.fixture(scope="session")
def make_folder_song() -> Make:
    """Return a function that writes a song as a folder of stem files."""

    def make(folder: Path, *, suffix: str = ".wav", rate: int = RATE, **waveforms: Audio) -> Path:
        """Write `(channels, samples)` waveforms by the names of their files; wav in full precision."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, waveform in waveforms.items():
            subtype = "FLOAT" if suffix == ".wav" else None
            soundfile.write(folder / f"{name}{suffix}", waveform.T, rate, subtype=subtype)
        return folder

    return make


@pytest.fixture(scope="session")
def make_stem_mp4(encode_mp4: Make) -> Make:
    """Return a function that writes a file in the form of MUSDB18."""

    def make(path: Path, stems: Audio, *, mixture: Audio | None = None, rate: int = RATE) -> Path:
        """Write mixture (the sum of the stems unless given), drums, bass, other and vocals as AAC streams."""
        named = dict(zip(STEMS, stems, strict=True))
        mixture = stems.sum(axis=0) if mixture is None else mixture
        return encode_mp4(path, [mixture, *(named[stem] for stem in STEMS[1:]), named["vocals"]], rate=rate)

    return make


@pytest.fixture(scope="session")
def encode_mp4() -> Make:
    """Return a function that writes waveforms as the AAC streams of an mp4."""

    def encode(
        path: Path,
        waveforms: Sequence[Audio],
        *,
        rate: int | Sequence[int] = RATE,
        picture_first: bool = False,
    ) -> Path:
        """Write `(channels, samples)` waveforms in their order, after a video stream if asked for."""
        path.parent.mkdir(parents=True, exist_ok=True)
        rates = [rate] * len(waveforms) if isinstance(rate, int) else list(rate)
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
            picture = container.add_stream("mpeg4", rate=1) if picture_first else None
            streams = [container.add_stream("aac", rate=each) for each in rates]
            for stream, waveform in zip(streams, waveforms, strict=True):
                stream.layout = "mono" if len(waveform) == 1 else "stereo"
                stream.bit_rate = 256_000
            if picture is not None:
                picture.width = picture.height = 64
                picture.pix_fmt = "yuv420p"
                image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
                container.mux([*picture.encode(image), *picture.encode(None)])
            for stream, waveform in zip(streams, waveforms, strict=True):
                layout = stream.layout.name
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(waveform), format="fltp", layout=layout)
                frame.sample_rate = stream.rate
                frame.pts = 0  # else the encoder's delay is taken for music
                container.mux([*stream.encode(frame), *stream.encode(None)])
        return path

    return encode


@pytest.fixture
def songs(tmp_path: Path, song_excerpt: Audio, make_folder_song: Make) -> Path:
    """Three songs of half a second: one for each split."""
    for start, name in enumerate(("train/a", "valid/b", "test/c")):
        piece = song_excerpt[:, :, 66_150 + start * 22_050 :][:, :, :22_050]
        make_folder_song(tmp_path / "songs" / name, **dict(zip(STEMS, piece, strict=True)))
    return tmp_path / "songs"


# ---- training ----

NANO = (
    "model.options.bands=128",
    "model.options.head_maps=2",
    "model.options.head_width=4",
    "data.segment_seconds=0.5",
    "data.batch_size=2",
    "training.steps=6",
    "training.valid_every=2",
    "training.warmup_steps=2",
    "training.device=cpu",
)
NANO_NETS = {
    "unet": ("model.options.widths=[4, 8]",),
    "vit": ("model.options.embed_dim=16", "model.options.depth=2", "model.options.num_heads=2"),
}


@pytest.fixture(scope="session")
def nano_settings() -> Callable[..., list[str]]:
    """Return a function that gives settings of a net so small that a test can train it."""

    def settings(net: str = "unet", *more: str) -> list[str]:
        return [f"model.name={net}", *NANO, *NANO_NETS[net], *more]

    return settings


@pytest.fixture(scope="session")
def songs_folder(tmp_path_factory: pytest.TempPathFactory, song_excerpt: Audio) -> Path:
    """Return a folder of songs with train, valid and test splits: one, one and one, two seconds each."""
    root = tmp_path_factory.mktemp("songs")
    for index, split in enumerate(("train", "valid", "test")):
        song = root / split / f"song-{split}"
        song.mkdir(parents=True)
        piece = song_excerpt[..., index * 2 * RATE : (index + 1) * 2 * RATE]
        for stem, waveform in zip(STEMS, piece, strict=True):
            soundfile.write(song / f"{stem}.wav", waveform.T, RATE, subtype="PCM_16")
    return root
