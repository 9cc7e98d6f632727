"use strict";
// The cursor: moved by mouse, finger or keys, at the same relative depth in all panels. It shows values and pins layers.

const HINTS = {
  fine: "Hover over the heatmap or the curves, or go there by arrow keys, to read values; a click pins a row.",
  coarse: "Tap the heatmap or the curves to read layers and values here; a tap in the heatmap also pins its row.",
};
const KEY_STEPS = {
  ArrowUp: [1, 0],
  ArrowDown: [-1, 0],
  ArrowRight: [0, 1],
  ArrowLeft: [0, -1],
  PageUp: [10, 0],
  PageDown: [-10, 0],
  Home: [0, -Infinity],
  End: [0, Infinity],
};
let cursor = null; // {panel, row, column}: positions in the panel; row is null on the curves
let pressedAt = null; // where the pointer went down
let pinBefore = ""; // the pin before the first of two clicks

/** Text: layer, kind and shape. */
function wordsOf(network, layer) {
  const { names, kinds, shapes } = layersOf(network);
  return `${layer} ${names[layer]} (${kinds[layer]}, ${shapes[layer]})`;
}

/** Text: why a value is undefined. */
function reasonFor(panel, row, column) {
  const reasons = [panel.first.undefined[row], panel.second.undefined[column]].filter(Boolean);
  return `undefined: ${reasons[0] ?? "nothing is left of a layer without its first component"}`;
}

/** Text: the value of two layers. */
function valueAt(panel, row, column) {
  const value = panel.values[row][column];
  return Number.isNaN(value) ? reasonFor(panel, row, column) : `${panel.valuesName} ${value.toFixed(4)}`;
}

/** Lines of text on the place of the cursor in one panel: each layer, then the value. */
function wordsAt(panel, row, column) {
  const layer = panel.columns[column];
  if (row !== null) {
    const value = valueAt(panel, panel.rows[row], layer);
    return [`row ${wordsOf(panel.first, panel.rows[row])}`, `column ${wordsOf(panel.second, layer)}`, value];
  }
  const { second, first, pinned } = panel;
  const measured = panel.series.flatMap((points, index) =>
    points.filter(({ position }) => position === column).map(({ value }) => `${SERIES[index][3]} ${percent(value)}`),
  );
  return [
    wordsOf(second, layer),
    ...(pinned === null ? [] : [`${valueAt(panel, pinned, layer)} with ${layersOf(first).names[pinned]}`]),
    `first component ${second.share[layer] === null ? "undefined" : percent(second.share[layer])}`,
    ...(measured.length ? [measured.join(", ")] : []),
  ];
}

function moveCursor(next) {
  cursor = next;
  drawCursor();
  return tellCursor();
}

/** Show the text for the place of the cursor; returns the lines of each panel. */
function tellCursor() {
  const words = cursor ? cursors().map(([panel, row, column]) => wordsAt(panel, row, column)) : [];
  say("readout", cursor ? words.map((lines) => lines.join("; ")).join(" | ") : HINTS[coarse.matches ? "coarse" : "fine"]);
  return words;
}

/** [panel, row, column] of every panel: positions among its shown layers. */
function cursors() {
  const from = shown[cursor.panel];
  return shown.map((panel) => [
    panel,
    cursor.row === null ? null : atEqualDepth(cursor.row, from.rows.length, panel.rows.length),
    atEqualDepth(cursor.column, from.columns.length, panel.columns.length),
  ]);
}

function drawCursor() {
  document.querySelectorAll(".cursor").forEach((line) => line.remove());
  if (!cursor) return;
  const line = (left, top, width, height) => {
    const element = document.createElement("div");
    element.className = "cursor";
    Object.assign(element.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
    $("drawing").append(element);
  };
  cursors().forEach(([{ seen }, row, column], index) => {
    const { left, top, size, strips } = places.panels[index];
    const at = ([from, to], position) => ((position - from + 0.5) / (to - from + 1)) * size;
    const x = at(seen.columns, column);
    if (x >= 0 && x <= size) {
      line(left + x, top, 1, size);
      line(left + x, strips[0], 1, strips.at(-1) + SPACE.strip - strips[0]);
    }
    const y = row === null ? -1 : at(seen.rows, row);
    if (y >= 0 && y <= size) line(left, top + size - y, size, 1);
  });
}

/** The cursor at the pointer: a cell of a heatmap, or a layer on the curves below it; null elsewhere. */
function cursorUnder({ clientX, clientY }) {
  const box = $("drawing").getBoundingClientRect();
  const [x, y] = [clientX - box.left, clientY - box.top];
  const at = ([from, to], share) => Math.min(from + Math.floor(share * (to - from + 1)), to);
  for (const [panel, { seen }] of shown.entries()) {
    const { left, top, size, strips } = places.panels[panel];
    if (x < left || x > left + size) continue;
    const column = at(seen.columns, (x - left) / size);
    if (y >= top && y <= top + size) return { panel, row: at(seen.rows, (top + size - y) / size), column };
    if (y >= strips[0] && y <= strips.at(-1) + SPACE.strip) return { panel, row: null, column };
  }
  return null;
}

function showTip(lines, event) {
  const tip = $("tip");
  tip.hidden = !lines;
  if (!lines) return;
  tip.textContent = lines.join("\n");
  const { width, height } = tip.getBoundingClientRect();
  const besides = event.clientX + 16 + width < innerWidth ? event.clientX + 16 : event.clientX - 16 - width;
  tip.style.left = `${Math.max(4, besides)}px`;
  tip.style.top = `${Math.min(event.clientY + 16, innerHeight - height - 4)}px`;
}

/** Move the cursor to the pointer, and show a tip for a mouse; a finger would cover it. */
function follow(event) {
  const words = moveCursor(cursorUnder(event));
  showTip(cursor && event.pointerType !== "touch" ? words[cursor.panel] : null, event);
}

/** Pin the layer in the cursor's row. */
function pinAtCursor() {
  if (!cursor || cursor.row === null) return;
  const { which, rows } = shown[cursor.panel];
  change({ pin: textOf({ which: which.rows, layers: [rows[cursor.row]] }) });
}

/** The cursor after a key. */
function cursorAfter(key) {
  const [up, right] = KEY_STEPS[key];
  const panel = cursor?.panel ?? 0;
  const { seen } = shown[panel];
  const within = (value, [from, to]) => Math.min(Math.max(value, from), to);
  if (!cursor) return { panel, row: seen.rows[0], column: seen.columns[0] };
  const column = within(cursor.column + right, seen.columns);
  // The curves are below the lowest row.
  if (cursor.row === null) return { panel, row: up > 0 ? seen.rows[0] : null, column };
  if (up < 0 && cursor.row === seen.rows[0]) return { panel, row: null, column };
  return { panel, row: within(cursor.row + up, seen.rows), column };
}

function onKey(event) {
  if (!shown.length || event.ctrlKey || event.altKey || event.metaKey) return;
  if (Object.hasOwn(KEY_STEPS, event.key)) {
    showTip(null);
    moveCursor(cursorAfter(event.key));
  } else if (event.key === "p" || event.key === "P") {
    const panel = ((cursor?.panel ?? -1) + 1) % shown.length;
    const [, row, column] = cursor ? cursors()[panel] : [null, shown[0].seen.rows[0], shown[0].seen.columns[0]];
    moveCursor({ panel, row, column });
  } else if (event.key === "Enter") {
    pinAtCursor();
  } else if (event.key === "Escape") {
    change({ pin: "" });
  } else {
    return;
  }
  event.preventDefault();
}

/** Zoom to the layers that the reader has dragged over. */
function onZoom(ranges) {
  const changes = {};
  shown.forEach(({ rows, columns, which }, index) => {
    for (const [axis, name, layers, of] of [
      ["x", axesOf(index).name("x"), columns, which.columns],
      ["y", axesOf(index).name("y", 0), rows, which.rows],
    ]) {
      const [from, to] = [ranges[`${name}.range[0]`], ranges[`${name}.range[1]`]];
      if (from === undefined) continue;
      const first = Math.min(Math.max(Math.ceil(from), 0), layers.length - 1);
      const last = Math.max(Math.min(Math.floor(to), layers.length - 1), first);
      changes[axis] = textOf({ which: of, layers: [layers[first], layers[last]] });
    }
  });
  if (Object.keys(changes).length) change(changes);
}

function connectCursor() {
  const drawing = $("drawing");
  drawing.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch" && !event.buttons) follow(event);
  });
  drawing.addEventListener("pointerleave", (event) => {
    // plotly covers the page while a button is down.
    if (event.pointerType === "touch" || pressedAt) return;
    moveCursor(null);
    showTip(null);
  });
  // Listen before plotly does, which does not pass on all events.
  const press = (event) => (pressedAt = event.button ? null : [event.clientX, event.clientY]);
  drawing.addEventListener("pointerdown", press, { capture: true });
  drawing.addEventListener(
    "mousedown",
    (event) => {
      if (event.button) return;
      if (event.detail === 1) pinBefore = state.pin;
      if (event.detail !== 2 || !(state.x || state.y)) return;
      pressedAt = null;
      change({ x: "", y: "", pin: pinBefore });
    },
    { capture: true },
  );
  const release = (event) => {
    const isClick = pressedAt && Math.hypot(event.clientX - pressedAt[0], event.clientY - pressedAt[1]) < 6;
    pressedAt = null;
    if (event.type !== "pointerup" || !isClick) return;
    follow(event);
    pinAtCursor();
  };
  addEventListener("pointerup", release, { capture: true });
  addEventListener("pointercancel", release, { capture: true });
  // Escape first closes the tip, whatever has the focus.
  addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || $("tip").hidden) return;
      showTip(null);
      event.stopPropagation();
    },
    { capture: true },
  );
  const figure = $("figure");
  figure.addEventListener("keydown", onKey);
  figure.on("plotly_relayout", onZoom);
}
