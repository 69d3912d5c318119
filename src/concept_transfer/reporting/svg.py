"""A written SVG figure made fit to stand inline in a page, next to others."""

from __future__ import annotations

import re
from html import escape

POINTS_TO_PIXELS = 4 / 3
READABLE_WIDTH = 640
COORDINATES = "d|x|y|width|height|transform"


def inline_svg(svg: str, name: str, alt: str) -> str:
    """The ``<svg>`` element with ids prefixed by ``name`` and ``alt`` as its accessible name.

    Its width follows the page; below a readable width the surrounding box scrolls. Coordinates
    are rounded to 0.01 points, and what no reader sees is left out, which halves the size.
    """
    element = svg[svg.index("<svg") :]
    element = re.sub(r"<(metadata|style)\b.*?</\1>", "", element, flags=re.DOTALL)
    outside, group, parts = element.partition("<g ")
    element = re.sub(r"<title>.*?</title>", "", outside, flags=re.DOTALL) + group + parts
    element = re.sub(r"<!--.*?-->|\n\s*", " ", element, flags=re.DOTALL)
    element = re.sub(rf' (?:{COORDINATES})="[^"]*"', _rounded, element)
    element = re.sub(r'<g id="[^"]*">', "<g>", element)
    element = re.sub(r"<g>\s*</g>|<defs>\s*</defs>| font-family: [^;]*;", "", element)
    element = re.sub(r"(?<=>)\s+(?=<)|(?<=\d) (?= [A-Z\d])", "", element)
    element = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', element)
    element = re.sub(r'(xlink:href="#|url\(#)', rf"\1{name}-", element)
    element = re.sub(r' transform="rotate\(-0 [^"]*"', "", element)
    head = re.match(r'<svg[^>]*?width="([\d.]+)pt"[^>]*?viewBox="([^"]+)"[^>]*>', element)
    if head is None:
        raise ValueError(f"{name} is not an SVG figure with a width in points and a viewBox")
    width = round(float(head[1]) * POINTS_TO_PIXELS)
    opening = (
        f'<svg role="img" aria-label="{escape(alt)}" viewBox="{head[2]}" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" '
        'stroke-linejoin="round" '
        f'style="width:100%;max-width:{width}px;min-width:{min(width, READABLE_WIDTH)}px">'
    )
    return opening + element[head.end() :].strip()


def _rounded(attribute: re.Match[str]) -> str:
    return re.sub(r"\d+\.\d{3,}", lambda digits: f"{float(digits[0]):.2f}", attribute[0])
