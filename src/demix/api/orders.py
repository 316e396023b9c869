"""What a client asks for, from a form or a query: checked, with its defaults."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import HTTPException

from demix.api.examples import EXAMPLES
from demix.api.forms import KINDS
from demix.api.jobs import Order
from demix.api.nets import default_net, offered_nets
from demix.api.settings import Settings
from demix.config import STEMS

DEFAULT_KIND = "wav"
LONGEST_TITLE = 120

_OPTIONS: dict[str, Any] = {
    "models": {"type": "array", "items": {"type": "string"}, "description": "names of models", "example": ["unet"]},
    "stems": {
        "type": "array",
        "items": {"type": "string", "enum": list(STEMS)},
        "description": "stems to keep; all by default",
    },
    "two_stems": {
        "type": "string",
        "enum": list(STEMS),
        "description": "this stem and no_<stem>, all the others together",
    },
    "format": {"type": "string", "enum": list(KINDS), "default": DEFAULT_KIND, "description": "what stems come as"},
    "title": {"type": "string", "maxLength": LONGEST_TITLE, "description": "the song's name; the file's by default"},
    "example": {"type": "string", "enum": list(EXAMPLES), "description": "an example in place of a file"},
}
_FILE = {"type": "string", "format": "binary", "description": "the song, of any format"}
ORDER_BODY = {
    "content": {
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"file": _FILE} | _OPTIONS},
            "encoding": {"models": {"explode": True}, "stems": {"explode": True}},
        },
        "application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": _OPTIONS}},
        "audio/*": {"schema": _FILE},
        "application/octet-stream": {"schema": _FILE},
    }
}
ORDER_PARAMETERS = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "schema": {key: value for key, value in schema.items() if key != "description"},
        "description": f"{schema['description']}; in a form, a field of it",
    }
    for name, schema in _OPTIONS.items()
]


def read_order(fields: Mapping[str, Sequence[str]], *, filename: str, owner: str, settings: Settings) -> Order:
    """Return what a client asks for.

    Args:
        fields: of the form or the query.
        filename: of the upload: a name to show, never a path.
        owner: hash of the API key.
        settings: which models there are.

    Raises:
        HTTPException: 422 with a sentence for an option that is none, or has a value that is none.
    """
    unknown = sorted(set(fields) - set(_OPTIONS))
    if unknown:
        raise _refusal("options", f"{', '.join(_OPTIONS)}", unknown[0])
    offered = tuple(offered_nets(settings.models))
    example = _one(fields, "example", None, list(EXAMPLES))
    two_stems = _one(fields, "two_stems", None, list(STEMS))
    if two_stems is not None and fields.get("stems"):
        raise HTTPException(422, "stems, two_stems: expected one of them, received both; leave one out")
    names = (two_stems, f"no_{two_stems}") if two_stems else _several(fields, "stems", STEMS, STEMS)
    title = next(iter(fields.get("title", [])), "") or (EXAMPLES[example].title if example else filename)
    return Order(
        title=_plain(title) or "song",
        models=_several(fields, "models", (default_net(offered),), offered),
        stems=tuple(names),
        kind=_one(fields, "format", DEFAULT_KIND, list(KINDS)) or DEFAULT_KIND,
        two_stems=two_stems,
        example=example,
        owner=owner,
    )


def _several(
    fields: Mapping[str, Sequence[str]], name: str, default: Sequence[str], allowed: Sequence[str]
) -> tuple[str, ...]:
    """Return values that may be given one by one or by commas, in the order of those allowed."""
    values = [part.strip() for value in fields.get(name, []) for part in value.split(",") if part.strip()]
    wrong = next((value for value in values if value not in allowed), None)
    if wrong is not None:
        raise _refusal(name, ", ".join(allowed), wrong)
    return tuple(each for each in allowed if each in (values or default))


def _one(fields: Mapping[str, Sequence[str]], name: str, default: str | None, allowed: Sequence[str]) -> str | None:
    values = [value for value in fields.get(name, []) if value]
    if not values:
        return default
    if len(values) > 1 or values[0] not in allowed:
        raise _refusal(name, f"one of {', '.join(allowed)}", ", ".join(values))
    return values[0]


def _refusal(name: str, expected: str, received: str) -> HTTPException:
    return HTTPException(422, f"{name}: expected {expected}, received {_plain(received)!r}")


def _plain(name: str) -> str:
    """Return the last part of what may be a path, without what cannot be printed: a title, never used as a name."""
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    return "".join(sign for sign in last if sign.isprintable()).strip()[:LONGEST_TITLE]
