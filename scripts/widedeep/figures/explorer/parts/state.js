"use strict";
// The state of the page. It lives in the page's address; these functions check, read and write it.

const $ = (id) => document.getElementById(id);
const study = JSON.parse($("data").textContent);
const networkOf = new Map(study.networks.map((network) => [network.label, network]));
const layersOf = (network) => study.architectures[network.model];
const countOf = (network) => layersOf(network).names.length;
const allKinds = [...new Set(Object.values(study.architectures).flatMap((architecture) => architecture.kinds))];
const LARGEST_CONTRAST = 0.3; // of the slider, whose steps are 0.01

const initial = {
  first: study.networks[0].label,
  second: "",
  view: "pair", // or "side": two networks side by side, each with itself
  without: "", // first components: "", "1" or "both"
  kinds: "",
  contrast: String(study.least_contrast), // from which a range of layers counts as a block structure
  pin: "", // a layer of the first network, as 20, or of the second, as 2:20
  x: "", // zoomed range of layers on each axis, as 10-40, or of the second network as 2:10-40; all if empty
  y: "",
  map: Object.keys(study.colour_maps)[0],
};
let state = { ...initial };

/** Read the state in an address; missing and wrong values are those of the initial state. */
function stateIn(fragment) {
  const said = Object.fromEntries(new URLSearchParams(fragment.replace(/^#/, "")));
  const given = Object.hasOwn(said, "first") ? said : { ...(study.examples.with ?? study.examples.without), ...said };
  const next = { ...initial, ...Object.fromEntries(Object.entries(given).filter(([key]) => Object.hasOwn(initial, key))) };
  // Layer numbers of a network that the page does not hold mean nothing for another network.
  if (!networkOf.has(next.first)) Object.assign(next, { first: initial.first, pin: "", x: "", y: "" });
  if (!networkOf.has(next.second)) next.second = "";
  const contrast = next.contrast.trim() ? Math.round(100 * Number(next.contrast)) / 100 : NaN;
  next.contrast = contrast >= 0 && contrast <= LARGEST_CONTRAST ? String(contrast) : initial.contrast;
  if (!Object.hasOwn(study.colour_maps, next.map)) next.map = initial.map;
  if (next.view !== "side") next.view = "pair";
  if (!["1", "both"].includes(next.without)) next.without = "";
  next.pin = textOf(layersIn(next.pin, next, 1));
  for (const axis of ["x", "y"]) next[axis] = textOf(layersIn(next[axis], next, 2));
  next.kinds = [...kindsIn(next)].length === allKinds.length ? "" : [...kindsIn(next)].join(",");
  return next;
}

function addressOf(next) {
  const changed = Object.entries(next).filter(([key, value]) => value !== initial[key] || key === "first");
  return `#${new URLSearchParams(changed)}`;
}

/** Parse 20, 2:20 or 2:10-40 to {which, layers}: `count` layers of the first or second network; null if it is wrong. */
function layersIn(words, { first, second }, count) {
  const [, prefix, numbers] = words.match(/^(2:)?(\d+(?:-\d+)?)$/) ?? [];
  const network = networkOf.get(prefix ? second : first);
  const layers = numbers?.split("-").map(Number) ?? [];
  const fits = layers.length === count && network && layers[0] <= layers.at(-1) && layers.at(-1) < countOf(network);
  return fits ? { which: prefix ? 2 : 1, layers } : null;
}

function textOf(found) {
  return found ? `${found.which === 2 ? "2:" : ""}${found.layers.join("-")}` : "";
}

/** Convert layers of network `from` to another one: the same layers, or layers at equal depth in another architecture. */
function asLayersOf(network, found, from) {
  if (layersOf(network) === layersOf(from)) return found.layers;
  return found.layers.map((layer) => atEqualDepth(layer, countOf(from), countOf(network)));
}

/** Layers in a value of the state, converted to its first or second network; null if there are none. */
function inNetwork(words, which, count) {
  const found = layersIn(words, state, count);
  const networks = [state.first, state.second].map((label) => networkOf.get(label));
  return found && asLayersOf(networks[which - 1], found, networks[found.which - 1]);
}

/** Changes of the state that replace its networks and convert its pin and zoom to them. */
function layersAfter(networks) {
  const next = { ...state, ...networks };
  const moved = (words, count) => {
    const found = layersIn(words, state, count);
    if (!found) return "";
    const from = networkOf.get(found.which === 2 ? state.second : state.first);
    const which = found.which === 2 && next.second ? 2 : 1;
    const network = networkOf.get(which === 2 ? next.second : next.first);
    return textOf({ which, layers: asLayersOf(network, found, from) });
  };
  return { ...networks, pin: moved(state.pin, 1), x: moved(state.x, 2), y: moved(state.y, 2) };
}

/** Kinds of layers to show; all of them if none is chosen. */
function kindsIn({ kinds }) {
  const chosen = kinds.split(",").filter((kind) => allKinds.includes(kind));
  return new Set(chosen.length ? chosen : allKinds);
}

let addressWaits = 0;

/** Write the state into the address. It replaces the last entry of the history, or with `pushState` follows it. */
function writeAddress(how = "replaceState") {
  clearTimeout(addressWaits);
  try {
    history[how](null, "", addressOf(state));
  } catch {
    // Browsers limit how often an address may change, so try again a second later.
    addressWaits = setTimeout(writeAddress, 1000);
  }
}

function change(changes) {
  state = stateIn(addressOf({ ...state, ...changes }));
  writeAddress();
  return show();
}
