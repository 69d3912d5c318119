"""A map of the documents as a language model sees them: points, and never a word of any."""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D

from concept_transfer.reporting.figures.canvas import (
    Caption,
    Drawing,
    legend_above,
    panels,
    styled,
)
from concept_transfer.reporting.figures.concepts import looks_of
from concept_transfer.study import Study

PANELS_A_ROW = 2


@styled
def document_map(points: pd.DataFrame, encoder: str, study: Study) -> Drawing:
    """The documents of all sites, one panel a site, on two axes that are common to all."""
    points = points[points["encoder"] == encoder].reset_index(drop=True)
    sites = [site for site in study.sites if site in set(points["site"])]
    looks = looks_of(points["class"])
    names = points["class"].where(points["class"].isin(looks), "other")
    top = 0.6 + 0.22 * (len(looks) // 5)
    figure, axes = panels(len(sites), PANELS_A_ROW, (3.6, 3.2), left=0.75, top=top, gap=(0.5, 0.75))
    for site, axis in zip(sites, axes, strict=True):
        for name, look in looks.items():
            chosen = points[(names == name) & (points["site"] == site)]
            axis.scatter(
                chosen["x"],
                chosen["y"],
                s=9,
                marker=look.marker,
                color=look.colour,
                lw=0,
                alpha=0.75,
                zorder=3,
            )
        axis.set_xlim(points["x"].min() * 1.08, points["x"].max() * 1.08)
        axis.set_ylim(points["y"].min() * 1.08, points["y"].max() * 1.08)
        axis.set_title(site)
    shares = points[["share_x", "share_y"]].iloc[0]
    axes[-1].set_xlabel(f"first component, {100 * shares['share_x']:.0f} % of the variance")
    axes[0].set_ylabel(f"second component, {100 * shares['share_y']:.0f} %")
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, ls="", ms=5.5, label=name)
        for name, look in looks.items()
    ]
    legend_above(figure, handles, 0.65, columns=5)
    caption = Caption(
        stem=f"document-map_{encoder}",
        section="geometry",
        title=f"Documents as {encoder} sees them",
        text=f"Documents outside every test set (of many some) by {encoder}, on the two "
        "directions in which the vectors of all sites differ most "
        f"({100 * shares.sum():.0f} % of the variance, "
        "so distances are only a hint). Colour and shape are the class. Where the clouds of two "
        "sites lie apart, a model that one hands on meets documents unlike those it was trained "
        "on.",
        alt=f"Maps of {len(points)} documents of {len(sites)} site(s) in {len(looks)} classes.",
    )
    return Drawing(caption, figure, points[["site", "class", "x", "y"]])
