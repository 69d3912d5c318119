"""The graph of codes that belong together."""

from __future__ import annotations

import networkx
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from concept_transfer.interconnections.graphs import communities
from concept_transfer.reporting.columns import interval, number
from concept_transfer.reporting.figures.canvas import INK, RULE, Caption, Drawing, styled
from concept_transfer.reporting.interconnections import SECTION, Connected
from concept_transfer.reporting.looks import LEARNER_COLOURS, SPARE_COLOURS
from concept_transfer.reporting.rows import level, records
from concept_transfer.reporting.words import listing
from concept_transfer.study import Study

EDGES = 130  # shown
SIZE = (10.4, 8.4)  # inches
COLOURS = tuple(dict.fromkeys((*LEARNER_COLOURS[:4], *SPARE_COLOURS[:3], *LEARNER_COLOURS[5:])))
OTHERS = "#9aa0a6"
MANY = 8  # codes of a part that needs room
GAP = (4.2, 0.9)  # between parts, across (labels stand there) and down
NAMED = 14  # characters of a name beside its code
LAYOUT_DPI = 200


@styled
def network(connected: Connected, study: Study) -> Drawing:
    """The surest edges, with their codes grouped by who is linked with whom.

    A part of the figure says under the pointer what it is: codes with names and patients, edges
    with counts and odds ratios.
    """
    edges = connected.pairs[connected.pairs["significant"]].head(EDGES).reset_index(drop=True)
    graph = networkx.Graph()
    for edge in records(edges):
        graph.add_edge(edge["code_a"], edge["code_b"], weight=np.log1p(edge["ratio"]))
    codes = connected.codes.set_index("code").loc[list(graph.nodes)]
    groups = communities(networkx.convert_node_labels_to_integers(graph), study.seed)
    group = {codes.index[number]: place for place, own in enumerate(groups) for number in own}
    places = _layout(graph, study.seed)
    figure = Figure(figsize=SIZE)
    axis = figure.add_axes((0.005, 0.005, 0.99, 0.99))
    axis.set_axis_off()
    hover = _draw(axis, edges, codes, places, group, study)
    _label(figure, axis, codes, places)
    frame = codes.assign(
        group=[group[code] + 1 for code in codes.index],
        x=[places[code][0] for code in codes.index],
        y=[places[code][1] for code in codes.index],
    )
    shown = len(edges)
    all_edges = int(connected.pairs["significant"].sum())
    caption = Caption(
        stem="interconnections-network",
        section=SECTION,
        title="Codes that belong together",
        text=f"The {shown} surest of {all_edges:,} significant pairs that may be shown, of all "
        "patients. A dot is a code, its area grows with its patients; colours are groups that are "
        "linked inside more than outside; a line is the wider the further its ratio of observed to "
        "expected counts lies above 1. Point at a dot or a line for names, counts and odds ratios. "
        "Distances mean little: what is linked lies together.",
        alt=f"Network of {len(codes)} codes and {shown} links in {len(groups)} groups.",
    )
    data = edges.assign(
        group_a=[group[code] + 1 for code in edges["code_a"]],
        group_b=[group[code] + 1 for code in edges["code_b"]],
        **{name: [listing(list(v)) for v in edges[name]] for name in ("sites", "methods")},
    ).drop(columns=["foretold"])
    data = data.merge(
        frame[["name", "x", "y"]].add_suffix("_a"), left_on="code_a", right_index=True
    ).merge(frame[["name", "x", "y"]].add_suffix("_b"), left_on="code_b", right_index=True)
    return Drawing(caption, figure, data, hover)


def _layout(graph: networkx.Graph, seed: int) -> dict[str, np.ndarray]:
    """Where codes lie: each part of the graph by itself, the parts side by side in rows, the
    largest first."""
    parts = sorted(networkx.connected_components(graph), key=lambda part: (-len(part), min(part)))
    places: dict[str, np.ndarray] = {}
    left, bottom, tallest = 0.0, 0.0, 0.0
    width = 0.0
    for part in parts:
        own = graph.subgraph(sorted(part))
        side = (1.5 if len(part) > MANY else 0.75) * np.sqrt(len(part))
        points = _arranged(own, seed)
        low, high = points.min(axis=0), points.max(axis=0)
        points = (points - low) / np.maximum(high - low, 1e-9).max() * side
        across, up = points.max(axis=0)
        width = width or 1.6 * across
        if left and left + across > width:
            left, bottom, tallest = 0.0, bottom - tallest - GAP[1], 0.0
        for code, point in zip(own.nodes, points, strict=True):
            places[code] = point + np.array([left, bottom - up])
        left, tallest = left + across + GAP[0], max(tallest, up)
    return places


def _arranged(part: networkx.Graph, seed: int) -> np.ndarray:
    """Places of the codes of a connected part, [codes, 2]."""
    if len(part) == 2:
        return np.array([[0.0, 0.0], [0.0, -1.0]])
    found = networkx.kamada_kawai_layout(part)
    if len(part) > MANY:
        found = networkx.spring_layout(
            part, pos=found, seed=seed, k=2.2 / np.sqrt(len(part)), iterations=60
        )
    return np.array([found[code] for code in part.nodes])


def _draw(
    axis: Axes,
    edges: pd.DataFrame,
    codes: pd.DataFrame,
    places: dict[str, np.ndarray],
    group: dict[str, int],
    study: Study,
) -> dict[str, str]:
    hover = {}
    names = codes["name"]
    for index, edge in enumerate(records(edges)):
        ends = np.array([places[edge["code_a"]], places[edge["code_b"]]]).T
        alike = group[edge["code_a"]] == group[edge["code_b"]]
        colour = _colour(group[edge["code_a"]]) if alike else OTHERS
        wide = 0.5 + 0.9 * np.log10(max(edge["ratio"], 1.0)) * 1.6
        axis.plot(*ends, color=colour, lw=wide, alpha=0.6, solid_capstyle="round", zorder=1)
        part = f"edge-{index}"
        axis.plot(*ends, color=RULE, lw=9, alpha=0.0, gid=part, zorder=2)
        odds = interval(edge["odds_ratio"], edge["lower"], edge["upper"], 1)
        sites = f"; at {listing(list(edge['sites']))}" if len(edge["sites"]) else ""
        hover[part] = (
            f"{edge['code_a']} {names[edge['code_a']]} with {edge['code_b']} "
            f"{names[edge['code_b']]}: {edge['patients']:,} patients, "
            f"{number(edge['expected'], 1)} expected; odds ratio {odds} ({level(study)}){sites}"
        )
    largest = codes["patients"].max()
    for index, (code, row) in enumerate(codes.iterrows()):
        part = f"code-{index}"
        size, colour = 20 + 200 * row["patients"] / largest, _colour(group[str(code)])
        x, y = places[str(code)]
        axis.scatter(
            [x],
            [y],
            s=size,
            color=_colour(group[str(code)]),
            ec="white",
            lw=0.8,
            zorder=3,
            gid=part,
        )
        hover[part] = (
            f"{code} {row['name']}: {row['patients']:,} patients, {row['degree']} edges"
            + (f"; {row['chapter_name']}" if row["chapter_name"] else "")
        )
    return hover


def _colour(group: int) -> str:
    return COLOURS[group] if group < len(COLOURS) else OTHERS


def _label(figure: Figure, axis: Axes, codes: pd.DataFrame, places: dict[str, np.ndarray]) -> None:
    """Code and name beside a dot where they fit, else the code, the most frequent first."""
    figure.dpi = LAYOUT_DPI
    renderer = FigureCanvasAgg(figure).get_renderer()
    axis.margins(0.06)
    axis.apply_aspect()
    frame = axis.get_window_extent(renderer)
    points = axis.transData.transform(np.array([places[str(code)] for code in codes.index]))
    taken = [Bbox.from_bounds(x - 7, y - 7, 14, 14) for x, y in points]
    order = np.argsort(-codes["patients"].to_numpy(), kind="stable")
    for index in order:
        code, row = str(codes.index[index]), codes.iloc[index]
        short = code.rpartition("/")[2]
        words = row["name"] if len(row["name"]) <= 2 * NAMED else _shortened(row["name"])
        for text in (f"{short} {words}", short):
            if _placed(axis, renderer, frame, text, places[code], taken, int(index)):
                break


def _placed(
    axis: Axes,
    renderer: object,
    frame: Bbox,
    text: str,
    place: np.ndarray,
    taken: list[Bbox],
    own: int,
) -> bool:
    others = [box for number, box in enumerate(taken) if number != own]
    for offset, horizontal, vertical in (
        ((6, 0), "left", "center"),
        ((-6, 0), "right", "center"),
        ((0, 6), "center", "bottom"),
        ((0, -6), "center", "top"),
        ((4, 5), "left", "bottom"),
        ((-4, 5), "right", "bottom"),
        ((4, -5), "left", "top"),
        ((-4, -5), "right", "top"),
    ):
        label = axis.annotate(
            text,
            (place[0], place[1]),
            xytext=offset,
            textcoords="offset points",
            ha=horizontal,
            va=vertical,
            size=7,
            color=INK,
            zorder=4,
        )
        box = label.get_window_extent(renderer)  # type: ignore[arg-type]
        inside = frame.contains(*box.min) and frame.contains(*box.max)
        if inside and not box.count_overlaps(others):
            taken.append(box)
            return True
        label.remove()
    return False


def _shortened(name: str) -> str:
    """The first words of a name, so many that they fit."""
    kept = ""
    for word in name.split(" "):
        if kept and len(kept) + len(word) > 2 * NAMED - 2:
            break
        kept = f"{kept} {word}".strip()
    return f"{kept[: 2 * NAMED]}…"
