"""The context curve finds how far nets listen whose context is known by construction, on real music."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from demix.config import SAMPLE_RATE
from demix.evaluation.probes.context import FADE_SECONDS, FILLS, Curve, first_radii, measure_curve, replace_context
from demix.evaluation.probes.listening import listening_radius
from demix.evaluation.probes.losses import context_rows, listening_rows
from demix.evaluation.probes.moments import Moments, choose_moments, energy
from demix.evaluation.probes.probed import ProbedNet
from demix.models import UNet
from demix.spectral import STFT

HOP_SECONDS = 1024 / SAMPLE_RATE
Cut = Callable[..., Moments]
Wrap = Callable[[nn.Module, Moments], ProbedNet]
Known = Callable[[str], nn.Module]


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize(("layers", "reach_seconds"), [(3, 2.0), (4, 3.0), (5, 6.0)])
def test_finds_the_radius_of_a_convolution_stack(
    layers: int, reach_seconds: float, fill: str, moments: Cut, wrap: Wrap, known_net: Known
) -> None:
    here = moments(reach_seconds)
    rows = listening_rows(measure_curve(wrap(known_net(f"box-{layers}"), here), here, fill=fill), system="", group="")
    half = 3**layers * HOP_SECONDS / 2  # 0.31, 0.94, 2.82 s
    assert {row.stem for row in rows} >= {"vocals", "drums", "other", "mean"}
    for row in rows:
        assert not row.reaches_edge
        assert row.radius_seconds == pytest.approx(half, rel=0.2), row


@pytest.mark.parametrize("fill", FILLS)
def test_nothing_changes_beyond_what_a_convolution_stack_reaches(
    fill: str, moments: Cut, wrap: Wrap, known_net: Known
) -> None:
    here = moments(2.0)
    # Samples within the radius fill the windows of 13 frames on either side of the probed one.
    within = (13 * 1024 + 2048) / SAMPLE_RATE
    curve = measure_curve(wrap(known_net("box-3"), here), here, fill=fill, radii=[0.2, within], refine=False)
    error = curve.reference[None] + 1
    assert (curve.change[0] > 1e-3 * curve.reference).any()
    np.testing.assert_allclose(curve.change[1] / error[0], 0, atol=1e-9)


@pytest.mark.parametrize("fill", FILLS)
def test_an_average_of_the_segment_reaches_the_edge(fill: str, moments: Cut, wrap: Wrap, known_net: Known) -> None:
    here = moments(4.0)
    for row in listening_rows(measure_curve(wrap(known_net("average"), here), here, fill=fill), system="", group=""):
        assert row.reaches_edge
        assert row.radius_seconds == pytest.approx(4.0, abs=HOP_SECONDS)


@pytest.mark.parametrize("fill", FILLS)
def test_a_pointwise_net_hears_no_context(fill: str, moments: Cut, wrap: Wrap, known_net: Known) -> None:
    here = moments(2.0)
    curve = measure_curve(wrap(known_net("pointwise"), here), here, fill=fill)
    assert all(row.radius_seconds <= 0.1 for row in listening_rows(curve, system="", group=""))
    assert all(abs(row.loss_db) < 1e-4 for row in context_rows(curve, system="", group=""))


def test_what_replaces_the_context_is_as_loud_and_another_song(moments: Cut) -> None:
    here = moments(3.0, count=4)
    levels = [np.sqrt(np.mean(np.square(each, dtype=float), axis=(1, 2))) for each in (here.mixtures, here.fillers)]
    np.testing.assert_allclose(*levels, rtol=1e-3)
    for window, filler in zip(here.mixtures, here.fillers, strict=True):
        assert abs(np.corrcoef(window.ravel(), filler.ravel())[0, 1]) < 0.1


def test_music_within_the_radius_is_untouched_and_the_cut_is_soft() -> None:
    samples, radius = 44_100, 0.25
    windows = torch.ones(1, 2, samples)
    kept = replace_context(windows, torch.zeros_like(windows), radius_seconds=radius)[0, 0]
    away = (torch.arange(samples) - samples // 2).abs()
    assert (kept[away <= 11_025] == 1).all()
    assert (kept[away > 11_026 + FADE_SECONDS * SAMPLE_RATE] == 0).all()
    assert kept.diff().abs().max() < 0.02


def test_the_probed_frame_is_the_one_in_the_middle_of_the_window(moments: Cut, wrap: Wrap, known_net: Known) -> None:
    here = moments(2.0)
    net = wrap(known_net("pointwise"), here)
    spectra = torch.view_as_complex(net.spectra(here.mixtures))[..., net.middle]
    np.testing.assert_allclose(spectra.numpy(), here.mixture_spectra, atol=1e-2)
    np.testing.assert_allclose(here.stem_spectra.sum(1), here.mixture_spectra, atol=1e-2)
    np.testing.assert_allclose(
        net.masks(torch.from_numpy(here.mixtures)).sum(1), np.ones((2, 2, TRANSFORM.bins)), rtol=1e-5
    )


TRANSFORM = STFT()


def test_moments_are_where_most_stems_sound_and_apart() -> None:
    rng = np.random.default_rng(0)
    stems = np.zeros((4, 2, 30 * SAMPLE_RATE), np.float32)
    stems[:3, :, 10 * SAMPLE_RATE : 20 * SAMPLE_RATE] = 0.1 * rng.standard_normal((3, 2, 10 * SAMPLE_RATE))
    stems[3, :, 15 * SAMPLE_RATE :] = 0.1 * rng.standard_normal((2, 15 * SAMPLE_RATE))
    chosen = np.array(choose_moments(stems, reach=2 * SAMPLE_RATE, count=4, rng=rng)) / SAMPLE_RATE
    assert len(chosen) == 4
    assert np.diff(chosen).min() > 26 / 4 / 2 - 0.1
    first_three = (chosen >= 10) & (chosen < 20)
    assert first_three.sum() >= 2
    assert (first_three | (chosen >= 15)).all()


def test_a_rare_stem_gets_its_moments() -> None:
    """The bass sounds only where fewer stems do: the most that sound at once would never let it be heard."""
    rng = np.random.default_rng(0)
    stems = 0.1 * rng.standard_normal((4, 2, 40 * SAMPLE_RATE)).astype(np.float32)
    stems[[1, 3], :, 32 * SAMPLE_RATE :] = 0
    stems[2, :, : 33 * SAMPLE_RATE] = 0
    chosen = np.array(choose_moments(stems, reach=2 * SAMPLE_RATE, count=4, rng=rng)) / SAMPLE_RATE
    assert (chosen > 32).any()
    assert (chosen < 32).sum() >= 2


def test_same_seed_same_moments_and_no_net_is_asked(moments: Cut) -> None:
    assert moments(2.0, seed=3).starts == moments(2.0, seed=3).starts
    assert moments(2.0, seed=3).starts != moments(2.0, seed=4).starts


def test_silent_stems_do_not_count() -> None:
    shape = 3, 2, 4
    reference = np.array([[4.0, 1, 0, 0], [2, 1, 0, 0]])
    error = np.broadcast_to(np.array([2.0, 1.5, 1])[:, None, None], shape).copy()
    sounding = np.array([[True, True, False, False], [True, False, False, False]])
    curve = Curve("song", "song", np.array([0.1, 1, 2]), error, error - 1, reference, sounding)
    rows = {(row.stem, row.radius_seconds): row for row in context_rows(curve, system="a", group="b")}
    assert {stem for stem, _ in rows} == {"vocals", "drums", "mean"}
    assert rows["vocals", 0.1].sdr_db == pytest.approx(10 * np.log10(6 / 4))
    assert rows["vocals", 0.1].loss_db == pytest.approx(10 * np.log10(2))
    assert rows["vocals", 0.1].change_share == pytest.approx(1)
    assert rows["vocals", 2.0].loss_db == 0
    assert (rows["vocals", 1.0].frames, rows["drums", 1.0].frames) == (2, 1)
    assert np.isnan(rows["drums", 1.0].low_db)
    assert {row.stem for row in listening_rows(curve, system="a", group="b")} == {"vocals", "drums", "mean"}


def test_intervals_hold_the_loss_of_many_frames() -> None:
    """Losses of frames whose errors grow by a factor that varies: the interval holds what many frames show."""
    rng = np.random.default_rng(1)
    held = 0
    for trial in range(200):
        whole = rng.gamma(4, size=(8, 4))
        cut = whole * rng.lognormal(0.5, 0.3, size=(8, 4))
        curve = Curve(
            "song", "song", np.array([0.1, 1.0]), np.stack([cut, whole]), np.stack([whole, 0 * whole]), 10 * whole,
            np.ones((8, 4), bool),
        )  # fmt: skip
        (row,) = (
            r
            for r in context_rows(curve, system="", group="", seed=trial)
            if (r.stem, r.radius_seconds) == ("bass", 0.1)
        )
        held += row.low_db <= 10 * np.log10(np.exp(0.5 + 0.3**2 / 2)) <= row.high_db
    assert 0.9 <= held / 200 <= 0.99


def test_the_radius_is_where_change_stays_below_a_hundredth() -> None:
    radii = np.array([0.1, 0.2, 0.4, 0.8, 1.6])
    assert listening_radius(radii, np.array([1, 0.005, 0.02, 0.0, 0])) == (pytest.approx(0.4 * 2**0.5), False)
    assert listening_radius(radii, np.array([1, 0.5, 0.4, 0.02, 0])) == (1.6, True)
    assert listening_radius(radii, np.zeros(5)) == (0.1, False)
    assert np.isnan(listening_radius(radii, np.full(5, np.nan))[0])


def test_bisection_comes_within_its_precision(moments: Cut, wrap: Wrap, known_net: Known) -> None:
    here = moments(3.0)
    net = wrap(known_net("box-4"), here)
    curve = measure_curve(net, here, fill="silence")
    added = sorted(set(curve.radii) - set(first_radii(net)))[:-1]
    assert added
    radius, _ = listening_radius(curve.radii, curve.relative_change()[:, -1])
    below, above = curve.radii[curve.radii <= radius][-1], curve.radii[curve.radii > radius][0]
    assert above / below < 1.2


def test_a_net_of_the_project_loses_what_its_estimates_lose(moments: Cut, wrap: Wrap) -> None:
    """The rows are energies of estimates: recomputed here from the definition for one radius."""
    torch.manual_seed(0)
    here = moments(2.0)
    net = wrap(UNet(bins=2049, stems=4, channels=2, bands=64, widths=(8, 8)), here)
    curve = measure_curve(net, here, fill="song", radii=[0.3], refine=False)
    row = next(row for row in context_rows(curve, system="", group="") if row.stem == "drums")
    fillers, windows = torch.from_numpy(here.fillers), torch.from_numpy(here.mixtures)
    masks = net.masks(replace_context(windows, fillers, radius_seconds=0.3))
    estimates = masks * here.mixture_spectra[:, None]
    error = energy(here.stem_spectra - estimates)[:, 1].sum()
    assert row.sdr_db == pytest.approx(10 * np.log10(here.reference()[:, 1].sum() / error), abs=1e-4)
