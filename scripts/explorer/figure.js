"use strict";
// The drawing: a column a panel, with the heatmap on top and three curves below it on the same axis of layers.
//
// A panel is {title, valuesName, first, second, values, rows, columns, block, pinned}:
//   title: lines above it; valuesName: what its values are called
//   first, second: the networks whose layers are its rows and its columns
//   values: of all their layers; rows, columns: indices of the layers that are shown
//   block: {rows, columns}, the ranges of layers that are outlined, either may be null
//   pinned: a layer of the first network, or null

const STRIPS = 3;
// In pixels: what surrounds a heatmap, and the curves below it.
const SPACE = { colours: 62, title: 40, left: 64, right: 16, strip: 92, gap: 40, axis: 46, legend: 110 };
const LARGEST_HEATMAP = 620;
const NARROWEST_COLUMN = 360;

/** Words for the library, which reads tags in them. */
function plainText(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** The size of letters, at most `largest` pixels, in which words fit so many pixels; a letter is about 0.56 of it wide. */
function fitted(words, pixels, largest) {
  return Math.max(8, Math.min(largest, Math.floor(pixels / (0.56 * words.length))));
}

/** Where everything is, in pixels from the upper left: {width, height, panels: [{left, top, size, strips: [top]}]}. */
function placesOf(count, width) {
  const columns = width / count >= NARROWEST_COLUMN ? count : 1;
  const size = Math.min(width / columns - SPACE.left - SPACE.right, LARGEST_HEATMAP);
  const panelHeight = SPACE.title + size + STRIPS * (SPACE.gap + SPACE.strip) + SPACE.axis;
  const panels = Array.from({ length: count }, (_, index) => {
    const left = (index % columns) * (width / columns) + SPACE.left;
    const top = SPACE.colours + Math.floor(index / columns) * panelHeight + SPACE.title;
    const strips = Array.from(
      { length: STRIPS },
      (_, strip) => top + size + SPACE.gap + strip * (SPACE.gap + SPACE.strip),
    );
    return { left, top, size, strips };
  });
  return { width, height: SPACE.colours + (count / columns) * panelHeight + SPACE.legend, panels };
}

/** Positions between shown layers where a stage begins. */
function stageBorders(architecture, shown) {
  return shown.flatMap((layer, position) =>
    position && architecture.stages[layer] !== architecture.stages[shown[position - 1]] ? [position - 0.5] : [],
  );
}

/** [first, last] position of the shown layers inside a range of layers, null where none is. */
function positionsInside(shown, range) {
  const inside = range ? shown.flatMap((layer, place) => (layer >= range[0] && layer <= range[1] ? [place] : [])) : [];
  return inside.length ? [inside[0], inside.at(-1)] : null;
}

/** Consecutive positions of shown layers for which `holds`, as [first, last]. */
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
  let ending = new Map(); // those that reach the row before, by their columns
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

/** A trace of hatched rectangles, which the cursor passes through. */
function hatched(parts, theme) {
  const corners = { x: [0, 1, 1, 0, 0], y: [0, 0, 1, 1, 0] };
  const along = (letter) =>
    parts.flatMap((part) => [...corners[letter].map((end) => part[letter][end] + (end ? 0.5 : -0.5)), null]);
  const fillpattern = { shape: "/", size: 6, solidity: 0.25, fgcolor: theme.paper, bgcolor: theme.undefined };
  const hidden = { mode: "none", hoverinfo: "skip", showlegend: false };
  return { type: "scatter", x: along("x"), y: along("y"), fill: "toself", fillpattern, ...hidden };
}

/** Traces and layout for the library. */
function drawingOf(panels, places, { architectures, colours, theme, zooming }) {
  const traces = [];
  const layout = {
    width: places.width,
    height: places.height,
    margin: { l: 0, r: 0, t: 0, b: 0 },
    paper_bgcolor: theme.paper,
    plot_bgcolor: theme.paper,
    font: { family: "system-ui, sans-serif", size: 12, color: theme.ink },
    hovermode: "closest",
    dragmode: zooming ? "zoom" : false,
    showlegend: true,
    legend: {
      orientation: "h",
      x: 0,
      xanchor: "left",
      y: SPACE.legend / places.height,
      yanchor: "top",
      itemclick: false,
      itemdoubleclick: false,
    },
    shapes: [],
    annotations: [],
  };
  const acrossFraction = (pixels) => pixels / places.width;
  const upFraction = (pixels) => 1 - pixels / places.height;

  panels.forEach((panel, index) => {
    const place = places.panels[index];
    const axis = axesOf(index);
    const rowLayers = architectures[panel.first.model];
    const columnLayers = architectures[panel.second.model];
    const across = [acrossFraction(place.left), acrossFraction(place.left + place.size)];
    const line = { color: theme.ink, width: 1, dash: "dot" };
    const ticks = { showgrid: false, zeroline: false, linecolor: theme.line, ticks: "outside", tickcolor: theme.line };

    const nameAxis = (network) => {
      const words = `layer of ${network.name}`;
      return { text: plainText(words), standoff: 6, font: { size: fitted(words, place.size, 14) } };
    };
    const write = (text, pixels, size) =>
      layout.annotations.push({
        text: plainText(text),
        x: across[0],
        y: upFraction(pixels),
        xref: "paper",
        yref: "paper",
        xanchor: "left",
        yanchor: "bottom",
        showarrow: false,
        font: { size: fitted(text, place.size + SPACE.right, size) },
      });

    layout[axis.name("x")] = {
      ...ticks,
      ...numbersOf(panel.columns),
      domain: across,
      anchor: axis.y[STRIPS],
      title: nameAxis(panel.second),
    };
    layout[axis.name("y", 0)] = {
      ...ticks,
      ...numbersOf(panel.rows),
      domain: [upFraction(place.top + place.size), upFraction(place.top)],
      anchor: axis.x,
      title: nameAxis(panel.first),
    };
    place.strips.forEach((top, strip) => {
      layout[axis.name("y", strip + 1)] = {
        ...ticks,
        domain: [upFraction(top + SPACE.strip), upFraction(top)],
        anchor: axis.x,
        fixedrange: true,
        nticks: 4,
        rangemode: "tozero",
        showgrid: true,
        gridcolor: theme.line,
        ...(strip < 2 ? { range: [-0.04, 1.04] } : {}),
      };
    });

    // The heatmap
    const heat = { type: "heatmap", xaxis: axis.x, yaxis: axis.y[0], hoverinfo: "none", zsmooth: false };
    const shown = panel.rows.map((row) => panel.columns.map((column) => panel.values[row][column]));
    const bar = {
      orientation: "h",
      x: across[0],
      xanchor: "left",
      y: 1,
      yanchor: "top",
      ypad: 4,
      xpad: 0,
      len: Math.min(place.size, 300),
      lenmode: "pixels",
      thickness: 12,
      outlinewidth: 0,
      title: { text: panel.valuesName, side: "top" },
    };
    traces.push({
      ...heat,
      z: shown.map((row) => row.map((value) => (Number.isNaN(value) ? null : value))),
      zmin: 0,
      zmax: 1,
      colorscale: colours,
      showscale: index === 0,
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
    panel.title.toReversed().forEach((words, line) => write(words, place.top - 4 - 17 * line, 13));

    const onHeatmap = { xref: axis.x, yref: axis.y[0] };
    const [right, upper] = [panel.columns.length - 0.5, panel.rows.length - 0.5];
    for (const x of stageBorders(columnLayers, panel.columns)) {
      layout.shapes.push({ ...onHeatmap, type: "line", x0: x, x1: x, y0: -0.5, y1: upper, line: { ...line, color: "#fff" } });
      for (const y of axis.y.slice(1)) {
        layout.shapes.push({ xref: axis.x, yref: `${y} domain`, type: "line", x0: x, x1: x, y0: 0, y1: 1, line });
      }
    }
    for (const y of stageBorders(rowLayers, panel.rows)) {
      layout.shapes.push({ ...onHeatmap, type: "line", x0: -0.5, x1: right, y0: y, y1: y, line: { ...line, color: "#fff" } });
    }
    const outlined = [positionsInside(panel.columns, panel.block.columns), positionsInside(panel.rows, panel.block.rows)];
    if (outlined.every(Boolean)) {
      const [[x0, x1], [y0, y1]] = outlined;
      const corners = { x0: x0 - 0.5, x1: x1 + 0.5, y0: y0 - 0.5, y1: y1 + 0.5 };
      // Two lines of which one is apart from any colour of the map.
      for (const [color, width] of [["#000", 5], ["#00e5ea", 2.5]]) {
        layout.shapes.push({ ...onHeatmap, type: "rect", ...corners, line: { color, width } });
      }
    }
    const pinnedAt = panel.rows.indexOf(panel.pinned);
    if (pinnedAt >= 0) {
      layout.annotations.push({
        text: "◀",
        xref: `${axis.x} domain`,
        x: 1,
        yref: axis.y[0],
        y: pinnedAt,
        xanchor: "left",
        showarrow: false,
      });
    }

    // The curves
    const positions = [...panel.columns.keys()];
    const curve = (strip, name, x, y, style) =>
      traces.push({ type: "scatter", name, x, y, xaxis: axis.x, yaxis: axis.y[strip], hoverinfo: "none", ...style });
    const [rowColour, shareColour, afterColour, beforeColour, aloneColour, endColour] = theme.series;
    const hidden = { showlegend: false };

    const isPinned = panel.pinned !== null;
    const pinnedName = isPinned ? rowLayers.names[panel.pinned] : "";
    write(isPinned ? `${panel.valuesName} with ${pinnedName}` : "no layer pinned: click one", place.strips[0] - 3, 12);
    if (isPinned) {
      const row = panel.columns.map((column) => panel.values[panel.pinned][column]);
      curve(1, "", positions, row, { mode: "lines", line: { color: rowColour, width: 2 }, ...hidden });
    }

    write("first component's share; shaded: in the block", place.strips[1] - 3, 12);
    const shares = panel.columns.map((column) => panel.second.share[column]);
    curve(2, "", positions, shares, { mode: "lines", line: { color: shareColour, width: 2 }, ...hidden });
    for (const [first, last] of runs(panel.columns, (layer) => panel.second.in_block[layer])) {
      const band = { x0: first - 0.5, x1: last + 0.5, y0: 0, y1: 1, fillcolor: theme.line, opacity: 0.5, line: { width: 0 } };
      layout.shapes.push({ type: "rect", xref: axis.x, yref: `${axis.y[2]} domain`, layer: "below", ...band });
    }

    const { probes, deletion, test_accuracy: accuracy } = panel.second;
    const measured = probes.length || deletion.length;
    write(measured ? "test accuracy" : "test accuracy (no probes)", place.strips[2] - 3, 12);
    const series = [
      [probes, "after", "linear probe after the addition", afterColour, "circle", "solid"],
      [probes, "before", "linear probe before it", beforeColour, "circle-open", "dot"],
      [deletion, "alone", "without this residual block", aloneColour, "square", "solid"],
      [deletion, "from the end", "without it and the rest of its stage", endColour, "square-open", "dot"],
    ];
    for (const [points, kind, name, color, symbol, dash] of series) {
      const chosen = points.filter(([layer, how]) => how === kind && panel.columns.includes(layer));
      if (!chosen.length) continue;
      const x = chosen.map(([layer]) => panel.columns.indexOf(layer));
      const style = { mode: "lines+markers", line: { color, dash, width: 1.5 }, marker: { color, symbol, size: 7 } };
      const first = !traces.some((trace) => trace.name === name);
      curve(3, name, x, chosen.map(([, , value]) => value), { ...style, showlegend: first });
    }
    const whole = "the whole network";
    curve(3, whole, [-0.5, right], [accuracy, accuracy], {
      mode: "lines",
      line: { color: theme.ink, width: 1, dash: "dash" },
      showlegend: !traces.some((trace) => trace.name === whole),
    });
  });
  return { traces, layout };
}

/** How the library names the axes of a panel. */
function axesOf(index) {
  const number = (value) => (value === 1 ? "" : value);
  const y = Array.from({ length: STRIPS + 1 }, (_, strip) => `y${number(index * (STRIPS + 1) + strip + 1)}`);
  const x = `x${number(index + 1)}`;
  const name = (letter, strip) => (letter === "x" ? x : y[strip]).replace(letter, `${letter}axis`);
  return { x, y, name };
}

/** Range and ticks of an axis of layers, which bears the layers' own numbers. */
function numbersOf(shown) {
  const every = Math.max(1, Math.ceil(shown.length / 6));
  const tickvals = [...shown.keys()].filter((position) => position % every === 0);
  return { range: [-0.5, shown.length - 0.5], tickvals, ticktext: tickvals.map((position) => shown[position]) };
}
