"use strict";
// Functions that unpack the embedded data and compute with them. They do not use the page.

const UNDEFINED = 65535; // the code of an undefined value

/** Decode base64 to bytes. */
function bytesOf(base64) {
  const characters = atob(base64);
  const bytes = new Uint8Array(characters.length);
  for (let place = 0; place < bytes.length; place++) bytes[place] = characters.charCodeAt(place);
  return bytes;
}

/** Decode base64 and decompress gzip. */
async function unzipped(text) {
  const bytes = bytesOf(text);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** Unpack a matrix to an array of rows of numbers, NaN where undefined. */
async function unpacked({ rows, columns, symmetric, low, step, data }) {
  const bytes = new DataView(await unzipped(data));
  const matrix = Array.from({ length: rows }, () => new Float64Array(columns));
  let place = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = symmetric ? row : 0; column < columns; column++, place += 2) {
      const code = bytes.getUint16(place, true);
      matrix[row][column] = code === UNDEFINED ? NaN : low + step * code;
      if (symmetric) matrix[column][row] = matrix[row][column];
    }
  }
  return matrix;
}

function transposed(matrix) {
  return Array.from(matrix[0], (_, column) => Float64Array.from(matrix, (row) => row[column]));
}

/** The layer at the nearest relative depth in a network of `otherLayers` layers: equal_depth in analysis/block_structure.py. */
function atEqualDepth(layer, layers, otherLayers) {
  const depth = layers === 1 ? 0 : layer * ((otherLayers - 1) / (layers - 1));
  // numpy rounds halves to the even number.
  return depth % 1 === 0.5 ? 2 * Math.round(depth / 2) : Math.round(depth);
}

/** Position, among shown layers, of the nearest layer in the same residual block; null if none is shown. */
function nearestInBlock({ stages, blocks }, layer, shown) {
  const distances = shown.flatMap((other, position) =>
    stages[other] === stages[layer] && blocks[other] === blocks[layer] ? [[Math.abs(other - layer), position]] : [],
  );
  return distances.length ? distances.reduce((best, next) => (next[0] < best[0] ? next : best))[1] : null;
}

/** Round a positive number up to one digit, as text. */
function roundedUp(value) {
  if (!value) return "0";
  const power = Math.floor(Math.log10(value));
  // Twelve digits drop the rounding error of a number that already has one digit.
  return Number(`${Math.ceil(Number((value / 10 ** power).toPrecision(12)))}e${power}`).toExponential(0);
}

/** Indices of the layers that are of the chosen kinds. */
function layersOfKinds(architecture, kinds) {
  return architecture.kinds.flatMap((kind, index) => (kinds.has(kind) ? [index] : []));
}

/** Format rows of words and numbers as CSV; undefined values are empty cells. */
function asCsv(rows) {
  const cell = (value) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "";
    const text = String(value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",") + "\n").join("");
}
