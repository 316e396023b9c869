"""What generated songs may be used for: the terms of all the sounds in them, in one line."""

import re
from collections.abc import Iterable
from pathlib import Path

from demix.data import LICENCE_FILE, LICENCES, NO_LICENCE, dataset_licence, free
from demix.errors import DemixError

# Licences under which anybody may change, share and sell; "CC BY-NC" and the like are none of them.
FREE = re.compile(r"(MIT|GPL|CC0|CC BY|CC BY-SA)(?=[ :,;]|$)")
UNFREE = re.compile(r"non-?\s?commercial|no-?\s?deriv|\bn[cd]\b", re.IGNORECASE)  # "CC BY NC", "CC0; CC BY-NC: vocals"


def folder_licence(folder: Path) -> str:
    """Return the first line of the `licence.txt` of a folder, or of the one around it; as known for known sets."""
    if str(folder) in LICENCES:  # `free`: the set of that name, as `open_dataset` has it
        return LICENCES[str(folder)]
    for place in (folder, folder.parent):
        if (place / LICENCE_FILE).is_file():
            return dataset_licence(str(place))
    try:
        shipped = free.find_songs().resolve()
    except DemixError:  # not in a checkout
        return NO_LICENCE
    return LICENCES["free"] if shipped in (folder.resolve(), folder.resolve().parent) else NO_LICENCE


def licence_line(sources: Iterable[str]) -> str:
    """Say in one line what may be done with songs, and by whom their sounds are.

    Args:
        sources: `<licence>: <what> by <whom>` each; a licence that is not known to be free takes the freedom from all.
    """
    kinds: dict[str, list[str]] = {}
    for source in sorted(set(sources)):
        licence, _, what = source.partition(": ")
        kinds.setdefault(" ".join(licence.split()), []).append(" ".join(what.split()))
    terms = "; ".join(f"{licence}: {', '.join(what)}" for licence, what in kinds.items())
    if any(
        not FREE.match(licence) or UNFREE.search(f"{licence}: {'; '.join(what)}") for licence, what in kinds.items()
    ):
        return f"for no more than all of their sounds allow, some of which are not known to be free. {terms}"
    return (
        "free to use, change, share and train on, also commercially; who shares them names the makers of their sounds "
        f"and keeps to the terms of the CC BY-SA and GPL ones. {terms}"
    )
