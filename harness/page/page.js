"use strict";
// #data holds releases as Python made them: sections of tables, sentences and drawings. This script
// shows, sorts and filters them; it computes no number and rounds none. Text enters the document as
// text nodes only: names and notes come from users' files.

const $ = (id) => document.getElementById(id);
const DATA = JSON.parse($("data").textContent);
const NARROW = 700; // pixels: below it, a table too wide for the screen becomes cards
const FEW = 25; // rows that need no filter, and no window of their own
const FIXED = ["baseline", "summary"]; // kinds of rows that are never sorted
const WITH = {mixture: "task"}; // a kind of rows that is sorted with another; others stand apart

function el(tag, facts = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value || value === 0) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter(Boolean));
  return node;
}
const paragraphs = (lines, name) => lines.map((line) => el("p", {class: name}, line));

// Tables: {name, caption, heat, columns: [name, numeric, mark, wide], rows: [kind, cells],
// footnotes}, a cell being [text, number, tone, tip, shade]. On a narrow screen, a wide column
// stands under the next one.

function table(sheet) {
  const bodies = [];
  let block = null;
  for (const [kind, cells] of sheet.rows) {
    const next = WITH[kind] ?? kind;
    if (next !== block) bodies.push(el("tbody", {class: next}));
    block = next;
    bodies.at(-1).append(line(sheet, cells));
  }
  const heads = sheet.columns.map(([name, numeric, mark, wide], i) =>
    el("th", {scope: "col", class: kinds(numeric, wide), "aria-sort": "none"},
      el("button", {type: "button", onclick: () => turn(i)}, broken(name), el("sup", {}, mark))));
  const turn = (i) => {
    const old = heads[i].getAttribute("aria-sort");
    const down = old === "none" ? sheet.columns[i][1] : old === "ascending";
    for (const head of heads) head.setAttribute("aria-sort", "none");
    heads[i].setAttribute("aria-sort", down ? "descending" : "ascending");
    for (const body of bodies.filter(({className}) => !FIXED.includes(className))) {
      body.append(...[...body.rows].sort(by(i, down)));
    }
  };
  const grid = el("table", {class: sheet.heat && "heat", onkeydown: walk},
    el("thead", {}, el("tr", {}, heads)), bodies);
  const long = sheet.rows.length > FEW;
  const facts = {class: long ? "box long" : "box", role: "region", "aria-label": sheet.name};
  return [
    el("p", {class: "caption"}, sheet.caption),
    ...(long ? [filter(sheet, grid)] : []),
    el("div", {...facts, tabindex: 0}, grid),
    notes(sheet.footnotes),
  ];
}
const notes = (lines) =>
  el("ul", {class: "footnotes", hidden: !lines.length}, lines.map((text) => el("li", {}, text)));
const kinds = (numeric, wide, tone) =>
  [numeric && "num", wide && "wide", tone].filter(Boolean).join(" ");
const broken = (name) => name.split(/(?<=_)/).flatMap((part) => [part, el("wbr")]);

function line(sheet, cells) {
  const names = sheet.columns.findIndex(([, , , wide]) => !wide);
  const row = el("tr", {}, cells.map(([text, , tone, tip, shade], i) => {
    const [label, numeric, , wide] = sheet.columns[i];
    const facts = {class: kinds(numeric, wide, tone), "data-label": label};
    if (i === names) {
      const under = cells.slice(0, i).map(([above]) => above).join(" ");
      return el("th", {...facts, scope: "row", "data-under": under}, broken(text));
    }
    if (shade) facts.style = `--k: ${shade}`;
    if (tip) Object.assign(facts, {"data-tip": tip, "aria-description": tip, tabindex: -1});
    const [, main, rest] = /^(\S*)(.*)$/s.exec(text);
    return el("td", facts, numeric ? [main, rest && el("small", {}, rest)] : text);
  }));
  row.values = cells.map(([text, number], i) => sheet.columns[i][1] ? number ?? null : text);
  return row;
}
const by = (i, down) => (a, b) => { // what is not known comes last
  const [x, y] = [a.values[i], b.values[i]];
  if (x === null || y === null) return (x === null) - (y === null);
  return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
};
function filter(sheet, grid) {
  const keep = (words) => {
    for (const row of [...grid.tBodies].flatMap((body) => [...body.rows])) {
      row.hidden = !row.textContent.toLowerCase().includes(words.toLowerCase());
    }
  };
  const input = el("input", {type: "search", oninput: (event) => keep(event.target.value)});
  return el("label", {class: "filter"}, `Filter ${sheet.rows.length} rows`, input);
}
function walk(event) { // arrow keys move between cells that have more to say
  const step = {ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0]};
  const [down, right] = step[event.key] ?? [];
  const cell = event.target.closest("td");
  if (!cell || down === undefined) return;
  event.preventDefault();
  const rows = [...event.currentTarget.rows];
  rows[rows.indexOf(cell.parentNode) + down]?.cells[cell.cellIndex + right]?.focus();
}
function fit() { // what does not fit stands on two lines; on a narrow screen, as cards
  for (const box of document.querySelectorAll(".box")) {
    box.classList.remove("two-lines", "cards");
    box.classList.toggle("two-lines", innerWidth < NARROW || box.scrollWidth > box.clientWidth);
    box.classList.toggle("cards", innerWidth < NARROW && box.scrollWidth > box.clientWidth);
    const first = box.querySelector("td[data-tip]");
    if (first) first.tabIndex = 0;
  }
}

// Sections: {id, title, folded, parts}, a part being {kind, ...}

const PARTS = {
  text: (part) => paragraphs(part.text),
  notes: (part) => notes(part.notes),
  sheet: (part) => table(part.sheet),
  chart: (part) => {
    const node = el("div", {class: "chart"});
    const say = (_, event, item, value) => tip(value, event.clientX, event.clientY);
    const how = {renderer: "svg", actions: false, defaultStyle: false, tooltip: say};
    requestAnimationFrame(() => node.isConnected && vegaEmbed(node, part.chart, how));
    return node; // it is drawn once it has a width
  },
  choice: (part) => {
    const place = el("div", {}, table(part.sheets[0]));
    const onchange = (event) => {
      place.replaceChildren(...table(part.sheets[event.target.value]));
      fit();
    };
    const names = part.names.map((name, i) => el("option", {value: i}, name));
    return [el("label", {class: "filter"}, part.choice, el("select", {onchange}, names)), place];
  },
};
function section({id, title, folded, parts}) {
  const nodes = parts.flatMap((part) => PARTS[part.kind](part));
  if (!folded) return el("section", {id}, title && el("h2", {}, title), nodes);
  return el("details", {id, ontoggle: fit}, el("summary", {}, el("h2", {}, title)), nodes);
}
function tip(text, x, y) {
  const node = $("tip");
  node.hidden = !text;
  node.textContent = text ?? "";
  const {width, height} = node.getBoundingClientRect();
  node.style.left = `${Math.max(6, Math.min(x + 12, innerWidth - width - 6))}px`;
  node.style.top = `${y + 16 + height > innerHeight ? Math.max(6, y - height - 10) : y + 16}px`;
}
function pick(title) {
  const release = DATA.releases.find((one) => one.title === title) ?? DATA.releases[DATA.first];
  $("release").value = release.title;
  $("board").replaceChildren(...paragraphs(release.warnings, "smoke"),
    ...paragraphs(release.about, "about"), ...release.sections.map(section));
  document.title = `${release.title} · X-STILTs leaderboard`;
  const file = `releases/${release.title}.json`;
  $("files").replaceChildren("All numbers: ", el("a", {href: encodeURI(file)}, file), ".",
    DATA.older.length ? ` Not on this page, for its size: ${DATA.older.join(", ")}.` : "");
  tip("");
  fit();
}
function wireColours() {
  const looks = {auto: "◐ auto", light: "○ light", dark: "● dark"};
  const names = Object.keys(looks);
  const use = (look) => {
    document.documentElement.dataset.theme = look in looks ? look : "auto";
    $("theme").textContent = looks[look] ?? looks.auto;
    $("theme").setAttribute("aria-label", `Colours: ${look === "auto" ? "as the system" : look}`);
    try { localStorage.setItem("look", look); } catch { /* some browsers: no storage for files */ }
  };
  $("theme").onclick = () =>
    use(names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length]);
  let kept = "auto";
  try { kept = localStorage.getItem("look") ?? kept; } catch { /* as above */ }
  use(kept);
}
function wireTips() {
  const at = (event) => event.target.closest?.("[data-tip]");
  const show = (event) => {
    const box = at(event)?.getBoundingClientRect();
    if (box) tip(at(event).dataset.tip, box.left, box.bottom - 12);
  };
  for (const name of ["mouseover", "focusin"]) addEventListener(name, show);
  for (const name of ["mouseout", "focusout"]) addEventListener(name, () => tip(""));
  addEventListener("scroll", () => tip(""), true);
  addEventListener("keydown", (event) => event.key === "Escape" && tip(""));
}
function wirePrint() { // on paper everything is open; what was folded is folded again afterwards
  const each = (query, act) => document.querySelectorAll(query).forEach(act);
  addEventListener("beforeprint", () =>
    each("details:not([open])", (node) => { node.open = node.dataset.folded = true; }));
  addEventListener("afterprint", () =>
    each("details[data-folded]", (node) => { node.open = false; delete node.dataset.folded; }));
}
function start() {
  wireColours();
  wireTips();
  wirePrint();
  $("picker").hidden = !DATA.releases.length;
  if (!DATA.releases.length) {
    $("board").append("There is no release yet: `xstilts-harness eval` makes one.");
    return;
  }
  const newest = [...DATA.releases].reverse();
  $("release").append(...newest.map(({title, name}) => el("option", {value: title}, name)));
  $("release").onchange = (event) => { location.hash = encodeURIComponent(event.target.value); };
  const asked = () => { // the choice stands in the address, so that a link leads to it
    try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; }
  };
  addEventListener("hashchange", () => asked() !== "board" && pick(asked()));
  addEventListener("resize", fit);
  pick(asked());
}
start();
