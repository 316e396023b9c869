"""A drawing of the page as an SVG file of its own: the page's colours put in, a white background, a size."""

import re
from functools import cache
from importlib.resources import files


def stand_alone(svg: str) -> str:
    """Make a drawing of the page a file that opens on its own: light colours, white background, a size.

    Args:
        svg: as `render` returns it, its colours CSS variables of the page.
    """
    head, body = svg.split(">", 1)
    sides = re.search(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"', head)
    size = f' width="{sides.group(1)}pt" height="{sides.group(2)}pt"' if sides else ""
    colours = light_colours()
    style = f"<style>text {{ font-family: {colours['sans']} !important; }}</style>"
    page = f'<rect width="100%" height="100%" fill="{colours["card"]}"/>'
    markup = f'<?xml version="1.0" encoding="UTF-8"?>\n{head}{size}>{style}{page}{body}\n'
    return re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found.group(1)], markup)


@cache
def light_colours() -> dict[str, str]:
    """Return the page's CSS variables under a light scheme, `ink` and the colours of the systems among them."""
    css = (files("demix.report") / "assets" / "page.css").read_text(encoding="utf-8")
    block = css[css.index(":root") : css.index("}")]
    return {name: value.strip() for name, value in re.findall(r"--([\w-]+):([^;]+);", block)}
