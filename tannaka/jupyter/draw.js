// A page to draw on: strokes by dragging, or by clicking one end and then the other.

const NEAR = 26;

function drawDraw(place, panel, ask, memory) {
  if (panel.refused) return show(place, refusal(panel.refused));
  const spots = [...panel.spots, ...(panel.handle ? [{ ...panel.handle, label: "determinant", det: true }] : [])];
  let tool = panel.edges ? (memory.tool ?? "edge") : "strand";
  const rubber = h("svg:path", { class: "rubber", visibility: "hidden" });
  const targets = spots.map((spot, i) =>
    h(
      "svg:g",
      { class: spot.det ? "spot det" : "spot", tabindex: "0", role: "button", "aria-label": spot.label, "data-key": spots.findIndex((one) => one.end === spot.end) === i ? `spot ${spot.end}` : `node ${spot.end}`, "data-end": spot.end, transform: `translate(${spot.x} ${spot.y})` },
      spot.det
        ? [h("svg:path", { d: "M-17 8C-17 -20 17 -20 17 8z", class: "bell" }), h("svg:text", { y: 24, "text-anchor": "middle" }, "det")]
        : [h("svg:circle", { r: 15, class: "halo" }), h("svg:circle", { r: 5.5, class: "point" })],
    ),
  );
  const svg = h(
    "svg:svg",
    { class: "pad", role: "group", "data-strokes": panel.strokes, "aria-label": `drawing page; ${panel.rule}`, width: panel.width, height: panel.height, viewBox: `0 0 ${panel.width} ${panel.height}` },
    markup(panel.body, { class: "drawing" }),
    rubber,
    targets,
  );
  const place_of = (event) => {
    const box = svg.getBoundingClientRect();
    const scale = panel.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  const near = ([x, y]) => {
    const far = (spot) => Math.hypot(spot.x - x, spot.y - y);
    const best = spots.reduce((one, other) => (far(other) < far(one) ? other : one), spots[0]);
    return best && far(best) < NEAR ? best : null;
  };
  let start = null;
  const mark = (spot) => {
    start = spot;
    targets.forEach((target) => target.classList.toggle("started", spot !== null && Number(target.dataset.end) === spot.end));
    if (!spot) rubber.setAttribute("visibility", "hidden");
  };
  const stretch = ([x, y]) => {
    const middle = (start.y + y) / 2;
    rubber.setAttribute("d", `M${start.x} ${start.y}C${start.x} ${middle} ${x} ${middle} ${x} ${y}`);
    rubber.setAttribute("visibility", "visible");
  };
  const finish = (end) => {
    const from = start;
    mark(null);
    if (end === from.end) return ask("free", { vertex: end });
    return ask("draw", { start: from.end, end, edge: tool === "edge" && from.end >= 0 });
  };
  let dragged = false;
  svg.addEventListener("pointerdown", (event) => {
    const spot = near(place_of(event));
    dragged = false;
    if (!start && spot) {
      mark(spot);
      svg.setPointerCapture(event.pointerId);
      svg.dataset.fresh = "yes";
    } else if (start) {
      svg.dataset.fresh = "no";
    }
  });
  svg.addEventListener("pointermove", (event) => {
    if (!start) return;
    const at = place_of(event);
    if (Math.hypot(start.x - at[0], start.y - at[1]) > 10 && event.buttons) dragged = true;
    stretch(at);
  });
  svg.addEventListener("pointerup", (event) => {
    if (!start) return;
    const at = place_of(event);
    const spot = near(at);
    // A click on a point begins a stroke that the next click ends.
    if (svg.dataset.fresh === "yes" && !dragged) return;
    if (spot) return void finish(spot.end);
    if (tool === "edge" || start.det) return void finish(panel.blank);
    return void mark(null);
  });
  svg.addEventListener("keydown", (event) => {
    const target = event.target.closest?.(".spot");
    if (event.key === "Escape") return mark(null);
    if (!target || (event.key !== "Enter" && event.key !== " ")) return undefined;
    event.preventDefault();
    event.stopPropagation();
    const spot = spots.find((one) => one.end === Number(target.dataset.end));
    return start ? finish(spot.end) : mark(spot);
  });
  const tools =
    panel.edges &&
    h(
      "span",
      { class: "operations", role: "group", "aria-label": "what a stroke is" },
      ["edge", "strand"].map((name) =>
        button(name, (event) => {
          tool = memory.tool = name;
          for (const one of event.target.parentNode.children) one.setAttribute("aria-pressed", String(one.textContent === name));
        }, { "aria-pressed": String(name === tool), "data-key": `tool ${name}` }),
      ),
    );
  const controls = h(
    "div",
    { class: "steps" },
    tools,
    button("undo", () => ask("undo"), { class: "quiet", disabled: !panel.strokes, "data-key": "undo" }),
    button("clear", () => ask("wipe"), { class: "quiet", disabled: !panel.strokes, "data-key": "wipe" }),
    h("p", { class: "caption" }, panel.rule),
  );
  const outcome = panel.missing
    ? h("p", { class: "missing" }, `not yet a diagram: ${panel.missing}`)
    : h(
        "div",
        { class: "drawn" },
        copyable(panel.python, "the diagram", "drawn"),
        h("p", { class: "caption" }, panel.formula),
        panel.number !== null
          ? h("p", {}, "number ", h("b", { class: "chip" }, String(panel.number)), " of the basis")
          : panel.told
            ? h("p", { class: "note" }, panel.told)
            : h("div", {}, h("p", {}, `not in the basis: ${panel.at}, it equals`), sum(panel.equal, "drawn-sum")),
        h(
          "p",
          { class: "uses" },
          button(["take it as ", h("i", {}, "f")], () => ask("use", { what: "drawn", slot: "f" }), { class: "quiet", "data-key": "drawn f" }),
          button(["as ", h("i", {}, "g")], () => ask("use", { what: "drawn", slot: "g" }), { class: "quiet", "data-key": "drawn g" }),
        ),
      );
  return show(place, h("div", { class: "sheet" }, svg), controls, outcome);
}

// The layer of the space: channels, backend, its source and how to write it into a file.
function drawLayer(place, panel, ask) {
  if (panel.refused) return show(place, refusal(panel.refused));
  const wanted = (changes) =>
    ask("ask", { in_channels: panel.in_channels, out_channels: panel.out_channels, backend: panel.backend, ...changes });
  const channels = (key, name, hint) =>
    stepper(name, panel[key], { least: 1, most: 4096, step: 1, hint }, (value) => wanted({ [key]: value }));
  const menu = h("select", { "aria-label": "backend", "data-key": "backend", onchange: () => wanted({ backend: menu.value }) }, panel.backends.map((one) => h("option", { value: one }, one)));
  menu.value = panel.backend;
  return show(
    place,
    h("div", { class: "controls" }, channels("in_channels", "in", "channels of the input"), channels("out_channels", "out", "channels of the output"), menu, button("write the layer", () => ask("write"), { class: "main", "data-key": "write" })),
    h("p", { class: "caption" }, `${panel.weights}; ${panel.biases}`),
    panel.shell && copyable(panel.shell, "the command", "shell"),
    panel.source && h("div", { class: "source" }, copyable(panel.source, "the source", "source")),
  );
}
