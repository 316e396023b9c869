"""Parts of the evidence that need no training: lengths of chunks at inference, probes, counterfactual songs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from demix import metrics
from demix.config import STEMS
from demix.data.loop_patterns import Loops
from demix.data.loops import write_loops
from demix.data.track import Track
from demix.evaluation.baselines import BASELINES
from demix.evaluation.evaluate import fingerprint_inputs
from demix.evaluation.probes.bands import BandRow, LevelRow, net_estimate, score_bands
from demix.evaluation.probes.found import INPUTS_FILE
from demix.evaluation.probes.repetition import RepetitionRow, score_repetition
from demix.evaluation.probes.run import ProbeEvent, probe
from demix.evidence_runs import Tell, Trained
from demix.files import atomic
from demix.pretrained import make_separator
from demix.protocol import LoopSongs as LoopSettings
from demix.protocol import Probes as ProbeSettings
from demix.report.loops_page import write_page
from demix.rows import write_rows
from demix.runtime import load_run, pick_device

CHUNK_COLUMNS = ("system", "group", "seed", "chunk_seconds", "track", "stem", "sdr")


def score_chunks(
    runs: Sequence[Trained], songs: Sequence[Track], out: Path, chunk_seconds: Sequence[float], *, tell: Tell
) -> None:
    """Separate songs with trained nets in chunks of other lengths than they were trained on, into `out/chunks.csv`.

    The file is left as it is where it is there: `evaluate` removes it with the scores that it belongs to.
    """
    path = out / "chunks.csv"
    if path.is_file():
        return
    rows = []
    total = len(runs) * len(songs) * len(chunk_seconds)
    for place, trained in enumerate(runs):
        run = load_run(trained.run.folder, device=trained.run.settings.training.device)
        separator = make_separator(run.net, run.config, device=pick_device(trained.run.settings.training.device))
        for number, track in enumerate(songs):
            stems, mixture = track.load()
            for each, seconds in enumerate(chunk_seconds):
                done = (place * len(songs) + number) * len(chunk_seconds) + each
                tell("score chunks", done, total, f"{run.name} on {track.name} in chunks of {seconds:g} s")
                parts = replace(separator, chunk_seconds=seconds).separate(mixture)
                scores = metrics.sdr(stems, np.stack([parts[stem] for stem in STEMS]))
                start = (run.name, trained.variant.group, trained.seed, f"{seconds:g}", track.name)
                rows += [(*start, stem, float(score)) for stem, score in zip(STEMS, scores, strict=True)]
    tell("score chunks", total, total, "")
    write_rows(path, CHUNK_COLUMNS, rows)


def probe_nets(
    runs: Sequence[Trained],
    songs: Sequence[Track],
    others: Sequence[Track],
    out: Path,
    settings: ProbeSettings,
    *,
    tell: Tell,
) -> None:
    """Ask trained nets what they listen to, into `out`, unless exactly these were asked there.

    Args:
        runs: all of them are scored by band and level; the first ones of each net are probed for context.
        songs: the test songs.
        others: songs whose music takes the place of context.
        out: the folder.
        settings: of the protocol.
        tell: told about progress.
    """
    folders = [trained.run.folder for trained in runs]
    inputs = fingerprint_inputs(folders, songs, settings=asdict(settings), others=[track.name for track in others])
    mark = out / INPUTS_FILE
    if _read_mark(mark) == inputs:
        return
    mark.unlink(missing_ok=True)
    device = runs[0].run.settings.training.device
    groups = {trained.run.folder.resolve().name: trained.variant.group for trained in runs}
    firsts = [
        trained.run.folder
        for trained in runs
        if [each.seed for each in runs if each.variant == trained.variant].index(trained.seed) < settings.seeds
    ]

    def listen(event: ProbeEvent) -> None:
        tell("probe nets", event.done, event.total, f"{event.system}: {event.what}, {event.track}")

    chosen = songs[: settings.songs]
    options = {"frames": settings.frames, "radius_seconds": settings.radius_seconds, "device": device}
    probe(firsts, chosen, out, others=others, groups=groups, on_event=listen, **options)  # type: ignore[arg-type]
    bands: list[BandRow] = []
    levels: list[LevelRow] = []
    repeated: list[RepetitionRow] = []
    estimates = {
        run.name: net_estimate(run, device=device) for run in (load_run(each, device=device) for each in folders)
    }
    for done, track in enumerate(songs):
        tell("probe songs", done, len(songs), track.name)
        found = score_bands(
            {**estimates, "mixture": BASELINES["mixture"], "oracle": BASELINES["oracle"]}, groups, [track]
        )
        bands += found[0]
        levels += found[1]
        repeated += score_repetition(track)
    tell("probe songs", len(songs), len(songs), "")
    write_rows(out / "bands.csv", BandRow._fields, bands)
    write_rows(out / "levels.csv", LevelRow._fields, levels)
    write_rows(out / "repetition.csv", RepetitionRow._fields, repeated)
    with atomic(mark) as file:
        file.write((json.dumps(inputs, indent=2) + "\n").encode())


def _read_mark(mark: Path) -> object:
    """Return what a mark says; None where there is none, or a damaged one."""
    try:
        return json.loads(mark.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def make_loops(songs: Sequence[Track], out: Path, settings: LoopSettings, *, tell: Tell) -> list[Track]:
    """Assemble counterfactual songs from the test songs, in the folder `out`, with a page to hear them."""
    done = 0

    def listen(base: str) -> None:
        nonlocal done
        done += 1
        tell("make loop songs", done - 1, settings.bases, base)

    made = write_loops(songs, out, Loops(**asdict(settings)), on_base=listen)
    write_page(out)
    tell("make loop songs", settings.bases, settings.bases, "")
    return made
