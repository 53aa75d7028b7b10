// Small tools for building a page. Nothing here has an id: several explorers share a document.

const SVG = "http://www.w3.org/2000/svg";

// An element with attributes; on… are listeners, true is an attribute without a value, and what is
// false or null is left out. Children are elements or text, which is never read as markup.
function h(tag, attributes = {}, ...children) {
  const element = tag.startsWith("svg:")
    ? document.createElementNS(SVG, tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// A picture that the library drew.
function picture(svg, className = "picture") {
  const holder = h("span", { class: className });
  holder.innerHTML = svg;
  return holder;
}

// A group of SVG from the library's markup.
function markup(body, attributes = {}) {
  const group = h("svg:g", attributes);
  group.innerHTML = body;
  return group;
}

// Show new contents, and leave the keyboard where it was: on the element with the same key.
function show(place, ...contents) {
  const active = place.getRootNode().activeElement;
  const key = active && place.contains(active) ? active.dataset.key : undefined;
  place.replaceChildren(...contents.flat(9).filter(Boolean));
  if (key === undefined) return;
  const again = place.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (again) again.focus({ preventScroll: true });
}

function button(label, press, attributes = {}) {
  return h("button", { type: "button", onclick: press, ...attributes }, label);
}

// A number with buttons to make it smaller and larger.
function stepper(name, value, { least, most, step, hint }, change) {
  const field = h("input", {
    type: "number",
    min: least,
    max: most,
    step,
    "aria-label": hint,
    "data-key": name,
    onchange: () => field.value !== "" && change(Number(field.value)),
  });
  field.value = value;
  const go = (to) => change(Math.min(Math.max(to, least), most));
  return h(
    "span",
    { class: "stepper" },
    h("i", { "aria-hidden": "true" }, name),
    button("−", () => go(value - step), {
      "aria-label": `${hint}, less`,
      "data-key": `${name} less`,
      disabled: value <= least,
    }),
    field,
    button("+", () => go(value + step), {
      "aria-label": `${hint}, more`,
      "data-key": `${name} more`,
      disabled: value >= most,
    }),
  );
}

// Text with a button that copies it; where a page may not, the text is selected instead.
function copyable(text, label, key) {
  const code = h("code", { tabindex: "0", "data-key": `${key} text` }, text);
  const done = button(
    "copy",
    async () => {
      try {
        await navigator.clipboard.writeText(text);
        done.textContent = "copied";
      } catch {
        const range = document.createRange();
        range.selectNodeContents(code);
        const selection = window.getSelection();
        selection.removeAllRanges();
        selection.addRange(range);
        done.textContent = "selected: Ctrl+C";
      }
      setTimeout(() => (done.textContent = "copy"), 1800);
    },
    { class: "copy", "aria-label": `copy ${label}`, "data-key": `${key} copy` },
  );
  return h("div", { class: "copyable" }, h("pre", {}, code), done);
}

function refusal(text) {
  return h("p", { class: "refused" }, text);
}
