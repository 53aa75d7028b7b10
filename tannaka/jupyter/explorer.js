// The page: it asks the kernel, and draws the sections that come back. No mathematics is done here.

const PANELS = [
  ["glue", "Glue", drawGlue],
  ["matrix", "Matrix", drawMatrix],
  ["shrink", "Small n", drawShrink],
  ["draw", "Draw", drawDraw],
  ["layer", "Layer", drawLayer],
];
const SILENCE = 15000;

function render({ model, el }) {
  const name = Math.random().toString(36).slice(2);
  const waiting = new Map();
  let asked = 0;

  const status = h("p", { class: "status", role: "status", "aria-live": "polite", hidden: true });
  const tell = (text, wrong) => {
    status.textContent = text;
    status.hidden = !text;
    status.classList.toggle("wrong", Boolean(wrong));
    // Below what is drawn on, so that nothing moves away from the pointer; else below the heading.
    const sheet = wrong && body.querySelector(".sheet");
    if (sheet) sheet.after(status);
    else space.after(status);
  };
  const busy = () => root.setAttribute("aria-busy", String(waiting.size > 0));

  // Resolves to the answer; a message has an id, so that answers are known from each other.
  const answers = (action, given = {}) =>
    new Promise((resolve) => {
      asked += 1;
      const id = `${name} ${asked}`;
      const slow = setTimeout(busy, 250);
      const silent = setTimeout(() => tell("no answer yet: the kernel is busy, or not running"), SILENCE);
      waiting.set(id, (answer) => {
        clearTimeout(slow);
        clearTimeout(silent);
        resolve(answer);
      });
      model.send({ id, do: action, with: given });
    });
  const ask = async (action, given) => {
    const answer = await answers(action, given);
    tell(answer.error, true);
    return answer;
  };
  const answered = () => {
    const answer = model.get("_answer");
    const resolve = waiting.get(answer.id);
    if (!resolve) return;
    waiting.delete(answer.id);
    busy();
    resolve(answer);
  };

  const [space, gallery, chosen, panel, python] = ["space", "gallery", "chosen", "panel", "python"].map((one) =>
    h(one === "space" ? "header" : "section", { class: one }),
  );
  const tabs = h("div", { class: "tabs", role: "tablist", "aria-label": "what to look at" });
  const body = h("div", { class: "body", role: "tabpanel" });
  const code = h("section", { class: "python", "aria-label": "Python" });
  const stage = h("div", { class: "stage" }, chosen, tabs, body);
  const root = h("div", { class: "tannaka-explorer" }, space, status, h("div", { class: "halves" }, gallery, stage), code);
  gallery.setAttribute("aria-label", "gallery");
  chosen.setAttribute("aria-label", "the chosen diagrams");

  // Marks the cards of these numbers; null takes all marks away.
  const light = (numbers) => {
    gallery.classList.toggle("lit", numbers !== null && numbers.length > 0);
    for (const card of gallery.querySelectorAll(".card")) {
      card.classList.toggle("alight", Boolean(numbers?.includes(Number(card.dataset.number))));
    }
  };

  const memory = {};
  const drawPanel = () => {
    const shown = model.get("_panel");
    light(null);
    show(
      tabs,
      PANELS.map(([key, label]) => {
        const open = key === shown.kind;
        return button(label.split(/(?=n$)/).map((piece) => (piece === "n" ? h("i", {}, "n") : piece)), () => ask("open", { panel: key }), {
          role: "tab",
          "aria-selected": String(open),
          tabindex: open ? "0" : "-1",
          "data-key": `tab ${key}`,
          "data-panel": key,
        });
      }),
    );
    const [, , draw] = PANELS.find(([key]) => key === shown.kind);
    body.setAttribute("aria-label", shown.kind);
    body.className = `body ${shown.kind}`;
    if (shown.refused && shown.kind !== "matrix") show(body, refusal(shown.refused));
    else if (shown.kind === "matrix") draw(body, shown, ask, { light, answers });
    else draw(body, shown, ask, memory);
  };
  tabs.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const all = [...tabs.children];
    const next = all[(all.findIndex((tab) => tab.tabIndex === 0) + by + all.length) % all.length];
    next.focus();
    next.click();
  });

  const draws = {
    _space: () => drawSpace(space, model.get("_space"), ask),
    _gallery: () => drawGallery(gallery, model.get("_gallery"), ask),
    _chosen: () => drawChosen(chosen, model.get("_chosen"), ask),
    _panel: drawPanel,
    _python: () => show(code, copyable(model.get("_python").code ?? model.get("_python").refused, "the Python", "python")),
    _answer: answered,
  };
  el.append(root);
  for (const [trait, draw] of Object.entries(draws)) {
    draw();
    model.on(`change:${trait}`, draw);
  }
  // What is typed here is no shortcut of the notebook.
  root.addEventListener("keydown", (event) => event.stopPropagation());
  return () => {
    for (const [trait, draw] of Object.entries(draws)) model.off(`change:${trait}`, draw);
  };
}

export default { render };
