// How many diagrams stay independent as n shrinks, and what the others are equal to.

function drawShrink(place, panel, ask) {
  if (panel.refused) return show(place, refusal(panel.refused));
  const ns = panel.rows.map((row) => row.n);
  const bars = panel.rows.map((row) => {
    const bar = h("span", { class: "bar" }, h("span", { class: "fill" }));
    bar.style.setProperty("--share", row.share);
    return h(
      "button",
      {
        type: "button",
        class: `column ${row.independent ? "full" : ""}`,
        "aria-pressed": String(row.n === panel.n),
        "aria-label": `n = ${row.n}: ${row.dimension} of ${row.count} diagrams are independent`,
        title: `n = ${row.n}: dimension ${row.dimension}, ${row.count} diagrams`,
        "data-key": `n ${row.n}`,
        onclick: () => ask("n", { n: row.n }),
      },
      h("span", { class: "value" }, row.dimension),
      bar,
      h("span", { class: "of" }, row.count),
    );
  });
  const slider = h("input", {
    type: "range",
    min: 0,
    max: ns.length - 1,
    step: 1,
    "aria-label": "n",
    "aria-valuetext": `n = ${panel.n}`,
    "data-key": "slider",
    onchange: () => ask("n", { n: ns[Number(slider.value)] }),
  });
  slider.value = ns.indexOf(panel.n);
  const now = panel.rows.find((row) => row.n === panel.n);
  const chart = h(
    "div",
    { class: "chart" },
    h("p", { class: "legend" }, h("span", { class: "key dimension" }, "dimension"), h("span", { class: "key count" }, "diagrams that span")),
    h("div", { class: "columns" }, bars),
    slider,
    h("div", { class: "ticks" }, ns.map((n) => h("span", { class: n === panel.n ? "now" : "" }, n === panel.n ? [h("i", {}, "n"), ` = ${n}`] : String(n)))),
  );
  chart.style.setProperty("--columns", ns.length);
  const words = !now
    ? ""
    : now.independent
      ? now.count === "0" ? "There are no diagrams." : `At n = ${panel.n} all ${now.count} diagrams are independent.`
      : `At n = ${panel.n} only ${now.dimension} of ${now.count} diagrams are independent; the others are sums of them.`;
  const relation = (one) =>
    h("div", { class: "relation" }, picture(one.svg, "picture faint"), h("span", { class: "equals" }, "="), one.equal.svg ? picture(one.equal.svg) : h("span", { class: "text" }, one.equal.text));
  const all = panel.left && button("all relations", () => ask("relate"), { class: "quiet", "data-key": "relate" });
  const listed = panel.left ? [relation(panel.left)] : panel.relations.map(relation);
  const turner =
    panel.pages > 1 &&
    h(
      "nav",
      { class: "turner", "aria-label": "relations" },
      button("‹", () => ask("leaf", { page: panel.page - 1 }), { "aria-label": "relations before", "data-key": "leaf before", disabled: panel.page === 0 }),
      ` ${panel.page + 1} of ${panel.pages} `,
      button("›", () => ask("leaf", { page: panel.page + 1 }), { "aria-label": "relations after", "data-key": "leaf after", disabled: panel.page === panel.pages - 1 }),
    );
  return show(place, chart, h("p", { class: "caption", "aria-live": "polite" }, words), panel.told && refusal(panel.told), h("div", { class: "relations" }, listed), all, turner);
}
