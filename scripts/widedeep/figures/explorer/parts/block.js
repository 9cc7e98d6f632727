"use strict";
// The block structure of networks: whether there is one at the slider's contrast, and what is said of it.
//
// The range of layers of a network, {start, stop, size, contrast, deflated}, comes with the page; it is null for a network
// with too few residual blocks. Its contrasts have three decimals, rounded down, so that one that is shown as 0.060 reaches
// 0.06, and one that is shown as 0.059 does not.

/** Whether the range of a network counts as a block structure from some contrast on. */
function hasBlock({ block }, least = Number(state.contrast)) {
  return block !== null && block.contrast >= least;
}

/** [first, last] layer of a network's block structure; null if it has none. */
function blockOf(network) {
  return hasBlock(network) ? [network.block.start, network.block.stop - 1] : null;
}

const contrastInWords = (value) => (value === null ? "undefined" : value.toFixed(3).replace("-", "−"));
const sliderInWords = () => Number(state.contrast).toFixed(2);
const rangeInWords = ({ start, stop }) => `layers ${start} to ${stop - 1}`;

/** Text on the block structure of a network, and on the contrast of the same layers without first components. */
function blockInWords(network, without) {
  const { block } = network;
  if (!block) return "too few residual blocks";
  const contrast = contrastInWords(block.contrast);
  if (!hasBlock(network)) {
    return `no block structure: the best range, ${rangeInWords(block)}, has a contrast of ${contrast}, below ${sliderInWords()}`;
  }
  const size = `${Math.round(100 * block.size)} % of the layers`;
  const after = without ? `, without first components ${contrastInWords(block.deflated)}` : "";
  return `block structure: ${rangeInWords(block)} (${size}), contrast ${contrast}${after}`;
}

/** Short text on the block structure of a network. */
function blockInShort(network) {
  if (!network.block) return "too few residual blocks";
  return `${hasBlock(network) ? "" : "no "}block structure (contrast ${contrastInWords(network.block.contrast)})`;
}

/** The shortest text on it, with the mark of the table of networks. */
function blockInFewWords(network) {
  if (!network.block) return blockInShort(network);
  return `contrast ${contrastInWords(network.block.contrast)}${hasBlock(network) ? " ■" : ""}`;
}

/** Short text for a heatmap: also where the block structure is, or what its contrast is in CKA without first components. */
function blockInTitle(network, without) {
  const { block } = network;
  if (!hasBlock(network)) return blockInShort(network);
  if (without) return `${rangeInWords(block)}, without first components: contrast ${contrastInWords(block.deflated)}`;
  return `block structure: ${rangeInWords(block)}, contrast ${contrastInWords(block.contrast)}`;
}

/** A sentence on each network that is shown. */
function blocksInWords() {
  const without = state.without !== "";
  return networksShown().map((network) => `${network.name}: ${blockInWords(network, without)}.`).join(" ");
}

/** Mark networks with a block structure by ■ in their table, and those that cannot have one by –. */
function markNetworks() {
  for (const button of document.querySelectorAll("[data-network]")) {
    const network = networkOf.get(button.dataset.network);
    const mark = network.block ? (hasBlock(network) ? " ■" : "") : " –";
    button.textContent = percentage(network.test_accuracy) + mark;
    button.setAttribute("aria-label", `${network.name}, test accuracy ${percent(network.test_accuracy)}, ${blockInShort(network)}`);
  }
}

/** Count the networks with a block structure, by some contrasts and by the slider's. */
function countNetworks() {
  const able = study.networks.filter(({ block }) => block);
  const rowOf = (name, least) => {
    const row = element("tr");
    const count = able.filter((network) => hasBlock(network, least)).length;
    row.append(element("th", name, { scope: "row" }), element("td", `${count} of ${able.length}`));
    return row;
  };
  const rows = study.sensitivity.map((least) => rowOf(least.toFixed(2), least));
  $("sensitivity").tBodies[0].replaceChildren(...rows, rowOf(`${sliderInWords()} (slider)`, Number(state.contrast)));
  const lacking = study.networks.length - able.length;
  $("lacking-blocks").hidden = !lacking;
  $("lacking-blocks").textContent = `${lacking} more on this page: too few residual blocks.`;
}
