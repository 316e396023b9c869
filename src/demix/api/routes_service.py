"""The API's facts: limits, models, examples, reports."""

from fastapi import APIRouter, Depends

from demix import __version__
from demix.api.access import Shared, authorised, limit_requests
from demix.api.examples import EXAMPLES
from demix.api.forms import KINDS
from demix.api.nets import default_net, facts_of, offered_nets
from demix.api.pages import find_reports
from demix.api.schemas import Examples, ExampleSong, Limits, Model, Models, Report, Reports, Service
from demix.config import STEMS
from demix.onnx_model import Facts

TITLES = {"unet": "U-Net", "vit": "ViT"}
SCORE = "sdr"
BASELINES = {"hpss": "harmonic-percussive separation without learning", "oracle": "the best possible masks"}

public = APIRouter(tags=["service"])
router = APIRouter(tags=["service"], dependencies=[Depends(authorised), Depends(limit_requests)])


@public.get("/service", response_model=Service)
def service(services: Shared) -> Service:
    """Tell what this server takes, and whether it asks for an API key."""
    settings = services.settings
    return Service(
        version=__version__,
        auth=bool(settings.api_keys),
        limits=Limits(
            upload_bytes=settings.upload_bytes,
            song_minutes=settings.song_minutes,
            queue=settings.queue_limit,
            keep_hours=settings.keep_hours,
        ),
        formats=list(KINDS),
        stems=list(STEMS),
    )


@router.get("/models", response_model=Models)
def models(services: Shared) -> Models:
    """List the nets."""
    offered = offered_nets(services.settings.models)
    default = default_net(tuple(offered))
    return Models(models=[_model(name, facts_of(source), default=name == default) for name, source in offered.items()])


@router.get("/examples", response_model=Examples)
def examples() -> Examples:
    """List the songs that ship with the server."""
    return Examples(examples=[ExampleSong(id=name, **vars(example)) for name, example in EXAMPLES.items()])


@router.get("/results", response_model=Reports)
def results(services: Shared) -> Reports:
    """List the reports of comparisons."""
    found = find_reports(services.settings.results_dir)
    return Reports(results=[Report(name=name, title=title, url=f"/results/{name}/") for name, title in found])


def _model(name: str, facts: Facts, *, default: bool) -> Model:
    return Model(
        name=name,
        title=TITLES.get(facts.net, name),
        parameters=facts.parameters,
        description=_describe(facts),
        default=default,
    )


def _describe(facts: Facts) -> str:
    """Say in a sentence what a net was trained on, and how well it does."""
    songs = facts.training.get("songs_seconds", {}).get("train", {})
    learnt = (
        f"Trained on {len(songs)} songs, {sum(songs.values()) / 60:.1f} minutes of music" if songs else "Trained net"
    )
    mean = facts.scores.get(SCORE, {}).get("mean")
    if mean is None:
        return f"{learnt}; not scored."
    beside = [f"{facts.baselines[name]:.1f} for {what}" for name, what in BASELINES.items() if name in facts.baselines]
    against = f" (against {', '.join(beside)})" if beside else ""
    heard = ", ".join(facts.scored_songs).title()
    return f"{learnt}; {mean:.1f} dB {SCORE} on {heard}, a song that it never heard{against}."
