"use strict";
// The controls: built from the study, set from the state, connected to it. Also the start of the page.

/** Make an element with text in it; data are never read as HTML. */
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
  const button = element("button", "", { type: "button", "data-network": network.label });
  button.addEventListener("click", () => {
    const role = document.querySelector('input[name="role"]:checked').value;
    change(layersAfter({ [role]: network.label }));
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

/** Make a link that shows a view, scrolls to the figure and focuses it. */
function linkTo(view, words, attributes = {}) {
  const link = element("a", words, { href: addressOf({ ...initial, ...view }), ...attributes });
  link.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    state = stateIn(link.hash);
    writeAddress("pushState");
    await show();
    toFigure();
    say("said", `Shown: ${link.getAttribute("aria-label") ?? words}.`);
  });
  return link;
}

function toFigure() {
  $("view").scrollIntoView();
  $("figure").focus({ preventScroll: true });
}

function buildExamples() {
  const { with: clearest, without } = study.examples;
  const link = (words, view) => linkTo(view, `${words} (${networkOf.get(view.first).name})`);
  if (clearest) $("examples").append(link("Here is the clearest one of this study", clearest));
  else $("examples").append("No network of this study has one");
  if (without) $("examples").append(", and here is ", link("a network without", without));
  $("examples").append(".");
}

function buildFindings() {
  $("findings").hidden = !study.findings.length;
  for (const { result, claim, verdict, number, interval, smallest_effect: effect, why, view } of study.findings) {
    const row = element("tr");
    const cell = element("td", view ? "" : `not here: ${result} of the report`);
    if (view) {
      cell.append(linkTo(view, `show ${result}`, { "aria-label": `show ${result}: ${claim}` }));
      row.dataset.view = addressOf({ ...initial, ...view });
    }
    // Narrow screens show the name of a number before it, since the table has no head there.
    const numbers = [
      number ? ["number", number] : ["reason", why],
      ["95 % interval", interval],
      ["smallest effect that it could see", effect],
    ].map(([name, words]) => element("td", words, { "data-name": name }));
    row.append(element("td", claim), element("td", verdict), cell, ...numbers);
    $("claims").tBodies[0].append(row);
  }
}

function setControls() {
  markNetworks();
  countNetworks();
  for (const button of document.querySelectorAll("[data-network]")) {
    const role = { [state.second]: "second", [state.first]: "first" }[button.dataset.network];
    if (role) button.dataset.role = role;
    else delete button.dataset.role;
    button.setAttribute("aria-pressed", String(Boolean(role)));
  }
  if (shownState?.first !== state.first) bringIntoTable(document.querySelector('[data-role="first"]'));
  for (const row of document.querySelectorAll("[data-view]")) {
    if (row.dataset.view === addressOf(state)) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
  $("only-one").disabled = !state.second;
  $("comparison").disabled = !state.second;
  document.querySelector(`input[name="view"][value="${state.view}"]`).checked = true;
  document.querySelector(`input[name="without"][value="${state.without}"]`).checked = true;
  $("map").value = state.map;
  $("contrast").value = state.contrast;
  $("contrast-value").textContent = sliderInWords();
  for (const box of $("kinds").querySelectorAll("input")) box.checked = kindsIn(state).has(box.value);
  $("pin").replaceChildren(element("option", "none", { value: "" }), ...layersToPin());
  $("pin").value = state.pin;
}

/** Options for the pinned layer: the layers of one network, or of two in groups. */
function layersToPin() {
  const groups = [state.first, state.second].filter(Boolean).map((label, index) => {
    const network = networkOf.get(label);
    const group = element("optgroup", "", { label: network.name });
    const valueOf = (layer) => textOf({ which: index + 1, layers: [layer] });
    const { names } = layersOf(network);
    group.append(...names.map((name, layer) => element("option", `${layer} ${name}`, { value: valueOf(layer) })));
    return group;
  });
  return groups.length === 1 ? [...groups[0].children] : groups;
}

/** Scroll the table of networks, but not the page, until a button is visible. */
function bringIntoTable(button) {
  const frame = $("networks").parentElement;
  const [inside, around] = [button.getBoundingClientRect(), frame.getBoundingClientRect()];
  if (inside.top < around.top) frame.scrollTop -= around.top - inside.top + 8;
  if (inside.bottom > around.bottom) frame.scrollTop += inside.bottom - around.bottom + 8;
}

function connect() {
  $("skip").addEventListener("click", toFigure);
  $("only-one").addEventListener("click", () => change(layersAfter({ second: "" })));
  $("all-kinds").addEventListener("click", () => change({ kinds: "" }));
  $("whole").addEventListener("click", () => change({ x: "", y: "" }));
  for (const name of ["view", "without"]) {
    for (const radio of document.querySelectorAll(`input[name="${name}"]`)) {
      radio.addEventListener("change", () => change({ [name]: radio.value }));
    }
  }
  $("map").addEventListener("change", (event) => change({ map: event.target.value }));
  $("contrast").addEventListener("input", (event) => change({ contrast: event.target.value }));
  $("pin").addEventListener("change", (event) => change({ pin: event.target.value }));
  for (const button of document.querySelectorAll("[data-export]")) {
    button.addEventListener("click", () => inTurn(() => exportAs(button.dataset.export)));
  }
  for (const moved of ["hashchange", "popstate"]) {
    addEventListener(moved, () => {
      if (addressOf(state) === location.hash) return;
      state = stateIn(location.hash);
      show();
    });
  }
  // It also reports when a page that was hidden at first gets a width.
  new ResizeObserver(redrawIfMoved).observe($("view"));
  addEventListener("resize", redrawIfMoved);
  darkScheme.addEventListener("change", drawAgain);
  addEventListener("beforeprint", drawForPaper);
  addEventListener("afterprint", drawAgain);
  connectCursor();
}

let waiting = 0;

/** Draw again, at most once per frame, if the window's size changes the places of panels. */
function redrawIfMoved() {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => {
    const width = $("view").clientWidth;
    if (!shown.length || !width) return;
    const next = placesOf(shown, width, innerHeight - SPACE.readout);
    if (JSON.stringify(next) !== JSON.stringify(places)) drawAgain();
  });
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
  $("contrast").max = LARGEST_CONTRAST;
  for (const text of document.querySelectorAll(".least-contrast")) text.textContent = study.least_contrast.toFixed(2);
  $("map").append(...Object.keys(study.colour_maps).map((name) => element("option", name, { value: name })));
  const script = element("script", new TextDecoder().decode(await unzipped($("library").textContent)));
  document.head.append(script);
  state = stateIn(location.hash);
  await show();
  // plotly gives the figure its events with the first drawing, which a hidden page does not have yet.
  if (!$("figure").on) await Plotly.newPlot("figure", [], {}, { displayModeBar: false, doubleClick: false });
  connect();
  document.documentElement.dataset.ready = "yes";
}

start();
