"use strict";
// The drawing: one column per panel, the heatmap on top and three curves below it on the same axis of layers.
//
// A panel is {title, valuesName, without, which, first, second, values, rows, columns, seen, block, pinned, series, hidden}:
//   title: lines above it
//   valuesName: name of its values
//   without: whether they are without first components
//   which: {rows, columns}, 1 or 2: whether these are layers of the state's first or second network
//   first, second: the networks whose layers are its rows and its columns
//   values: matrix over all their layers
//   rows, columns: indices of the layers that are shown
//   seen: {rows, columns}, [first, last] position among the shown layers that the reader has zoomed to
//   block: {rows, columns}, [first, last] layer of the block structure of each network, or null
//   pinned: a layer of the first network, or null
//   series: accuracies of the second network, from seriesOf in curves.js
//   hidden: number of accuracies without a shown layer

const STRIPS = 3;
// Pixels around a heatmap, of the curves below it, and of the text above it, which stays visible.
const SPACE = { readout: 48, colours: 54, line: 17, bar: 14, left: 64, right: 28, strip: 62, gap: 25, axis: 40, legend: 62 };
const SIZES = { largest: 620, least: 120, leastOfLow: 320 };
const NARROWEST_COLUMN = 360;
// Two lines on top of each other: on any colour of the map one of them is visible.
const FRAME = [
  { color: "#000", width: 5 },
  { color: "#00e5ea", width: 2.5 },
];
const BORDER = [
  { color: "#000", width: 1.5 },
  { color: "#fff", width: 1.5, dash: "dot" },
];

/** Escape text for plotly, which reads tags in it. */
function plainText(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** Font size, at most `largest`, at which text fits into some pixels; a letter is about 0.56 of the size wide. */
function fitted(words, pixels, largest) {
  return Math.max(8, Math.min(largest, Math.floor(pixels / (0.56 * words.length))));
}

/**
 * Place all panels, in pixels from the upper left: {width, height, caption, panels: [{left, top, size, strips: [top]}]}.
 * A heatmap and its curves fit the window's height, unless the heatmap would become too small to read.
 */
function placesOf(panels, width, windowHeight) {
  const count = panels.length;
  const columns = Math.max(1, Math.min(count, Math.floor(width / NARROWEST_COLUMN)));
  const title = SPACE.bar + SPACE.line * Math.max(...panels.map((panel) => panel.title.length));
  const besides = title + STRIPS * (SPACE.gap + SPACE.strip) + SPACE.axis;
  const highest = Math.max(windowHeight - SPACE.colours - besides, SIZES.leastOfLow);
  const widest = width / columns - SPACE.left - SPACE.right;
  const size = Math.max(Math.floor(Math.min(widest, highest, SIZES.largest)), SIZES.least);
  const places = Array.from({ length: count }, (_, index) => {
    const left = Math.floor((index % columns) * (width / columns)) + SPACE.left;
    const top = SPACE.colours + Math.floor(index / columns) * (besides + size) + title;
    const strips = Array.from(
      { length: STRIPS },
      (_, strip) => top + size + SPACE.gap + strip * (SPACE.gap + SPACE.strip),
    );
    return { left, top, size, strips };
  });
  const height = SPACE.colours + Math.ceil(count / columns) * (besides + size) + SPACE.legend;
  return { width: Math.max(width, SPACE.left + size + SPACE.right), height, caption: 0, panels: places };
}

/** Positions between shown layers where a stage begins. */
function stageBorders(architecture, shown) {
  return shown.flatMap((layer, position) =>
    position && architecture.stages[layer] !== architecture.stages[shown[position - 1]] ? [position - 0.5] : [],
  );
}

/** [first, last] position of the shown layers in a range of layers; null if there is none. */
function positionsInside(shown, range) {
  const inside = range ? shown.flatMap((layer, place) => (layer >= range[0] && layer <= range[1] ? [place] : [])) : [];
  return inside.length ? [inside[0], inside.at(-1)] : null;
}

/** Runs of consecutive positions whose layers satisfy `holds`, as [first, last]. */
function runs(shown, holds) {
  const found = [];
  shown.forEach((layer, position) => {
    if (!holds(layer)) return;
    if (found.length && found.at(-1)[1] === position - 1) found.at(-1)[1] = position;
    else found.push([position, position]);
  });
  return found;
}

/** Rectangles that cover the undefined cells of an array of rows: {x: [first, last], y: [first, last]} positions. */
function undefinedParts(shown) {
  const found = [];
  let ending = new Map(); // rectangles that reach the previous row, by their columns
  shown.forEach((row, y) => {
    const reaching = new Map();
    for (const x of runs(row, Number.isNaN)) {
      const part = ending.get(String(x)) ?? { x, y: [y, y] };
      if (part.y[0] === y) found.push(part);
      part.y[1] = y;
      reaching.set(String(x), part);
    }
    ending = reaching;
  });
  return found;
}

/** A trace of hatched rectangles. */
function hatched(parts, theme) {
  const corners = { x: [0, 1, 1, 0, 0], y: [0, 0, 1, 1, 0] };
  const along = (letter) =>
    parts.flatMap((part) => [...corners[letter].map((end) => part[letter][end] + (end ? 0.5 : -0.5)), null]);
  const fillpattern = { shape: "/", size: 6, solidity: 0.25, fgcolor: theme.paper, bgcolor: theme.undefined };
  return { type: "scatter", x: along("x"), y: along("y"), fill: "toself", fillpattern, mode: "none", showlegend: false };
}

/** Make plotly's traces and layout for all panels. */
function drawingOf(panels, places, { architectures, colours, theme, zooming, caption }) {
  const legend = { orientation: "h", x: 0, xanchor: "left", yanchor: "top", itemclick: false, itemdoubleclick: false };
  const layout = {
    width: places.width,
    height: places.height,
    margin: { l: 0, r: 0, t: 0, b: 0 },
    paper_bgcolor: theme.paper,
    plot_bgcolor: theme.paper,
    font: { family: "system-ui, sans-serif", size: 12, color: theme.ink },
    hovermode: false, // the page's own cursor shows values
    dragmode: zooming ? "zoom" : false,
    showlegend: true,
    legend: { ...legend, y: (SPACE.legend + places.caption) / places.height },
    shapes: [],
    annotations: [],
  };
  const drawing = { traces: [], layout, architectures, colours, theme, accuracies: accuracyRange(panels) };
  drawing.upFraction = (pixels) => 1 - pixels / places.height;
  drawing.write = (text, left, pixels, largest, room) =>
    layout.annotations.push({
      text: plainText(text),
      x: left / places.width,
      y: drawing.upFraction(pixels),
      xref: "paper",
      yref: "paper",
      xanchor: "left",
      yanchor: "bottom",
      showarrow: false,
      font: { size: fitted(text, room, largest) },
    });
  panels.forEach((panel, index) => {
    const place = places.panels[index];
    const across = [place.left / places.width, (place.left + place.size) / places.width];
    addAxes(drawing, panel, axesOf(index), place, across);
    addHeatmap(drawing, panel, axesOf(index), place, { across, first: index === 0 });
    addFrames(drawing, panel, axesOf(index), place);
    addCurves(drawing, panel, axesOf(index), place);
  });
  caption.forEach((line, index) =>
    drawing.write(line, 8, places.height - SPACE.line * (caption.length - index - 1) - 4, 11, places.width - 16),
  );
  return { traces: drawing.traces, layout };
}

function addAxes({ layout, theme, upFraction, accuracies }, panel, axis, place, across) {
  const ticks = { showgrid: false, zeroline: false, linecolor: theme.line, ticks: "outside", tickcolor: theme.line };
  const nameAxis = (network) => {
    const words = `layer of ${network.name}`;
    return { text: plainText(words), standoff: 4, font: { size: fitted(words, place.size, 14) } };
  };
  layout[axis.name("x")] = {
    ...ticks,
    ...numbersOf(panel.columns, panel.seen.columns),
    domain: across,
    anchor: axis.y[STRIPS],
    title: nameAxis(panel.second),
  };
  layout[axis.name("y", 0)] = {
    ...ticks,
    ...numbersOf(panel.rows, panel.seen.rows),
    domain: [upFraction(place.top + place.size), upFraction(place.top)],
    anchor: axis.x,
    title: nameAxis(panel.first),
  };
  const shares = { range: [-0.04, 1.04], tickvals: [0, 0.5, 1] };
  place.strips.forEach((top, strip) => {
    layout[axis.name("y", strip + 1)] = {
      ...ticks,
      domain: [upFraction(top + SPACE.strip), upFraction(top)],
      anchor: axis.x,
      fixedrange: true,
      showgrid: true,
      gridcolor: theme.line,
      ...(strip < 2 ? shares : accuracies),
    };
  });
}

function addHeatmap({ traces, layout, colours, theme, write, upFraction }, panel, axis, place, { across, first }) {
  const heat = { type: "heatmap", xaxis: axis.x, yaxis: axis.y[0], hoverinfo: "none", zsmooth: false };
  const shown = panel.rows.map((row) => panel.columns.map((column) => panel.values[row][column]));
  const bar = {
    orientation: "h",
    x: across[0],
    xanchor: "left",
    y: upFraction(4),
    yanchor: "top",
    ypad: 2,
    xpad: 0,
    len: Math.min(place.size, 300),
    lenmode: "pixels",
    thickness: 10,
    outlinewidth: 0,
    title: { text: panel.valuesName, side: "top" },
  };
  traces.push({
    ...heat,
    z: shown.map((row) => row.map((value) => (Number.isNaN(value) ? null : value))),
    zmin: 0,
    zmax: 1,
    colorscale: colours,
    showscale: first,
    colorbar: bar,
  });
  if (shown.some((row) => row.some(Number.isNaN))) {
    traces.push({
      ...heat,
      z: shown.map((row) => row.map((value) => (Number.isNaN(value) ? 1 : null))),
      colorscale: [
        [0, theme.undefined],
        [1, theme.undefined],
      ],
      showscale: false,
    });
    traces.push({ ...hatched(undefinedParts(shown), theme), xaxis: axis.x, yaxis: axis.y[0] });
  }
  panel.title.toReversed().forEach((words, line) => {
    write(words, place.left, place.top - SPACE.bar + 4 - SPACE.line * line, 13, place.size + SPACE.right);
  });
  const pinnedAt = panel.rows.indexOf(panel.pinned);
  if (pinnedAt >= panel.seen.rows[0] && pinnedAt <= panel.seen.rows[1]) {
    const beside = { xref: `${axis.x} domain`, x: 1, xshift: 9, xanchor: "left", yref: axis.y[0], y: pinnedAt };
    layout.annotations.push({ text: "◀", ...beside, showarrow: false });
  }
}

/** Add borders of stages, and outline the block structure of one network, or of two, each beside its own axis. */
function addFrames({ layout, architectures, theme }, panel, axis, place) {
  const onHeatmap = { xref: axis.x, yref: axis.y[0] };
  const [right, upper] = [panel.columns.length - 0.5, panel.rows.length - 0.5];
  const strip = { color: theme.ink, width: 1, dash: "dot" };
  for (const x of stageBorders(architectures[panel.second.model], panel.columns)) {
    for (const line of BORDER) layout.shapes.push({ ...onHeatmap, type: "line", x0: x, x1: x, y0: -0.5, y1: upper, line });
    for (const y of axis.y.slice(1)) {
      layout.shapes.push({ xref: axis.x, yref: `${y} domain`, type: "line", x0: x, x1: x, y0: 0, y1: 1, line: strip });
    }
  }
  for (const y of stageBorders(architectures[panel.first.model], panel.rows)) {
    for (const line of BORDER) layout.shapes.push({ ...onHeatmap, type: "line", x0: -0.5, x1: right, y0: y, y1: y, line });
  }

  const columns = positionsInside(panel.columns, panel.block.columns);
  const rows = positionsInside(panel.rows, panel.block.rows);
  const outline = (corners) => FRAME.forEach((line) => layout.shapes.push({ type: "rect", ...corners, line }));
  const across = columns && { xref: axis.x, x0: columns[0] - 0.5, x1: columns[1] + 0.5 };
  const up = rows && { yref: axis.y[0], y0: rows[0] - 0.5, y1: rows[1] + 0.5 };
  if (panel.first === panel.second) {
    if (across && up) outline({ ...across, ...up });
    return;
  }
  // Position of the outline beside the axis, relative to its length.
  const [near, far] = [1 + 3 / place.size, 1 + 7 / place.size];
  if (across) outline({ ...across, yref: `${axis.y[0]} domain`, y0: near, y1: far });
  if (up) outline({ ...up, xref: `${axis.x} domain`, x0: near, x1: far });
}

/** Names of the axes of a panel in plotly. */
function axesOf(index) {
  const number = (value) => (value === 1 ? "" : value);
  const y = Array.from({ length: STRIPS + 1 }, (_, strip) => `y${number(index * (STRIPS + 1) + strip + 1)}`);
  const x = `x${number(index + 1)}`;
  const name = (letter, strip) => (letter === "x" ? x : y[strip]).replace(letter, `${letter}axis`);
  return { x, y, name };
}

/** Range and ticks of an axis of layers; ticks are numbers of layers, not positions. */
function numbersOf(shown, [from, to]) {
  const every = Math.max(1, Math.ceil((to - from + 1) / 6));
  const tickvals = [...shown.keys()].filter((position) => position >= from && position <= to && (position - from) % every === 0);
  return { range: [from - 0.5, to + 0.5], tickvals, ticktext: tickvals.map((position) => shown[position]) };
}
