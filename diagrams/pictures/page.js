"use strict";
const main = document.querySelector("main");
const shown = document.querySelector("output");
const [first, before, after, last] = document.querySelectorAll("nav button");
const field = document.querySelector("input");
const size = Number(main.dataset.size);
const all = [...main.children].map((card) => card.outerHTML);
const rest = document.getElementById("rest").textContent.trim();
if (rest) all.push(...rest.split("\n"));
let cards = all;
let page = 0;

function show(number) {
  const pages = Math.max(1, Math.ceil(cards.length / size));
  page = Math.min(Math.max(number, 0), pages - 1);
  const start = page * size;
  const end = Math.min(start + size, cards.length);
  main.innerHTML = cards.slice(start, end).join("");
  const words = (number) => number.toLocaleString("en");
  const total = words(cards.length);
  if (cards === all) {
    shown.textContent = end ? `rows ${words(start)} to ${words(end - 1)} of ${total}` : "nothing";
  } else {
    shown.textContent = end ? `${words(start + 1)} to ${words(end)} of ${total} found` : "none found";
  }
  for (const button of [first, before, after, last]) button.hidden = pages === 1;
  first.disabled = before.disabled = page === 0;
  after.disabled = last.disabled = page === pages - 1;
}

function turn(number) {
  show(number);
  window.scrollTo(0, 0);
}

// A number is a row; anything else is looked for in what stands below the pictures.
function seek() {
  const words = field.value.trim().replace(/\s+/g, " ");
  cards = all;
  if (words && !/^\d+$/.test(words)) {
    const plain = document.createElement("template");
    cards = all.filter((card) => {
      plain.innerHTML = card.slice(card.indexOf("<figcaption"));
      return plain.content.textContent.includes(words);
    });
  }
  turn(0);
  if (/^\d+$/.test(words)) find(Number(words));
}

function find(row) {
  const place = cards.findIndex((card) => card.startsWith(`<figure id="${row}"`));
  if (place < 0) {
    shown.textContent = `no row ${row}`;
    return;
  }
  show(Math.floor(place / size));
  const card = document.getElementById(String(row));
  card.classList.add("sought");
  card.scrollIntoView({ block: "center" });
}

first.onclick = () => turn(0);
before.onclick = () => turn(page - 1);
after.onclick = () => turn(page + 1);
last.onclick = () => turn(Infinity);
let waiting;
field.oninput = () => {
  clearTimeout(waiting);
  waiting = setTimeout(seek, 150);
};
document.onkeydown = (event) => {
  if (event.target === field || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowLeft" && page > 0) turn(page - 1);
  if (event.key === "ArrowRight") turn(page + 1);
};
window.onhashchange = () => find(Number(location.hash.slice(1)));
document.querySelector("nav").hidden = false;
show(0);
if (/^#\d+$/.test(location.hash)) find(Number(location.hash.slice(1)));
