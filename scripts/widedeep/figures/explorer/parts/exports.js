"use strict";
// Exports of a view as tables and pictures that explain themselves.

// Enough digits that rounding adds little to the error of the stored values.
const CSV_DIGITS = 7;

const yesOrNo = (value) => (value ? "yes" : "no");
// Empty for a network with too few residual blocks, of which nothing is known.
const inBlock = (network, layer, range) => network.block && yesOrNo(range && layer >= range[0] && layer <= range[1]);
const seenOf = (layers, [from, to]) => layers.slice(from, to + 1);
const written = (value) => (Number.isNaN(value) ? null : value.toFixed(CSV_DIGITS));

/** Rows of the table of cells: CKA of all visible pairs of layers. */
function cellsOfCsv() {
  const of = (side) => ["network", "layer", "name", "kind", "stage", "in_block_structure"].map((key) => `${key}_${side}`);
  const header = [...of("row"), ...of("column"), "cka", "without_first_component", "contrast_threshold", "pinned_row"];
  const words = (network, layer, range) => {
    const { names, kinds, stages } = layersOf(network);
    return [network.label, layer, names[layer], kinds[layer], stages[layer], inBlock(network, layer, range)];
  };
  const lines = shown.flatMap(({ first, second, rows, columns, seen, values, block, pinned, without }) =>
    seenOf(rows, seen.rows).flatMap((row) =>
      seenOf(columns, seen.columns).map((column) => [
        ...words(first, row, block.rows),
        ...words(second, column, block.columns),
        written(values[row][column]),
        yesOrNo(without),
        state.contrast,
        yesOrNo(row === pinned),
      ]),
    ),
  );
  return [header, ...lines];
}

/** Rows of the table of layers: the curves, one line per visible layer. */
function layersOfCsv() {
  const header =
    "network,layer,name,kind,stage,shape,share_of_first_component,in_block_structure,contrast,contrast_threshold," +
    "pinned_network,pinned_layer,cka_with_pinned,without_first_component,probe_before,probe_after,accuracy_without_block," +
    "accuracy_without_block_and_rest_of_stage,accuracy_of_network";
  const lines = shown.flatMap(({ first, second, columns, seen, values, block, pinned, without, series }) => {
    const { names, kinds, stages, shapes } = layersOf(second);
    const valueIn = (points) => (layer) => points.find((point) => point.layer === layer)?.value;
    const [after, before, alone, fromTheEnd] = series.map(valueIn);
    return seenOf(columns, seen.columns).map((layer) => [
      second.label,
      layer,
      names[layer],
      kinds[layer],
      stages[layer],
      shapes[layer],
      second.share[layer],
      inBlock(second, layer, block.columns),
      second.block?.contrast,
      state.contrast,
      pinned === null ? null : first.label,
      pinned === null ? null : layersOf(first).names[pinned],
      pinned === null ? null : written(values[pinned][layer]),
      yesOrNo(without),
      before(layer),
      after(layer),
      alone(layer),
      fromTheEnd(layer),
      second.test_accuracy,
    ]);
  });
  return [header.split(","), ...lines];
}

/** File name of a view: the study, the networks, and all that differs from the initial state. */
function fileNameOf(extension) {
  const networks = networksShown().map(({ label }) => label);
  const others = Object.entries(state).filter(([key, value]) => !["first", "second"].includes(key) && value !== initial[key]);
  const parts = [study.study, ...networks, ...others.map(([key, value]) => key + value)];
  const name = parts.join("--").replaceAll(/[^\w.-]+/g, "-");
  return `${name.slice(0, 200)}${extension}`;
}

/** Caption of a picture, a list of sentences. */
function captionOf() {
  const [{ first, second }] = shown;
  const networks = networksShown().map(({ name, test_accuracy: accuracy }) => `${name} (test accuracy ${percent(accuracy)})`);
  const of = first === second ? "between the layers of" : "between";
  const removed = { 1: ", without first components", both: ", with and without first components" }[state.without] ?? "";
  return [
    `Explorer of ${study.study}: CKA ${of} ${networks.join(" and ")}${removed}.`,
    `Block structure (a range of layers counts from a contrast of ${sliderInWords()}): ${$("block").textContent}`,
    `Pinned layer: ${pinInWords()}.`,
    `View: ${location.pathname.split("/").at(-1)}${addressOf(state)}`,
  ];
}

/** Break sentences into lines of at most some letters, also inside longer words. */
function linesOf(sentences, letters) {
  return sentences.flatMap((sentence) => {
    const lines = [""];
    for (const word of sentence.split(" ").flatMap((word) => word.match(new RegExp(`.{1,${letters}}`, "g")) ?? [])) {
      if (lines.at(-1).length + 1 + word.length > letters && lines.at(-1)) lines.push("");
      lines[lines.length - 1] += (lines.at(-1) && " ") + word;
    }
    return lines;
  });
}

/** Make the picture with its caption, always light, as a data URI. */
async function pictureOf(format) {
  const caption = linesOf(captionOf(), Math.floor((places.width - 16) / 6.2));
  const room = SPACE.line * caption.length + 8;
  const where = { ...places, height: places.height + room, caption: room };
  const { traces: data, layout } = drawing(where, theme($("paper"), false), caption);
  return Plotly.toImage({ data, layout }, { format, width: where.width, height: where.height, scale: format === "png" ? 2 : 1 });
}

/** Add title and description to an SVG. */
function withTitle(svg) {
  const escaped = (text) => plainText(text).replaceAll(">", "&gt;").replaceAll('"', "&quot;");
  const [title, ...rest] = captionOf().map(escaped);
  const elements = `<title id="title">${title}</title><desc id="desc">${rest.join(" ")}</desc>`;
  return svg.replace(/^<svg([^>]*)>/, (_, attributes) => `<svg${attributes} role="img" aria-labelledby="title desc">${elements}`);
}

async function exportAs(format) {
  if (!shown.length) return;
  if (format === "cells" || format === "layers") {
    const rows = format === "cells" ? cellsOfCsv() : layersOfCsv();
    save(new Blob([asCsv(rows)], { type: "text/csv" }), fileNameOf(`--${format}.csv`));
    return;
  }
  const uri = await pictureOf(format);
  const [, type, base64, content] = uri.match(/^data:([^;,]*)[^,]*?(;base64)?,(.*)$/s);
  const picture = base64 ? bytesOf(content) : withTitle(decodeURIComponent(content));
  save(new Blob([picture], { type }), fileNameOf(`.${format}`));
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
