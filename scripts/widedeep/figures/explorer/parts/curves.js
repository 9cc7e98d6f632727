"use strict";
// The curves below a heatmap: the pinned row, the first component's share, and accuracies of the network in the columns.

// [key in the study's data, value there, name, short name, marker, line]
const SERIES = [
  ["probes", "after", "linear probe after the addition", "probe after the addition", "circle", "solid"],
  ["probes", "before", "linear probe before it", "probe before the addition", "circle-open", "dot"],
  ["deletion", "alone", "without this residual block", "without the block", "square", "solid"],
  [
    "deletion",
    "from the end",
    "without it and the rest of its stage",
    "without the block and the rest of its stage",
    "square-open",
    "dot",
  ],
];

/**
 * Accuracies of a network, sorted by layer: for each entry of SERIES a list of points {layer, value, position}. The
 * position is that of its layer, or of the nearest shown layer in the same residual block; null if none is shown.
 */
function seriesOf(network, architecture, shown) {
  return SERIES.map(([key, how]) =>
    network[key]
      .filter(([, measured]) => measured === how)
      .map(([layer, , value]) => ({ layer, value, position: nearestInBlock(architecture, layer, shown) }))
      .sort((one, other) => one.layer - other.layer),
  );
}

/** Range and ticks of one axis of accuracies for all panels, which makes them comparable. */
function accuracyRange(panels) {
  const values = panels.flatMap(({ second, series }) => [second.test_accuracy, ...series.flat().map(({ value }) => value)]);
  const low = Math.floor(20 * Math.min(...values) + 1e-9) / 20;
  const high = Math.max(Math.ceil(20 * Math.max(...values) - 1e-9) / 20, low + 0.05);
  const margin = 0.06 * (high - low);
  const tickvals = [low, (low + high) / 2, high];
  return { range: [low - margin, high + margin], tickvals, ticktext: tickvals.map((value) => String(Number(value.toFixed(3)))) };
}

/** Insert a gap between stages into a list of points. */
function withGaps(points, stages) {
  return points.flatMap((point, index) =>
    index && stages[points[index - 1].layer] !== stages[point.layer] ? [{ position: null, value: null }, point] : [point],
  );
}

function addCurves({ traces, layout, architectures, theme, write }, panel, axis, place) {
  const curve = (strip, name, x, y, style) =>
    traces.push({ type: "scatter", name, x, y, xaxis: axis.x, yaxis: axis.y[strip], hoverinfo: "none", ...style });
  const title = (strip, words) => write(words, place.left, place.strips[strip] - 2, 12, place.size + SPACE.right);
  const [rowColour, shareColour, ...seriesColours] = theme.series;
  const lines = (color) => ({ mode: "lines", line: { color, width: 2 }, showlegend: false });
  const positions = [...panel.columns.keys()];

  const isPinned = panel.pinned !== null;
  const pinnedName = isPinned ? architectures[panel.first.model].names[panel.pinned] : "";
  title(0, isPinned ? `${panel.valuesName} with ${pinnedName}` : "no layer pinned: choose one in the heatmap");
  if (isPinned) curve(1, "", positions, panel.columns.map((column) => panel.values[panel.pinned][column]), lines(rowColour));

  const inBlock = positionsInside(panel.columns, panel.block.columns);
  title(1, `first component's share${inBlock ? "; shaded: the block structure" : ""}`);
  curve(2, "", positions, panel.columns.map((column) => panel.second.share[column]), lines(shareColour));
  for (const y of inBlock ? axis.y.slice(1) : []) {
    const [x0, x1] = [inBlock[0] - 0.5, inBlock[1] + 0.5];
    const band = { x0, x1, y0: 0, y1: 1, fillcolor: theme.line, opacity: 0.5, line: { width: 0 } };
    layout.shapes.push({ type: "rect", xref: axis.x, yref: `${y} domain`, layer: "below", ...band });
  }

  const isNew = (name) => !traces.some((trace) => trace.name === name);
  title(2, panel.series.flat().length ? "test accuracy" : "test accuracy (no probes)");
  panel.series.forEach((points, index) => {
    const [, , name, , symbol, dash] = SERIES[index];
    const color = seriesColours[index];
    const shown = withGaps(points.filter(({ position }) => position !== null), architectures[panel.second.model].stages);
    if (!shown.length) return;
    const style = { mode: "lines+markers", line: { color, dash, width: 1.5 }, marker: { color, symbol, size: 7 } };
    const [x, y] = [shown.map(({ position }) => position), shown.map(({ value }) => value)];
    curve(3, name, x, y, { ...style, showlegend: isNew(name) });
  });
  const [whole, { test_accuracy: accuracy }] = ["the whole network", panel.second];
  curve(3, whole, [-0.5, panel.columns.length - 0.5], [accuracy, accuracy], {
    mode: "lines",
    line: { color: theme.ink, width: 1, dash: "dash" },
    showlegend: isNew(whole),
  });
}
