// A matrix as a heat map: one path for each value, blocks by the axes, and what an entry says.

const SUBJECTS = { space: "all", f: "f", g: "g", result: "result", drawn: "drawn" };

function drawMatrix(place, panel, ask, { light, answers }) {
  const tabs = h(
    "div",
    { class: "subjects", role: "group", "aria-label": "whose matrix" },
    panel.subjects.map((subject) =>
      button(/^[fg]$/.test(subject) ? h("i", {}, subject) : SUBJECTS[subject], () => ask("look", { subject }), {
        "aria-pressed": String(subject === panel.subject),
        title: subject === "space" ? "the pattern that all equivariant matrices share" : `the matrix of ${subject}`,
        "data-key": `look ${subject}`,
      }),
    ),
  );
  if (panel.refused) return show(place, tabs, refusal(panel.refused));
  const { map } = panel;
  const longest = Math.max(map.rows, map.columns);
  const cell = Math.max(3, Math.min(26, Math.floor(380 / longest)));
  const named = cell >= 11;
  const digits = (sizes) => (named ? 8 + 6.2 * sizes.length : 4);
  const [left, top] = [digits(map.outputs), digits(map.inputs)];
  const [wide, high] = [map.columns * cell, map.rows * cell];
  const largest = Math.max(...map.values.map(Math.abs), 1);
  const paths = map.values.map((value, i) => {
    if (value === 0) return null;
    const squares = [];
    map.cells.forEach((one, at) => {
      if (one !== i) return;
      const [row, column] = [Math.floor(at / map.columns), at % map.columns];
      squares.push(`M${left + column * cell} ${top + row * cell}h${cell}v${cell}h${-cell}z`);
    });
    const hue = (40 + 137.508 * i) % 360;
    const style = map.classes
      ? `fill: oklch(${0.74 - 0.16 * ((i * 0.618) % 1)} 0.13 ${hue})`
      : `fill: var(--${value > 0 ? "f" : "g"}); fill-opacity: ${(0.35 + (0.65 * Math.abs(value)) / largest).toFixed(3)}`;
    return h("svg:path", { d: squares.join(""), style, "data-value": map.words[i] });
  });
  const lines = [];
  const rule = (count, size, across) => {
    for (let i = 0; i <= count; i += 1) {
      const strong = i % size === 0;
      if (!strong && cell < 7) continue;
      const at = i * cell;
      const d = across ? `M${left} ${top + at}h${wide}` : `M${left + at} ${top}v${high}`;
      lines.push(h("svg:path", { d, class: strong ? "rule strong" : "rule" }));
    }
  };
  rule(map.rows, map.outputs.at(-1) ?? 1, true);
  rule(map.columns, map.inputs.at(-1) ?? 1, false);
  const indices = (number, sizes) => {
    const found = [];
    for (const size of [...sizes].reverse()) {
      found.unshift(number % size);
      number = Math.floor(number / size);
    }
    return found;
  };
  const joined = (sizes) => (sizes.every((size) => size <= 10) ? "" : ",");
  const labels = [];
  if (named) {
    for (let i = 0; i < map.rows; i += 1) {
      labels.push(h("svg:text", { x: left - 5, y: top + (i + 0.5) * cell + 3, "text-anchor": "end" }, indices(i, map.outputs).join(joined(map.outputs))));
    }
    for (let j = 0; j < map.columns; j += 1) {
      const [x, y] = [left + (j + 0.5) * cell + 3, top - 5];
      labels.push(h("svg:text", { x, y, transform: `rotate(-90 ${x} ${y})` }, indices(j, map.inputs).join(joined(map.inputs))));
    }
  }
  const cursor = h("svg:rect", { class: "cursor", width: cell, height: cell, visibility: "hidden" });
  const svg = h(
    "svg:svg",
    {
      class: "heat",
      tabindex: "0",
      role: "img",
      "aria-label": `${panel.text}: ${map.rows} rows, ${map.columns} columns; arrow keys read entries`,
      "data-key": "heat",
      width: left + wide + 2,
      height: top + high + 2,
      viewBox: `0 0 ${left + wide + 2} ${top + high + 2}`,
    },
    paths.filter(Boolean),
    lines,
    labels,
    cursor,
  );
  const readout = h("div", { class: "readout", "aria-live": "polite" }, h("p", {}, panel.words), h("p", { class: "hint" }, "point at an entry, or walk with the arrow keys"));
  let at = null;
  let timer = null;
  const tuple = (found) => (found.length ? found.join(" ") : "");
  const read = (row, column) => {
    if (at && at[0] === row && at[1] === column) return;
    at = [row, column];
    cursor.setAttribute("x", left + column * cell);
    cursor.setAttribute("y", top + row * cell);
    cursor.setAttribute("visibility", "visible");
    const word = map.words[map.cells[row * map.columns + column]];
    const head = h(
      "p",
      { class: "entry" },
      h("span", { class: "index" }, `[ ${tuple(indices(row, map.outputs))} ← ${tuple(indices(column, map.inputs))} ]`),
      map.classes ? ` ${word === "0" ? "zero in every equivariant matrix" : word}` : [" = ", h("b", {}, word)],
    );
    show(readout, head);
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const answer = await answers("entry", { row, column });
      if (!answer || !at || at[0] !== row || at[1] !== column || !svg.isConnected) return;
      if (answer.error) return show(readout, head, refusal(answer.error));
      const { rows, dimension, own } = answer.entry;
      const which = rows.slice(0, 40).map((one) => h("span", { class: "chip" }, String(one.number), one.value === "1" ? null : h("small", {}, ` ${one.value}`)));
      show(readout, head, h("p", {}, rows.length ? `not zero there: ${rows.length} of ${dimension} basis diagrams` : "all basis diagrams are zero there"), h("p", { class: "chips" }, which, rows.length > 40 ? "…" : null));
      light(own ? rows.map((one) => one.number) : []);
      return undefined;
    }, 70);
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const scale = (left + wide + 2) / box.width;
    const column = Math.floor(((event.clientX - box.left) * scale - left) / cell);
    const row = Math.floor(((event.clientY - box.top) * scale - top) / cell);
    if (row >= 0 && row < map.rows && column >= 0 && column < map.columns) read(row, column);
  });
  svg.addEventListener("pointerleave", () => light(null));
  svg.addEventListener("blur", () => light(null));
  svg.addEventListener("keydown", (event) => {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const [row, column] = at ?? [0, 0];
    if (!at) return read(0, 0);
    return read(Math.min(Math.max(row + by[0], 0), map.rows - 1), Math.min(Math.max(column + by[1], 0), map.columns - 1));
  });
  return show(place, tabs, h("div", { class: "matrix" }, h("div", { class: "scroll" }, svg), readout));
}
