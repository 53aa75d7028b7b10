// The heading with its controls, the gallery of diagrams, and the two that are chosen.

function power(order, typed) {
  if (typed) {
    if (order === "()") return ["ℝ"];
    return order.split(" ").map((type, i) => [i ? h("span", { class: "times" }, "⊗") : null, h("i", {}, "V"), h("sub", {}, type)]);
  }
  if (order === 0) return ["ℝ"];
  return [h("i", {}, "V"), order === 1 ? null : h("sup", {}, h("span", { class: "times" }, "⊗"), String(order))];
}

function drawSpace(place, space, ask) {
  if (space.refused) return show(place, refusal(space.refused));
  const names = space.label.map((piece, i) => (i % 2 ? h("sub", {}, piece) : piece));
  const title = h(
    "h2",
    { "aria-label": `Hom of ${space.name} from order ${space.k} to order ${space.l}` },
    h("span", { class: "hom" }, "Hom"),
    h("sub", { class: "group" }, names),
    h("span", { class: "open" }, "("),
    power(space.k, space.typed),
    h("span", { class: "comma" }, ","),
    power(space.l, space.typed),
    h("span", { class: "close" }, ")"),
  );
  const facts = h(
    "p",
    { class: "facts" },
    h("span", { class: "dimension" }, "dimension ", h("b", {}, space.dimension)),
    h("span", { class: "words" }, space.words),
  );
  const other = h("input", {
    type: "text",
    class: "name",
    placeholder: "S(3) x O(2)",
    "aria-label": "name of any group, such as S(3) x O(2)",
    "data-key": "name",
    hidden: space.family !== "",
    onchange: () => other.value && ask("name", { name: other.value }),
  });
  if (!space.family) other.value = space.name;
  const menu = h(
    "select",
    {
      "aria-label": "group",
      "data-key": "family",
      onchange: () => {
        if (menu.value) return ask("family", { family: menu.value });
        other.hidden = false;
        return other.focus();
      },
    },
    space.families.map((one) => h("option", { value: one.key }, one.label)),
    h("option", { value: "" }, "another group, by its name"),
  );
  menu.value = space.family;
  const order = (name, hint) => {
    const change = (value) => ask("orders", { [name]: value });
    if (!space.typed) {
      return stepper(name, space[name], { least: 0, most: 24, step: 1, hint }, change);
    }
    const field = h("input", {
      type: "text",
      class: "word",
      "aria-label": `${hint}: the factor of each axis, such as 0 1`,
      "data-key": name,
      onchange: () => change(field.value),
    });
    field.value = space[name] === "()" ? "" : space[name];
    return h("span", { class: "stepper" }, h("i", {}, name), field);
  };
  const controls = h(
    "div",
    { class: "controls" },
    menu,
    other,
    space.ns &&
      stepper("n", space.n, { ...space.ns, hint: "n, the dimension of V" }, (n) => ask("n", { n })),
    order("k", "k, the order of the input"),
    order("l", "l, the order of the output"),
  );
  show(place, h("div", { class: "title" }, title, facts), controls);
}

// What a card says of being chosen.
function mark(element, card) {
  const slots = card.slots.join(" ");
  const state = card.outside ? ", outside the basis" : slots ? `, chosen as ${card.slots.join(" and ")}` : "";
  element.className = `card ${slots}${card.outside ? " outside" : ""}${card.shown ? " shown" : ""}`;
  element.setAttribute("aria-pressed", String(slots !== "" || card.shown));
  element.setAttribute("aria-label", `diagram ${card.number}: ${card.text}${state}`);
  const badges = card.slots.map((slot) => h("b", { class: `badge ${slot}` }, slot));
  element.querySelector(".badges").replaceChildren(...badges);
}

function headingOf(gallery) {
  if (!gallery.spanning) return gallery.count === "0" ? "there is no equivariant map but 0" : "";
  const others = gallery.dependent === "0" ? "" : `, of which ${gallery.dependent} are sums of the others: click one of the faint`;
  return `${gallery.count} spanning diagrams${others}`;
}

function drawGallery(place, gallery, ask) {
  if (gallery.refused) {
    place.shown = "";
    return show(place, refusal(gallery.refused));
  }
  // The same cards stay where they are, so that a click that is on its way still meets its card.
  const same = JSON.stringify(gallery.cards.map((card) => [card.number, card.svg, card.formula, card.outside]));
  const kept = [...place.querySelectorAll(".card")];
  if (kept.length && place.shown === same && place.pages === gallery.pages && place.heading === headingOf(gallery)) {
    kept.forEach((element, i) => mark(element, gallery.cards[i]));
    return undefined;
  }
  Object.assign(place, { shown: same, pages: gallery.pages, heading: headingOf(gallery) });
  const cards = gallery.cards.map((card) => {
    const element = h(
      "button",
      {
        type: "button",
        title: card.formula,
        "data-key": `card ${card.number}`,
        "data-number": card.number,
        onclick: () => ask("pick", { number: card.number }),
      },
      h("span", { class: "number" }, String(card.number)),
      h("span", { class: "badges" }),
      picture(card.svg),
      h("span", { class: "text" }, card.text),
    );
    mark(element, card);
    return element;
  });
  const widths = gallery.cards.map((card) => Number(/width="([\d.]+)"/.exec(card.svg)?.[1] ?? 80));
  widths.sort((a, b) => a - b);
  const most = widths[Math.floor(0.6 * widths.length)] ?? 76;
  const grid = h("div", { class: "cards", role: "group", "aria-label": "diagrams" }, cards);
  grid.style.setProperty("--wide", `${Math.min(Math.max(most, 76) + 4, 190)}px`);
  // Arrow keys walk through the cards, as a reader of pictures would.
  grid.addEventListener("keydown", (event) => {
    const at = cards.indexOf(grid.getRootNode().activeElement);
    const across = cards.filter((card) => card.offsetTop === cards[0].offsetTop).length;
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
    if (at < 0 || !by || !cards[at + by]) return;
    event.preventDefault();
    event.stopPropagation();
    cards[at + by].focus();
  });
  const { page, pages } = gallery;
  const turn = (to) => ask("turn", { page: to });
  const field = h("input", {
    type: "number",
    min: 1,
    max: pages,
    "aria-label": `page, of ${pages}`,
    "data-key": "page",
    onchange: () => turn(Number(field.value) - 1),
  });
  field.value = page + 1;
  const turner = h(
    "nav",
    { class: "turner", "aria-label": "pages" },
    button("‹", () => turn(page - 1), { "aria-label": "page before", "data-key": "before", disabled: page === 0 }),
    "page ",
    field,
    ` of ${pages.toLocaleString("en")}`,
    button("›", () => turn(page + 1), { "aria-label": "page after", "data-key": "after", disabled: page === pages - 1 }),
  );
  const heading = headingOf(gallery);
  return show(place, heading && h("p", { class: "note" }, heading), grid, pages > 1 && turner);
}

const OPERATIONS = [
  ["compose", ["f", " ≫ ", "g"], "compose: first f, then g"],
  ["tensor", ["f", " ⊗ ", "g"], "tensor: f beside g"],
  ["add", ["f", " + ", "g"], "add f and g"],
  ["dagger", ["f", "\u200a†"], "dagger: f upside down"],
];

function drawChosen(place, chosen, ask) {
  const slots = chosen.slots.map((one) => {
    const name = one.slot;
    const tools = one.empty
      ? null
      : h(
          "span",
          { class: "tools" },
          button("†", () => ask("flip", { slot: name }), { title: "turn upside down", "aria-label": `turn ${name} upside down`, "data-key": `flip ${name}` }),
          one.single &&
            button("✎", () => { ask("trace", { slot: name }); ask("open", { panel: "draw" }); }, { title: "change it by drawing", "aria-label": `draw on ${name}`, "data-key": `trace ${name}` }),
          button("×", () => ask("drop", { slot: name }), { title: "choose it no longer", "aria-label": `drop ${name}`, "data-key": `drop ${name}` }),
        );
    return h(
      "div",
      { class: `slot ${name} ${one.empty ? "empty" : ""}`, role: "group", "aria-label": one.empty ? `${name} is not chosen` : `${name} is ${one.text}` },
      h("b", { class: `badge ${name}` }, name),
      one.empty
        ? h("span", { class: "hint" }, name === "f" ? "click a diagram" : "click another")
        : one.svg
          ? picture(one.svg)
          : h("span", { class: "text" }, one.text),
      !one.empty && h("span", { class: "orders" }, one.orders),
      tools,
    );
  });
  const operations = h(
    "div",
    { class: "operations", role: "group", "aria-label": "what is made of f and g" },
    OPERATIONS.map(([key, sign, words]) =>
      button(
        sign.map((piece) => (/^[fg]$/.test(piece) ? h("i", {}, piece) : piece)),
        () => { ask("operate", { operation: key }); if (chosen.panel !== "glue" && chosen.panel !== "matrix") ask("open", { panel: "glue" }); },
        { "aria-pressed": String(chosen.operation === key), "aria-label": words, title: words, "data-key": `operate ${key}`, "data-operation": key },
      ),
    ),
    button("⇄", () => ask("swap"), { class: "swap", "aria-label": "exchange f and g", title: "exchange f and g", "data-key": "swap" }),
  );
  show(place, h("div", { class: "slots" }, slots), operations);
}
