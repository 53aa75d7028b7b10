// What becomes of f and g: pieces that move from frame to frame, and the sum that comes out.

const PAUSE = 1100;

function drawGlue(place, panel, ask) {
  if (panel.waiting) return show(place, h("p", { class: "waiting" }, panel.waiting));
  const result = h(
    "div",
    { class: "result", "aria-live": "polite" },
    sum(panel.formal, "formal"),
    panel.reduced &&
      h("div", { class: "reduced" }, h("p", { class: "at" }, panel.at), sum(panel.reduced, "at-n")),
    panel.told && h("p", { class: "note" }, panel.told),
    h(
      "p",
      { class: "uses" },
      button(["take the result as ", h("i", {}, "f")], () => ask("use", { what: "result", slot: "f" }), { "data-key": "use f", class: "quiet" }),
      button(["as ", h("i", {}, "g")], () => ask("use", { what: "result", slot: "g" }), { "data-key": "use g", class: "quiet" }),
    ),
  );
  if (!panel.gluing) return show(place, h("div", { class: "equation single" }, result));
  const { figure, controls } = gluing(panel.gluing);
  show(place, h("div", { class: "equation" }, figure, h("span", { class: "equals", "aria-hidden": "true" }, "="), result), controls);
}

function sum(one, name) {
  return h(
    "div",
    { class: `sum ${name}` },
    one.svg ? picture(one.svg) : null,
    h("code", { "data-sum": name }, one.text),
  );
}

// A figure that plays itself once, and can be stepped through.
function gluing(data) {
  const pieces = data.pieces.map((layers, i) => {
    const drawn = layers.map((body) => markup(body, { class: "layer" }));
    const turned = h("svg:g", { class: "turned" }, drawn);
    return { drawn, turned, moved: h("svg:g", { class: "moved" }, turned), height: data.heights[i] };
  });
  const svg = h(
    "svg:svg",
    { class: "gluing", role: "img", width: data.width, height: data.height, viewBox: `0 0 ${data.width} ${data.height}` },
    pieces.map((piece) => piece.moved),
  );
  const caption = h("p", { class: "caption", "aria-live": "polite" });
  const dots = data.frames.map((frame, i) =>
    button("", () => stop(i), { class: "dot", "aria-label": `step ${i + 1}: ${frame.caption}`, title: frame.caption, "data-key": `dot ${i}` }),
  );
  let now = 0;
  let timer = null;
  const go = (to) => {
    now = Math.min(Math.max(to, 0), data.frames.length - 1);
    const frame = data.frames[now];
    pieces.forEach((piece, i) => {
      const [x, y, upright] = frame.places[i];
      piece.moved.style.transform = `translate(${x}px, ${y}px)`;
      piece.turned.style.transform = upright ? "none" : `translateY(${piece.height}px) scaleY(-1)`;
      piece.drawn.forEach((layer, j) => (layer.style.opacity = j === frame.layers[i] ? 1 : 0));
    });
    caption.textContent = frame.caption;
    svg.setAttribute("aria-label", frame.caption);
    dots.forEach((dot, i) => dot.setAttribute("aria-current", i === now ? "step" : "false"));
    before.disabled = now === 0;
    after.disabled = now === data.frames.length - 1;
  };
  const stop = (to) => {
    clearTimeout(timer);
    timer = null;
    go(to);
  };
  const play = () => {
    clearTimeout(timer);
    const next = () => {
      if (!svg.isConnected || now === data.frames.length - 1) return;
      go(now + 1);
      timer = setTimeout(next, PAUSE);
    };
    timer = setTimeout(next, PAUSE * 0.7);
  };
  const before = button("‹", () => stop(now - 1), { "aria-label": "step back", "data-key": "step back" });
  const after = button("›", () => stop(now + 1), { "aria-label": "step on", "data-key": "step on" });
  const again = button("replay", () => { go(0); play(); }, { class: "quiet", "data-key": "replay" });
  if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) {
    go(data.frames.length - 1);
  } else {
    go(0);
    play();
  }
  const controls = h("div", { class: "steps" }, before, h("span", { class: "dots" }, dots), after, again, caption);
  return { figure: svg, controls };
}
