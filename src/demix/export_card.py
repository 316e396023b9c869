"""The model card: in Markdown, what the metadata of an ONNX file says, for people."""

from pathlib import Path

from demix.files import atomic
from demix.onnx_model import Facts

FEW_MINUTES = 300  # MUSDB18's 86 training songs last 330
METRIC_NOTES = {
    "sdr": "whole song, mean over songs",
    "sdr_bsseval": "median over the seconds in which no stem is silent, then over songs; it falls far below 0 "
    "where a stem is all but silent in most of these",
}


def write_card(path: Path, facts: Facts) -> None:
    """Write the model card, whole or not at all.

    Raises:
        DemixError: when it cannot be written.
    """
    with atomic(path) as file:
        file.write(make_card(facts).encode())


def make_card(facts: Facts) -> str:
    """Return the model card as Markdown."""
    return f"""# {facts.name}

Cuts a song into {", ".join(facts.stems)} by masking its spectrogram. Architecture `{facts.net}`, preset
`{facts.training["preset"]}`, {facts.parameters:,} parameters.

## Trained on

{_training(facts)}

## Scores

{_scores(facts)}

## Not good for

{_limits(facts)}

## Input and output

{_shapes(facts)}
"""


def _training(facts: Facts) -> str:
    training = facts.training
    commit = f", commit {training['commit']}" if training["commit"] else ""
    heard_hours = training["best_step"] * training["batch_size"] * facts.segment_seconds / 3600
    lines = [f"- Data set `{training['dataset']}`. Licence of its songs: {training['licence']}."]
    for split, purpose in (("train", "Learnt from"), ("valid", "Weights chosen on")):
        # Songs of further sets are called <set>/<song>; the sets have a line each below.
        songs = {name: length for name, length in training["songs_seconds"].get(split, {}).items() if "/" not in name}
        minutes = sum(songs.values()) / 60
        lines.append(f"- {purpose}, {minutes:.1f} minutes: {', '.join(songs) or 'not recorded'}.")
    for name, more in training.get("datasets", {}).items():
        if name != training["dataset"]:
            lines.append(
                f"- Also learnt from `{name}`, {more['songs']} songs, {more['minutes']:.1f} minutes, with weight "
                f"{more['weight']:g} beside 1. Licence: {more['licence']}."
            )
    lines += [
        f"- Weights of step {training['best_step']:,} of {training['steps']:,}.",
        f"- A step is {training['batch_size']} segments of {facts.segment_seconds:g} s.",
        f"- Heard {heard_hours:.1f} hours until then: the same songs, cut and mixed anew each time.",
        *([f"- Begun with the ImageNet weights of `{training['init']}`."] if training.get("init") else []),
        f"- Begun {training['created']}, seed {training['seed']}{commit}; exported by demix {facts.demix}.",
    ]
    return "\n".join(lines)


def _scores(facts: Facts) -> str:
    if not facts.scores:
        return "Not scored."
    head = [*facts.stems, "mean"]
    lines = [
        f"In dB, on {', '.join(facts.scored_songs)}, of which nothing was trained or chosen.",
        "",
        f"| metric | {' | '.join(head)} |",
        f"|---|{'---|' * len(head)}",
    ]
    lines += [
        f"| `{metric}` | {' | '.join(f'{row[stem]:.2f}' if stem in row else '–' for stem in head)} |"
        for metric, row in facts.scores.items()
    ]
    lines += ["", *(f"- `{metric}`: {METRIC_NOTES[metric]}." for metric in facts.scores if metric in METRIC_NOTES)]
    if facts.baselines:
        others = ", ".join(f"`{name}` {value:.2f}" for name, value in facts.baselines.items())
        lines.append(f"- Mean `sdr` of the baselines of `demix evaluate`, which learn nothing: {others}.")
    return "\n".join(lines)


def _limits(facts: Facts) -> str:
    lines = []
    train_minutes = sum(facts.training["songs_seconds"].get("train", {}).values()) / 60
    if train_minutes < FEW_MINUTES:
        lines.append(f"- {train_minutes:.0f} minutes of music are little: on other music stems bleed into each other.")
    if len(facts.training["artists"]) == 1:
        lines.append("- All songs, those of the scores too, are by one artist: other styles will score lower.")
    lines += [
        "- The masks keep the phase of the mixture, so no stem can be perfect.",
        f"- It knows {', '.join(facts.stems)}, and nothing finer: no single instruments or singers.",
    ]
    return "\n".join(lines)


def _shapes(facts: Facts) -> str:
    bins = facts.n_fft // 2 + 1
    spectrum = f"(batch, {facts.channels} channels, {bins} bins, frames, 2)"
    masks = f"(batch, {len(facts.stems)} stems, {facts.channels} channels, {bins} bins, frames)"
    sums = ". Over the stems they add up to 1, so that the stems add up to the song" if facts.mask == "softmax" else ""
    lines = [
        f"- `spectrum`, float32 `{spectrum}`: real and imaginary part of the STFT.",
        f"- The STFT: {facts.sample_rate} Hz, `n_fft` {facts.n_fft}, `hop_length` {facts.hop_length}.",
        "- Its window is the periodic Hann window; it is centred and not scaled.",
        f"- `masks`, float32 `{masks}`: 0 to 1{sums}.",
        f"- Best in chunks of {facts.segment_seconds:g} s, as in training.",
        "- The file's metadata holds all that is on this card, as JSON.",
    ]
    return "\n".join(lines)
