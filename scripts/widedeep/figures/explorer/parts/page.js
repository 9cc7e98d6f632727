"use strict";
// From the state to panels, to their drawing, and to the text about them.

const percentage = (share) => (100 * share).toFixed(1);
const percent = (share) => `${percentage(share)} %`;
const coarse = matchMedia("(pointer: coarse)");
const darkScheme = matchMedia("(prefers-color-scheme: dark)");
const matrices = new Map(); // packed record: promise of its matrix

let shown = []; // the panels that are drawn
let places = null; // their places
let shownState = null; // the state that they show

// ---------------------------------------------------------------------------------------------------------------------
// Panels

async function matrixOf(record, without) {
  const packed = without ? record.deflated : record.cka;
  if (!matrices.has(packed)) matrices.set(packed, unpacked(packed));
  return matrices.get(packed);
}

/** CKA between two networks, layers of the first in rows; null if the page does not hold it. */
async function matrixBetween(first, second, without) {
  if (first === second) return matrixOf(first, without);
  const pairOf = (one, other) => study.pairs.find((pair) => pair.first === one.label && pair.second === other.label);
  const pair = pairOf(first, second);
  if (pair) return matrixOf(pair, without);
  const turned = pairOf(second, first);
  return turned ? transposed(await matrixOf(turned, without)) : null;
}

async function panelsOf() {
  const both = state.without === "both";
  const removed = both ? [false, true] : [state.without === "1"];
  const panels = await Promise.all(removed.map(async (without) => panelsOfOne(without, both)));
  // With and without first components, the two panels of a network stand side by side.
  return panels[0].flatMap((_, index) => panels.map((list) => list[index]));
}

async function panelsOfOne(without, both) {
  const [first, second] = [networkOf.get(state.first), networkOf.get(state.second)];
  const between = second && state.view === "pair" ? await matrixBetween(first, second, without) : null;
  const networks = [first, second];
  const panel = (rows, columns, values) =>
    panelOf(networks[rows - 1], networks[columns - 1], { rows, columns }, values, without, both);
  if (between) return [panel(1, 2, between)];
  const shownAlone = second ? [1, 2] : [1];
  return Promise.all(shownAlone.map(async (which) => panel(which, which, await matrixOf(networks[which - 1], without))));
}

function panelOf(first, second, which, values, without, both) {
  const kinds = kindsIn(state);
  const rows = layersOfKinds(layersOf(first), kinds);
  const columns = layersOfKinds(layersOf(second), kinds);
  const seen = (layers, words, of) => positionsInside(layers, inNetwork(words, of, 2)) ?? [0, layers.length - 1];
  const series = seriesOf(second, layersOf(second), columns);
  const valuesName = without ? "CKA without first components" : "CKA";
  return {
    title: [...(both ? [valuesName] : []), ...titleOf(first, second, without)],
    valuesName,
    without,
    which,
    first,
    second,
    values,
    rows,
    columns,
    seen: { rows: seen(rows, state.y, which.rows), columns: seen(columns, state.x, which.columns) },
    block: { rows: blockOf(first), columns: blockOf(second) },
    pinned: inNetwork(state.pin, which.rows, 1)?.[0] ?? null,
    series,
    hidden: series.flat().filter(({ position }) => position === null).length,
  };
}

/** Lines above a panel: accuracies and block structures. */
function titleOf(first, second, without) {
  const accuracyOf = ({ name, test_accuracy: accuracy }) => `${name}: ${percent(accuracy)}`;
  if (first === second) return [accuracyOf(first), blockInTitle(first, without)];
  return [first, second].map((one) => `${accuracyOf(one)}, ${blockInFewWords(one)}`);
}

// ---------------------------------------------------------------------------------------------------------------------
// Drawing

let drawn = Promise.resolve();

/** Run drawings one after the other. An error is shown on the page, and the next drawing runs all the same. */
function inTurn(work) {
  drawn = drawn.then(work).then(
    () => ($("trouble").hidden = true),
    (error) => {
      shownState = null; // the next drawing must draw everything
      $("trouble").hidden = false;
      $("trouble").textContent = `This view could not be drawn (${error.message}); choose another one, or load the page again.`;
    },
  );
  return drawn;
}

/** Draw the state; if several calls wait, only the last one draws. */
function show() {
  const wanted = state;
  return inTurn(async () => {
    if (wanted !== state) return;
    setControls();
    const panels = await panelsOf();
    if (wanted !== state) return;
    const lacking = panels.find(({ rows, columns }) => !rows.length || !columns.length);
    tellWhatIsLacking(panels, lacking);
    const onlyFrames = shownState && Object.keys(wanted).every((key) => key === "contrast" || wanted[key] === shownState[key]);
    const before = shown;
    [shown, shownState] = [lacking ? [] : panels, wanted];
    if (!hasSameLayers(before, shown)) cursor = null;
    await (onlyFrames && !lacking ? drawFrames() : draw());
    describe();
  });
}

/** Draw again after a change of the window's size or colour scheme. */
function drawAgain() {
  return inTurn(draw);
}

function tellWhatIsLacking(panels, lacking) {
  const isPair = state.second && state.second !== state.first && state.view === "pair";
  $("no-pair").hidden = !(isPair && panels[0].first === panels[0].second);
  $("no-layers").hidden = !lacking;
  $("figure").hidden = Boolean(lacking);
  $("whole").hidden = !(state.x || state.y);
  if (!lacking) return;
  const network = lacking.rows.length ? lacking.second : lacking.first;
  $("no-layers-of").textContent = `${network.name} has no layer of the kinds chosen (${state.kinds.replaceAll(",", ", ")}).`;
}

function hasSameLayers(before, after) {
  const layers = (panels) => String(panels.map(({ rows, columns }) => [rows.join(), columns.join()].join(" by ")));
  return layers(before) === layers(after);
}

/** Colours of the page, or of an element in it. */
function theme(from = document.documentElement, dark = darkScheme.matches) {
  const style = getComputedStyle(from);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    ...Object.fromEntries(["paper", "ink", "line", "undefined"].map((name) => [name, colour(name)])),
    // Okabe and Ito's palette for the colour-blind: the pinned row, the share, the series.
    series: [dark ? "#56b4e9" : "#0072b2", dark ? "#e69f00" : "#b06f00", "#009e73", "#009e73", "#d55e00", "#d55e00"],
  };
}

async function draw() {
  const width = $("view").clientWidth;
  if (!shown.length || !width) return;
  places = placesOf(shown, width, innerHeight - SPACE.readout);
  const { traces, layout } = drawing(places, theme());
  await Plotly.react("figure", traces, layout, { displayModeBar: false, doubleClick: false });
  afterDrawing();
}

/** Draw only frames, shading and text, which is all that the slider changes; a large heatmap would take a second. */
async function drawFrames() {
  const { shapes, annotations } = drawing(places, theme()).layout;
  // Text is slow to draw, and most steps of the slider change none.
  const hasSameText = JSON.stringify(annotations) === JSON.stringify($("figure").layout.annotations);
  await Plotly.relayout("figure", hasSameText ? { shapes } : { shapes, annotations });
}

function drawing(where, colours, caption = []) {
  return drawingOf(shown, where, {
    architectures: study.architectures,
    colours: study.colour_maps[state.map],
    theme: colours,
    zooming: !coarse.matches,
    caption,
  });
}

function afterDrawing() {
  // Screen readers get one name for the whole figure.
  for (const part of $("figure").children) part.setAttribute("aria-hidden", "true");
  drawCursor();
}

/** Draw for paper: light, and as wide as the paper. It does not wait for its turn, since the browser prints at once. */
function drawForPaper() {
  if (!shown.length) return;
  places = placesOf(shown, 700, 900);
  const { traces, layout } = drawing(places, theme($("paper"), false));
  Plotly.react("figure", traces, layout, { displayModeBar: false });
}

// ---------------------------------------------------------------------------------------------------------------------
// In words

function networksShown() {
  return [...new Set(shown.flatMap(({ first, second }) => [first, second]))];
}

function describe() {
  say("block", blocksInWords());
  say("notes", shown.length ? notes().filter(Boolean).join(" ") : "");
  tellCursor();
  const names = networksShown().map(({ name }) => name);
  const keys =
    "Arrow keys move from layer to layer, below the lowest row to the curves; Home and End go to the ends of a row, " +
    "Page Up and Page Down ten layers up and down, P to the next panel; Enter pins the row's layer, Escape frees it.";
  $("figure").setAttribute(
    "aria-label",
    `Heatmap of CKA and curves: ${names.join(" and ")}. Pinned layer: ${pinInWords()}. ${$("block").textContent} ${keys}`,
  );
}

/** Text that names the pinned layers and their networks. */
function pinInWords() {
  const drawnPins = shown.filter(({ pinned }) => pinned !== null);
  const words = drawnPins.map(({ first, pinned }) => `${layersOf(first).names[pinned]} of ${first.name}`);
  return [...new Set(words)].join(" and ") || "none";
}

function notes() {
  const [{ first, second }] = shown;
  const isPair = first !== second;
  const outlined = shown.some(({ block }) => block.rows || block.columns);
  const hidden = shown.reduce((count, panel) => count + panel.hidden, 0);
  return [
    "Layer 0 is at the lower left; dotted lines are borders of stages.",
    `A range of layers counts as a block structure from a contrast of ${sliderInWords()}.`,
    outlined && (isPair
      ? "The bar beside each axis is that network's own block structure, by its CKA with itself."
      : "The frame is the block structure, as found with first components."),
    isPair ? `The two lower curves are of ${second.name}.` : "",
    hidden ? `${hidden} accuracies are not drawn, since no layer of their residual block is shown.` : "",
    kindsIn(state).size < allKinds.length ? "Accuracies stand at the nearest shown layer of their residual block." : "",
    shown.some(({ values }) => values.some((row) => row.some(Number.isNaN))) ? "Hatched is undefined; hover for the reason." : "",
    `Values are stored in 16 bits, wrong by ${errorInWords()} at most.`,
    coarse.matches ? "" : "Drag in the heatmap to zoom, double-click to go back.",
  ];
}

/** Text: the largest error of a value on the page, with the rounding of its text. */
function errorInWords() {
  return roundedUp(study.error + 0.5 * 10 ** -CSV_DIGITS);
}

/** Set the text of an element, if it changes: screen readers read it aloud each time it is set. */
function say(id, words) {
  if ($(id).textContent !== words) $(id).textContent = words;
}
