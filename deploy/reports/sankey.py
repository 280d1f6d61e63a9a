"""A Sankey diagram: how many go from where to where, left to right, as SVG."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from deploy.reports.figures import figure
from deploy.reports.picture import NAMELESS
from deploy.reports.report import Drawing
from deploy.reports.svg import WIDTH, band, box, image, short, text

Row = dict[str, Any]
Node = tuple[int, str]  #: layer from the left, name

_NODE: Final = 14  #: width of a node
_GAP: Final = 16  #: between the nodes of a layer: a label fits
_MARGIN: Final = 130  #: right of the last layer, for its labels


def sankey(drawing: Drawing, rows: Sequence[Row]) -> str:
    """The diagram of rows whose label columns are (from, to), with `from` in the layer that `drawing.layer` names."""
    flows: dict[tuple[Node, Node], float] = defaultdict(float)
    first = min((int(row[drawing.layer]) for row in rows), default=0) if drawing.layer else 0
    for row in rows:
        layer = int(row[drawing.layer]) - first if drawing.layer else 0
        source, target = (str(row[name]) for name in drawing.label)
        flows[(layer, source), (layer + 1, target)] += max(float(row[drawing.value] or 0), 0.0)
    weights = _weights(flows)
    layers = _layers(weights)
    # the fullest layer takes 22 pixels a node and no less than 320 in all
    tallest = max((len(nodes) for nodes in layers.values()), default=1)
    height = max(320.0, tallest * 38.0)
    most = max((sum(weights[node] for node in nodes) for nodes in layers.values()), default=0.0) or 1.0
    scale = (height - tallest * _GAP) / most
    step = (WIDTH - _MARGIN - _NODE) / max(max(layers, default=1), 1)
    places = _places(layers, weights, scale, step)
    parts = _bands(drawing, flows, places, scale)
    for (layer, name), (x, y) in places.items():
        tip = f"{name or NAMELESS}: {figure(drawing.value, weights[layer, name])}"
        parts.append(box(x, y, _NODE, max(weights[layer, name] * scale, 1.0), layer, tip))
        parts.append(text(x + _NODE + 4, y + max(weights[layer, name] * scale / 2, 1.0) + 4, short(tip, 26)))
    return image(height + 8, parts, f"flow of {drawing.value} from {drawing.label[0]} to {drawing.label[1]}")


def _weights(flows: dict[tuple[Node, Node], float]) -> dict[Node, float]:
    """How much goes through each node: the larger of what comes and what goes."""
    out: dict[Node, float] = defaultdict(float)
    into: dict[Node, float] = defaultdict(float)
    for (source, target), weight in flows.items():
        out[source] += weight
        into[target] += weight
    return {node: max(out[node], into[node]) for node in {*out, *into}}


def _layers(weights: dict[Node, float]) -> dict[int, list[Node]]:
    layers: dict[int, list[Node]] = defaultdict(list)
    for node in sorted(weights, key=lambda node: (node[0], -weights[node], node[1])):
        layers[node[0]].append(node)
    return layers


def _places(
    layers: dict[int, list[Node]], weights: dict[Node, float], scale: float, step: float
) -> dict[Node, tuple[float, float]]:
    """The upper left corner of each node."""
    places = {}
    for layer, nodes in layers.items():
        y = 4.0
        for node in nodes:
            places[node] = layer * step, y
            y += weights[node] * scale + _GAP
    return places


def _bands(
    drawing: Drawing,
    flows: dict[tuple[Node, Node], float],
    places: dict[Node, tuple[float, float]],
    scale: float,
) -> list[str]:
    leaving = {node: y for node, (_, y) in places.items()}
    coming = dict(leaving)
    parts = []
    for (source, target), weight in sorted(
        flows.items(), key=lambda flow: (places[flow[0][0]][1], places[flow[0][1]][1])
    ):
        thick = weight * scale
        start = places[source][0] + _NODE, leaving[source] + thick / 2
        end = places[target][0], coming[target] + thick / 2
        leaving[source] += thick
        coming[target] += thick
        names = f"{source[1] or NAMELESS} → {target[1] or NAMELESS}"
        parts.append(band(start, end, thick, source[0], f"{names}: {figure(drawing.value, weight)}"))
    return parts
