"""All probes of runs on songs, into the folder `probes` of a results folder; `tables.py` says what is in its files."""

import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from demix import __version__, provenance
from demix.config import SAMPLE_RATE
from demix.config_checks import GREATEST_SEGMENT_SECONDS
from demix.data.track import Audio, Track
from demix.errors import DemixError
from demix.evaluation.probes.attention import measure_attention
from demix.evaluation.probes.attention_maps import choose_scene, draw_maps
from demix.evaluation.probes.context import FILLS, measure_curve
from demix.evaluation.probes.field import field_shares
from demix.evaluation.probes.found import Found
from demix.evaluation.probes.losses import context_rows, listening_rows
from demix.evaluation.probes.moments import Moments, take_moments
from demix.evaluation.probes.probed import ProbedNet, load_probed, whole_hops
from demix.spectral import STFT

FRAMES = 4  # of every song: a tiny ViT takes most of a minute for them on one core
RADIUS_SECONDS = 10.0
LEAST_REACH_SECONDS = 0.4  # below it, no curve begins at 0.1 s
ROOM = 0.4  # of a song lies at most before and after the frame in its window, so that frames can lie apart
PARTS = (*FILLS, "gradients and attention")  # of the work on one net and song


@dataclass(frozen=True)
class ProbeEvent:
    """What a progress bar needs to know: `what` of `system` on `track`, `done` of `total` parts of the work."""

    system: str
    track: str
    what: str
    done: int
    total: int


def probe(
    folders: Sequence[Path],
    tracks: Sequence[Track],
    out: Path,
    *,
    others: Sequence[Track] | None = None,
    groups: Mapping[str, str] | None = None,
    frames: int = FRAMES,
    radius_seconds: float | None = RADIUS_SECONDS,
    device: str = "auto",
    seed: int = 0,
    on_event: Callable[[ProbeEvent], None] | None = None,
) -> Found:
    """Probe runs on songs: context curves, effective receptive fields, attention.

    Every net is probed at the same frames with the same music in the context's place. Files of earlier probes in `out`
    are replaced at the end, each of them whole; other files there are left alone.

    Args:
        folders: run folders.
        tracks: the songs.
        out: the folder, `results/<name>/probes`.
        others: songs whose music takes the place of the context; `tracks` by default. A song never fills itself.
        groups: run name -> what it is pooled with over seeds; by default its own name.
        frames: of every song, fewer where there is no room for them.
        radius_seconds: how far the windows reach from the frame, 40 % of a song at most. None is half of each net's own
            training segment.
        device: where the nets run.
        seed: decides frames, fill, signs and draws.
        on_event: told about progress.

    Returns:
        All that was found.

    Raises:
        DemixError: without songs, for songs that are too short or without another to fill with, a radius or a number of
            frames out of bounds, for a folder that is not a run, or a full disk.
    """
    _check(folders, tracks, frames, radius_seconds)
    nets = [
        load_probed(
            folder,
            group=(groups or {}).get(folder.resolve().name),
            radius_seconds=radius_seconds,
            device=device,
        )
        for folder in folders
    ]
    names = [net.system for net in nets]
    found = Found(fields={name: [] for name in names}, weights={name: [] for name in names})
    fillers: dict[str, str] = {}
    total = len(tracks) * len(nets) * len(PARTS)
    done = 0

    def tell(net: ProbedNet, track: Track, what: str, more: int = 1) -> None:
        nonlocal done
        done += more
        if on_event:
            on_event(ProbeEvent(net.system, track.name, what, done, total))

    for track in tracks:
        song_seed = zlib.crc32(track.name.encode()) + seed
        other = _choose_other(track, tracks if others is None else others, song_seed)
        fillers[track.name] = other.name
        stems, mixture = track.load()
        filling = other.mixture()
        known: dict[tuple[STFT, int], Moments] = {}
        for net in (_fit(net, track, mixture) for net in nets):
            tell(net, track, PARTS[0], 0)
            key = net.stft, net.reach
            if key not in known:
                cut = partial(take_moments, stems, mixture, filling, track=track.name, count=frames, seed=song_seed)
                known[key] = cut(stft=net.stft, reach=net.reach)
            moments = known[key]
            for fill in FILLS:
                curve = measure_curve(net, moments, fill=fill)
                found.context += context_rows(curve, system=net.system, group=net.group, seed=seed)
                found.listening += listening_rows(curve, system=net.system, group=net.group)
                tell(net, track, fill)
            found.fields[net.system].append(field_shares(net, moments, seed=seed))
            found.weights[net.system] += measure_attention(net, moments)
            found.scene = found.scene or choose_scene(moments)
            if net.system not in found.maps and (maps := draw_maps(net, found.scene)):
                found.maps[net.system] = maps
            tell(net, track, PARTS[-1])
    facts = {"frames": frames, "radius_seconds": radius_seconds, "seed": seed, "fillers": fillers}
    found.finish(nets)
    found.write(out, {**_provenance(), **facts, "groups": {net.system: net.group for net in nets}})
    return found


def _check(folders: Sequence[Path], tracks: Sequence[Track], frames: int, radius_seconds: float | None) -> None:
    """Raise `DemixError` for what cannot be probed."""
    if not tracks:
        raise DemixError("probe: expected at least one song, received none; choose another split")
    names = [folder.resolve().name for folder in folders]
    double = next((name for name in names if names.count(name) > 1), None)
    if double:
        raise DemixError(f"{double}: expected run folders of different names, received two of it; rename one")
    if frames < 1:
        raise DemixError(f"frames: expected at least 1, received {frames}")
    greatest = GREATEST_SEGMENT_SECONDS / 2
    if radius_seconds is not None and not LEAST_REACH_SECONDS <= radius_seconds <= greatest:
        raise DemixError(f"radius: expected {LEAST_REACH_SECONDS} to {greatest:g} seconds, received {radius_seconds:g}")


def _fit(net: ProbedNet, track: Track, mixture: Audio) -> ProbedNet:
    """Return the net with windows that the song has room for."""
    reach = min(net.reach, whole_hops(int(ROOM * mixture.shape[-1]), net.stft.hop_length))
    seconds = reach / SAMPLE_RATE
    # The hop that rounding takes away is allowed for.
    if seconds < LEAST_REACH_SECONDS - net.stft.hop_length / SAMPLE_RATE or reach <= net.stft.n_fft:
        raise DemixError(
            f"{track.name}: expected a song and training segments that leave {LEAST_REACH_SECONDS} s on both sides of "
            f"a frame, {net.system} has {seconds:.2f} s; probe longer songs, or set a radius"
        )
    return replace(net, reach=reach)


def _choose_other(track: Track, others: Sequence[Track], seed: int) -> Track:
    """Return another song, by chance."""
    choice = [other for other in others if other.name != track.name]
    if not choice:
        raise DemixError(f"{track.name}: expected another song to take its context's place, found none; add a song")
    return choice[int(np.random.default_rng(seed).integers(len(choice)))]


def _provenance() -> dict[str, object]:
    return {
        "created": provenance.timestamp(),
        "version": __version__,
        "commit": provenance.git_commit(),
        "command": " ".join(["demix", *sys.argv[1:]]),
        "machine": provenance.machine(),
    }
