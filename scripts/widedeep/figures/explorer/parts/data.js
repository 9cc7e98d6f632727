"use strict";
// What is read from the embedded data and computed from it; nothing here knows of the page.

const UNDEFINED = 65535; // the code of an undefined value

/** The bytes behind base64. */
function bytesOf(base64) {
  const characters = atob(base64);
  const bytes = new Uint8Array(characters.length);
  for (let place = 0; place < bytes.length; place++) bytes[place] = characters.charCodeAt(place);
  return bytes;
}

/** The bytes behind base64 of gzip. */
async function unzipped(text) {
  const bytes = bytesOf(text);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** A packed matrix as an array of rows of numbers, NaN where undefined. */
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

/**
 * The largest contiguous range of layers whose every pairwise CKA is at least the threshold: [first, last] layer, the
 * first of several, null where no layer is defined. The same rule as block_size in scripts/widedeep/analysis/block_structure.py.
 */
function blockRange(matrix, threshold) {
  const alike = (a, b) => matrix[a][b] >= threshold && matrix[b][a] >= threshold;
  let start = 0;
  let found = null;
  for (let end = 0; end < matrix.length; end++) {
    // The range may hold no pair below the threshold: go on behind the last layer unlike this one.
    for (let layer = end; layer >= start; layer--) {
      if (!alike(end, layer)) start = layer + 1;
    }
    const longest = found ? found[1] - found[0] + 1 : 0;
    if (end + 1 - start > longest) found = [start, end];
  }
  return found;
}

/** The layer at the nearest relative depth, of another number of layers: equal_depth in scripts/widedeep/analysis/block_structure.py. */
function atEqualDepth(layer, layers, otherLayers) {
  const depth = layers === 1 ? 0 : layer * ((otherLayers - 1) / (layers - 1));
  // As there, halves go to the even layer.
  return depth % 1 === 0.5 ? 2 * Math.round(depth / 2) : Math.round(depth);
}

/** Where, among shown layers, the nearest one of the same residual block is; null where none is shown. */
function nearestInBlock({ stages, blocks }, layer, shown) {
  const distances = shown.flatMap((other, position) =>
    stages[other] === stages[layer] && blocks[other] === blocks[layer] ? [[Math.abs(other - layer), position]] : [],
  );
  return distances.length ? distances.reduce((best, next) => (next[0] < best[0] ? next : best))[1] : null;
}

/** The smallest number with one digit that is not below a positive one, as text. */
function roundedUp(value) {
  if (!value) return "0";
  const power = Math.floor(Math.log10(value));
  // Of a number that has one digit already no more than a rounding error is left.
  return Number(`${Math.ceil(Number((value / 10 ** power).toPrecision(12)))}e${power}`).toExponential(0);
}

/** Indices of the layers that are of the chosen kinds. */
function layersOfKinds(architecture, kinds) {
  return architecture.kinds.flatMap((kind, index) => (kinds.has(kind) ? [index] : []));
}

/** Rows of words and numbers as CSV; what is undefined stays empty. */
function asCsv(rows) {
  const cell = (value) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "";
    const text = String(value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",") + "\n").join("");
}
