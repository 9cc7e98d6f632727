"use strict";
// The page: its state, which lives in the address, the controls that change it, and what follows from it.

const $ = (id) => document.getElementById(id);
const study = JSON.parse($("data").textContent);
const networkOf = new Map(study.networks.map((network) => [network.label, network]));
const layersOf = (network) => study.architectures[network.model];
const percentage = (share) => (100 * share).toFixed(1);
const percent = (share) => `${percentage(share)} %`;
const allKinds = [...new Set(Object.values(study.architectures).flatMap((architecture) => architecture.kinds))];
const narrow = matchMedia("(pointer: coarse)");
const HINT = "Hover over the heatmap or a curve, or move there with the arrow keys, to read layers and values.";
const matrices = new Map(); // unpacked ones, by the packed record

// ---------------------------------------------------------------------------------------------------------------------
// State

const initial = {
  first: study.networks[0].label,
  second: "",
  view: "pair",
  without: "",
  kinds: "",
  threshold: "0.9",
  pin: "",
  map: Object.keys(study.colour_maps)[0],
};
let state = { ...initial };
let shown = []; // the panels that are drawn
let places = null; // and where
let shownState = null; // the state that they show
let cursor = null; // {panel, row, column}: positions in it, row null beside the heatmap

/** The state in an address; what it does not say, or says wrong, is as at the start. */
function stateIn(fragment) {
  const said = Object.fromEntries(new URLSearchParams(fragment.replace(/^#/, "")));
  const given = "first" in said ? said : { ...(study.examples.with ?? study.examples.without), ...said };
  const next = { ...initial, ...Object.fromEntries(Object.entries(given).filter(([key]) => key in initial)) };
  if (!networkOf.has(next.first)) next.first = initial.first;
  if (!networkOf.has(next.second)) next.second = "";
  if (!(Number(next.threshold) >= 0.5 && Number(next.threshold) <= 1)) next.threshold = initial.threshold;
  if (!(next.map in study.colour_maps)) next.map = initial.map;
  if (next.view !== "side") next.view = "pair";
  if (!/^\d+$/.test(next.pin) || Number(next.pin) >= layersOf(networkOf.get(next.first)).names.length) next.pin = "";
  next.kinds = [...kindsIn(next)].length === allKinds.length ? "" : [...kindsIn(next)].join(",");
  return next;
}

function addressOf(next) {
  const changed = Object.entries(next).filter(([key, value]) => value !== initial[key] || key === "first");
  return `#${new URLSearchParams(changed)}`;
}

/** Kinds of layers that are shown; all of them if none is chosen. */
function kindsIn({ kinds }) {
  const chosen = kinds.split(",").filter((kind) => allKinds.includes(kind));
  return new Set(chosen.length ? chosen : allKinds);
}

function change(changes) {
  state = stateIn(addressOf({ ...state, ...changes }));
  history.replaceState(null, "", addressOf(state));
  return show();
}

// ---------------------------------------------------------------------------------------------------------------------
// What is shown

async function matrixOf(record) {
  const packed = state.without ? record.deflated : record.cka;
  if (!matrices.has(packed)) matrices.set(packed, unpacked(packed));
  return matrices.get(packed);
}

/** CKA between two networks, rows of the first; null where the page has none. */
async function matrixBetween(first, second) {
  if (first === second) return matrixOf(first);
  const is = (a, b) => study.pairs.find((pair) => pair.first === a.label && pair.second === b.label);
  if (is(first, second)) return matrixOf(is(first, second));
  return is(second, first) ? transposed(await matrixOf(is(second, first))) : null;
}

async function panelsOf() {
  const first = networkOf.get(state.first);
  const second = networkOf.get(state.second);
  const between = second && state.view === "pair" ? await matrixBetween(first, second) : null;
  $("no-pair").hidden = !(second && state.view === "pair" && !between);
  if (between) return [await panelOf(first, second, between)];
  return Promise.all([first, second].filter(Boolean).map(async (one) => panelOf(one, one, await matrixOf(one))));
}

async function panelOf(first, second, values) {
  const threshold = Number(state.threshold);
  const kinds = kindsIn(state);
  const reference = networkOf.get(state.first);
  const pinned = state.pin === "" ? null : Number(state.pin);
  const blocks = await Promise.all([first, second].map(async (one) => blockRange(await matrixOf(one), threshold)));
  return {
    title: [...new Set([first, second])].map(({ name, test_accuracy: accuracy }) => `${name}: ${percent(accuracy)}`),
    valuesName: state.without ? "CKA without first components" : "CKA",
    first,
    second,
    values,
    rows: layersOfKinds(layersOf(first), kinds),
    columns: layersOfKinds(layersOf(second), kinds),
    block: { rows: outlined(blocks[0]), columns: outlined(blocks[1]) },
    pinned:
      pinned === null ? null : atEqualDepth(pinned, layersOf(reference).names.length, layersOf(first).names.length),
  };
}

/** A block of one layer is none. */
function outlined(range) {
  return range && range[1] > range[0] ? range : null;
}

let drawn = Promise.resolve();

/** Draw the state; one drawing at a time, and of several that wait the last. */
function show() {
  const wanted = state;
  drawn = drawn.then(async () => {
    if (wanted !== state) return;
    setControls();
    const panels = await panelsOf();
    if (wanted !== state) return;
    const onlyFrames = shownState && Object.keys(wanted).every((key) => key === "threshold" || wanted[key] === shownState[key]);
    [shown, shownState, cursor] = [panels, wanted, null];
    await (onlyFrames ? drawFrames() : draw());
    describe();
  });
  return drawn;
}

function theme() {
  const style = getComputedStyle(document.documentElement);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    ...Object.fromEntries(["paper", "ink", "line", "undefined"].map((name) => [name, colour(name)])),
    // Of Okabe and Ito, apart for the colour-blind.
    series: [dark ? "#56b4e9" : "#0072b2", dark ? "#e69f00" : "#b06f00", "#009e73", "#009e73", "#d55e00", "#d55e00"],
  };
}

async function draw() {
  places = placesOf(shown.length, $("view").clientWidth);
  const { traces, layout } = drawing();
  await Plotly.react("figure", traces, layout, { displayModeBar: false, doubleClick: "reset" });
  drawCursor();
}

/** Draw what the threshold changes; large heatmaps would take a second. */
async function drawFrames() {
  await Plotly.relayout("figure", { shapes: drawing().layout.shapes });
}

function drawing() {
  return drawingOf(shown, places, {
    architectures: study.architectures,
    colours: study.colour_maps[state.map],
    theme: theme(),
    zooming: !narrow.matches,
  });
}

/** What the drawing says, in words. */
function describe() {
  const sentences = [...new Set(shown.flatMap(({ first, second }) => [first, second]))].map((network) => {
    const { block, first } = shown.find((panel) => panel.first === network || panel.second === network);
    const range = network === first ? block.rows : block.columns;
    const { names } = layersOf(network);
    if (!range) return `${network.name}: no two layers reach it.`;
    const size = range[1] - range[0] + 1;
    return `${network.name}: ${size} of ${names.length} layers (${percent(size / names.length)}), ${names[range[0]]} to ${names[range[1]]}.`;
  });
  $("block").textContent = sentences.join(" ");

  const undefinedValues = shown.some(({ values }) => values.some((row) => row.some(Number.isNaN)));
  const [{ first, second }] = shown;
  $("notes").textContent = [
    "Layer 0 is at the lower left; dotted lines are borders of stages; the frame is the block at the chosen threshold" +
      (first === second ? "." : ", where those of both networks meet."),
    "Shaded layers are in the block structure: their first component holds most of the variance and is the same.",
    first === second ? "" : `The two lower curves are of ${second.name}.`,
    undefinedValues ? "Hatched is undefined; hover for the reason." : "",
    `Values are stored in 16 bits, wrong by ${study.error.toExponential(0)} at most.`,
    narrow.matches ? "" : "Drag in the heatmap to zoom, double-click to go back.",
  ].join(" ");
  $("readout").textContent = HINT;
}

/** Layer, kind and shape in words. */
function wordsOf(network, layer) {
  const { names, kinds, shapes } = layersOf(network);
  return `${layer} ${names[layer]} (${kinds[layer]}, ${shapes[layer]})`;
}

/** Why a value is undefined. */
function reasonFor(panel, row, column) {
  const reasons = [panel.first.undefined[row], panel.second.undefined[column]].filter(Boolean);
  return `undefined: ${reasons[0] ?? "nothing is left of a layer without its first component"}`;
}

/** What is under the cursor in one panel, a line a layer and one for the value. */
function wordsAt(panel, row, column) {
  const layer = panel.columns[column];
  if (row === null) {
    const { second } = panel;
    const parts = [`first component ${second.share[layer] === null ? "undefined" : percent(second.share[layer])}`];
    for (const [place, how, value] of second.probes) {
      if (place === layer) parts.push(`probe ${how} the addition ${percent(value)}`);
    }
    for (const [place, how, value] of second.deletion) {
      if (place === layer) parts.push(`without the block${how === "alone" ? "" : " and the rest of its stage"} ${percent(value)}`);
    }
    return [wordsOf(second, layer), parts.join(", ")];
  }
  const value = panel.values[panel.rows[row]][layer];
  const words = Number.isNaN(value) ? reasonFor(panel, panel.rows[row], layer) : `${panel.valuesName} ${value.toFixed(4)}`;
  return [`row ${wordsOf(panel.first, panel.rows[row])}`, `column ${wordsOf(panel.second, layer)}`, words];
}

// ---------------------------------------------------------------------------------------------------------------------
// The cursor, the same relative depth in all panels

function moveCursor(next) {
  cursor = next;
  drawCursor();
  const words = next ? cursors().map(([panel, row, column]) => wordsAt(panel, row, column)) : [];
  $("readout").textContent = next ? words.map((lines) => lines.join("; ")).join(" | ") : HINT;
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
  const { layout } = $("figure");
  const line = (left, top, width, height) => {
    const element = document.createElement("div");
    element.className = "cursor";
    Object.assign(element.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
    $("drawing").append(element);
  };
  cursors().forEach(([, row, column], index) => {
    const { left, top, size, strips } = places.panels[index];
    const axis = axesOf(index);
    // The ranges follow when the reader zooms.
    const at = (name, position) => {
      const [from, to] = layout[name].range;
      return ((position - from) / (to - from)) * size;
    };
    const x = at(axis.name("x"), column);
    if (x >= 0 && x <= size) {
      line(left + x, top, 1, size);
      line(left + x, strips[0], 1, strips.at(-1) + SPACE.strip - strips[0]);
    }
    const y = row === null ? -1 : at(axis.name("y", 0), row);
    if (y >= 0 && y <= size) line(left, top + size - y, size, 1);
  });
}

/** The cursor at a point of the drawing that the library tells of. */
function cursorAt({ points: [point] }) {
  const panel = Array.from(shown.keys()).find((index) => axesOf(index).x === point.xaxis._id);
  const onHeatmap = point.data.type === "heatmap";
  const column = Math.min(Math.max(Math.round(point.x), 0), shown[panel].columns.length - 1);
  return { panel, row: onHeatmap ? point.y : null, column };
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

/** Pin the row under the cursor, as the layer of the first network at its relative depth. */
function pinAtCursor() {
  if (!cursor || cursor.row === null) return;
  const { first, rows } = shown[cursor.panel];
  const layers = [first, networkOf.get(state.first)].map((network) => layersOf(network).names.length);
  change({ pin: String(atEqualDepth(rows[cursor.row], ...layers)) });
}

function onKey(event) {
  const steps = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] };
  if (event.key in steps) {
    const [up, right] = steps[event.key];
    const from = cursor ?? { panel: 0, row: 0, column: 0 };
    const { rows, columns } = shown[from.panel];
    const within = (value, count) => Math.min(Math.max(value, 0), count - 1);
    moveCursor({
      panel: from.panel,
      row: within((from.row ?? 0) + (cursor ? up : 0), rows.length),
      column: within(from.column + (cursor ? right : 0), columns.length),
    });
  } else if (event.key === "Enter") {
    pinAtCursor();
  } else if (event.key === "Escape") {
    change({ pin: "" });
  } else {
    return;
  }
  event.preventDefault();
}

// ---------------------------------------------------------------------------------------------------------------------
// Export

function rowsOfCsv() {
  const header = "network_row,network_column,layer_row,kind_row,layer_column,kind_column,cka,without_first_component,";
  const more = "share_of_column,probe_of_column,deletion_of_column";
  const valueAt = (points, how, layer) => points.find(([place, kind]) => place === layer && kind === how)?.[2];
  const lines = shown.flatMap(({ first, second, rows, columns, values }) =>
    rows.flatMap((row) =>
      columns.map((column) => [
        first.label,
        second.label,
        layersOf(first).names[row],
        layersOf(first).kinds[row],
        layersOf(second).names[column],
        layersOf(second).kinds[column],
        Number.isNaN(values[row][column]) ? null : values[row][column].toFixed(5),
        state.without ? "yes" : "no",
        second.share[column],
        valueAt(second.probes, "after", column) ?? valueAt(second.probes, "before", column),
        valueAt(second.deletion, "alone", column),
      ]),
    ),
  );
  return [(header + more).split(","), ...lines];
}

async function exportAs(format) {
  const name = `${study.study}-${[...new Set(shown.flatMap(({ first, second }) => [first, second]))]
    .map(({ label }) => label.replace("/", "-"))
    .join("--")}.${format}`;
  if (format === "csv") return save(new Blob([asCsv(rowsOfCsv())], { type: "text/csv" }), name);
  const size = { width: places.width, height: places.height, scale: format === "png" ? 2 : 1 };
  const uri = await Plotly.toImage("figure", { format, ...size });
  const [, type, base64, content] = uri.match(/^data:([^;,]*)[^,]*?(;base64)?,(.*)$/s);
  return save(new Blob([base64 ? bytesOf(content) : decodeURIComponent(content)], { type }), name);
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// ---------------------------------------------------------------------------------------------------------------------
// Controls

/** An element with words in it; nothing that the data say is ever read as HTML. */
function element(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function buildNetworks() {
  const seeds = [...new Set(study.networks.map(({ seed }) => seed))].sort((a, b) => a - b);
  const head = element("tr");
  head.append(element("th", "network", { scope: "col" }));
  head.append(...seeds.map((seed) => element("th", `seed ${seed}`, { scope: "col" })));
  const rows = Object.values(Object.groupBy(study.networks, ({ model }) => model)).map((networks) => {
    const row = element("tr");
    row.append(element("th", networks[0].configuration, { scope: "row" }));
    for (const seed of seeds) {
      const cell = element("td");
      const network = networks.find((one) => one.seed === seed);
      if (network) cell.append(buttonOf(network));
      row.append(cell);
    }
    return row;
  });
  $("networks").append(element("thead"), element("tbody"));
  $("networks").tHead.append(head);
  $("networks").tBodies[0].append(...rows);
}

function buttonOf(network) {
  const block = network.share_in_block >= study.has_block;
  const button = element("button", `${percentage(network.test_accuracy)}${block ? " ■" : ""}`, {
    type: "button",
    "data-network": network.label,
    "aria-label": `${network.name}, test accuracy ${percent(network.test_accuracy)}, ${block ? "with" : "without"} a block structure`,
  });
  button.addEventListener("click", () => {
    const role = document.querySelector('input[name="role"]:checked').value;
    // Another first network has other layers.
    change(role === "first" ? { first: network.label, pin: "" } : { second: network.label });
  });
  return button;
}

function buildKinds() {
  for (const kind of allKinds) {
    const box = element("input", "", { type: "checkbox", value: kind });
    const label = element("label");
    label.append(box, ` ${kind}`);
    $("kinds").append(label);
    box.addEventListener("change", () => {
      const chosen = [...$("kinds").querySelectorAll(":checked")].map(({ value }) => value);
      change({ kinds: chosen.join(",") });
    });
  }
}

function buildExamples() {
  const { with: largest, without } = study.examples;
  const link = (words, view) =>
    element("a", `${words} (${networkOf.get(view.first).name})`, { href: addressOf({ ...initial, ...view }) });
  if (largest) $("examples").append(link("Here is the largest one of this study", largest));
  else $("examples").append("No network of this study has one");
  if (without) $("examples").append(", and here is ", link("a network without", without));
  $("examples").append(".");
}

function buildFindings() {
  $("findings").hidden = !study.findings.length;
  for (const { result, claim, verdict, number, why, view } of study.findings) {
    const row = element("tr");
    const cell = element("td", view ? "" : `not here: ${result} of the report`);
    if (view) cell.append(element("a", `show ${result}`, { href: addressOf({ ...initial, ...view }) }));
    row.append(element("td", claim), element("td", verdict), cell, element("td", number || why));
    $("claims").tBodies[0].append(row);
  }
}

function setControls() {
  const first = networkOf.get(state.first);
  for (const button of document.querySelectorAll("[data-network]")) {
    const role = { [state.second]: "second", [state.first]: "first" }[button.dataset.network];
    if (role) button.dataset.role = role;
    else delete button.dataset.role;
    button.setAttribute("aria-pressed", String(Boolean(role)));
  }
  $("only-one").disabled = !state.second;
  $("comparison").disabled = !state.second;
  document.querySelector(`input[name="view"][value="${state.view}"]`).checked = true;
  $("without").checked = Boolean(state.without);
  $("map").value = state.map;
  $("threshold").value = state.threshold;
  $("threshold-value").textContent = Number(state.threshold).toFixed(2);
  for (const box of $("kinds").querySelectorAll("input")) box.checked = kindsIn(state).has(box.value);
  const layers = layersOf(first).names.map((name, index) => element("option", `${index} ${name}`, { value: index }));
  $("pin").replaceChildren(element("option", "none", { value: "" }), ...layers);
  $("pin").value = state.pin;
}

function connect() {
  $("only-one").addEventListener("click", () => change({ second: "" }));
  for (const radio of document.querySelectorAll('input[name="view"]')) {
    radio.addEventListener("change", () => change({ view: radio.value }));
  }
  $("without").addEventListener("change", (event) => change({ without: event.target.checked ? "1" : "" }));
  $("map").addEventListener("change", (event) => change({ map: event.target.value }));
  $("threshold").addEventListener("input", (event) => change({ threshold: event.target.value }));
  $("pin").addEventListener("change", (event) => change({ pin: event.target.value }));
  for (const button of document.querySelectorAll("[data-export]")) {
    button.addEventListener("click", () => exportAs(button.dataset.export));
  }
  addEventListener("hashchange", () => {
    state = stateIn(location.hash);
    show();
  });
  let waiting = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(draw);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  const figure = $("figure");
  figure.addEventListener("keydown", onKey);
  figure.on("plotly_hover", (data) => {
    const words = moveCursor(cursorAt(data));
    showTip(words[cursor.panel], data.event);
  });
  figure.on("plotly_unhover", () => {
    moveCursor(null);
    showTip(null);
  });
  figure.on("plotly_click", (data) => {
    cursor = cursorAt(data);
    pinAtCursor();
  });
  figure.on("plotly_relayout", drawCursor);
}

async function start() {
  $("left-out").hidden = !study.left_out;
  $("left-out").textContent = study.left_out;
  // On a narrow screen the heatmap comes first.
  $("controls").open = innerWidth > 900;
  buildNetworks();
  buildKinds();
  buildExamples();
  buildFindings();
  $("map").append(...Object.keys(study.colour_maps).map((name) => element("option", name, { value: name })));
  const script = element("script", new TextDecoder().decode(await unzipped($("library").textContent)));
  document.head.append(script);
  state = stateIn(location.hash);
  await show();
  connect();
  document.documentElement.dataset.ready = "yes";
}

start();
