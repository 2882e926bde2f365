"use strict";
// The data are in #data: trimmed releases, numbers unrounded. Everything is drawn from them for one release and one encoder.
// Text only ever enters the document as text nodes: names and notes come from users' files.

const $ = (id) => document.getElementById(id);
const DATA = JSON.parse($("data").textContent), CHARTS = JSON.parse($("charts").textContent);
const DASH = "–";
let board, encoder; // what is shown: a release and the name of an encoder

// Words and numbers. One decimal as Python writes it: a tie such as 0.25 goes to the even digit.
const known = (x) => x !== null && x !== undefined;
const one = (x) => !known(x) ? DASH : (Math.abs(x) % 1 === 0.25 ? Math.trunc(x * 10) / 10 : x).toFixed(1);
const signed = (x) => !known(x) ? DASH : Math.abs(x) < 0.05 ? "±0.0" : (x > 0 ? "+" : "") + one(x);
const between = (i) => i && known(i[0]) && known(i[1]) ? `[${signed(i[0])}, ${signed(i[1])}]` : DASH;
const percent = (x) => known(x) ? one(100 * x) + "%" : DASH;
const pvalue = (p) => !known(p) ? DASH : p < 0.001 ? "<0.001" : p.toFixed(3);
const two = (x) => known(x) ? x.toFixed(2) : DASH;
const tone = (i) => !i || !known(i[0]) || (i[0] <= 0 && i[1] >= 0) ? "unsure" : i[0] > 0 ? "help" : "hurt";
const shown = (arm) => board.arms[arm]?.shown || arm;
const mine = (section) => board[section].filter((row) => row.encoder === encoder);
const find = (section, facts) => mine(section).find((row) => Object.entries(facts).every(([k, v]) => row[k] === v));
const fieldOf = (arm, target) => board.fields.find((f) => f[0] === encoder && f[1] === arm && f[2] === target) || [];
const marksOf = (arm, target) => fieldOf(arm, target)[3] || "";
const gainOf = (arm, target) => find("gains", {arm, target});
const averageOf = (arm) => find("averages", {arm}) || {};

// Elements
function el(tag, facts = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (known(value) && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => known(child) && child !== false && child !== ""));
  return node;
}
function section(id, title, sub, ...children) {
  const heading = el("h2", {id: id + "-h"}, title);
  return el("section", {id, "aria-labelledby": heading.id}, heading, sub && el("p", {class: "sub"}, sub), children);
}
const options = (pairs) => pairs.map(([value, text]) => el("option", {value}, text));
const choose = (label, pairs, onchange) => el("label", {}, label, el("select", {onchange}, options(pairs)));
let groups = 0;
function radios(label, pairs, onpick) {
  const name = "radio" + groups++;
  const inputs = pairs.map(([value, text], i) =>
    el("label", {}, el("input", {type: "radio", name, value, checked: i === 0, onchange: () => onpick(value)}), text));
  return el("fieldset", {}, el("legend", {}, label), inputs);
}

// A table that sorts. Columns: {label, num, value(row) to sort by, cell(row) to show (text, node or <td>), head for row headers}.
// Groups: [heading or null, rows]; rows sort inside their group, missing values last.
function table(label, columns, parts, {kind = "", order = null, fixed = []} = {}) {
  const state = {column: null, down: false};
  const bodies = parts.map(() => el("tbody"));
  const turn = (column, i) => sort(i, state.column === i ? !state.down : !!column.num); // numbers: the largest first
  const heads = columns.map((column, i) =>
    el("th", {scope: "col", class: column.num ? "num" : null, "aria-sort": "none", title: column.title},
      el("button", {type: "button", onclick: () => turn(column, i)}, column.label)));
  const made = new Map(); // rows are made once, so that sorting keeps what has the focus
  function row(entry) {
    if (!made.has(entry)) made.set(entry, fresh(entry));
    return made.get(entry);
  }
  function fresh(entry) {
    return el("tr", {}, columns.map((column) => {
      const content = column.cell ? column.cell(entry) : column.value(entry) ?? DASH;
      if (content instanceof HTMLTableCellElement) return content;
      return el(column.head ? "th" : "td", {scope: column.head ? "row" : null, class: column.num ? "num" : null}, content);
    }));
  }
  function draw(keep = () => true) {
    parts.forEach(([heading, rows], i) => {
      let sorted = rows.filter(keep);
      if (state.column !== null) sorted = sorted.slice().sort(by(columns[state.column].value, state.down));
      const title = heading && el("tr", {}, el("th", {class: "group", scope: "rowgroup", colspan: columns.length}, heading));
      bodies[i].replaceChildren(...(heading && sorted.length ? [title] : []), ...sorted.map(row));
    });
  }
  function sort(column, down) {
    Object.assign(state, {column, down});
    heads.forEach((head, i) => head.setAttribute("aria-sort", i !== column ? "none" : down ? "descending" : "ascending"));
    draw(node.keep);
  }
  draw();
  const node = el("div", {class: "box " + kind, tabindex: 0, role: "region", "aria-label": label},
    el("table", {class: kind}, el("thead", {}, el("tr", {}, heads), fixed), bodies));
  node.filter = (keep) => { node.keep = keep; draw(keep); };
  if (order) sort(...order);
  return node;
}
const by = (value, down) => (a, b) => {
  const [x, y] = [value(a), value(b)];
  if (!known(x) || !known(y)) return known(x) ? -1 : known(y) ? 1 : 0;
  return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
};
const rowHead = (label, value) => ({label, value, head: true});

// The tooltip, for the mouse and for the keyboard
function tip(text, x, y) {
  const node = $("tip");
  node.hidden = !text;
  if (!text) return;
  node.textContent = text;
  const {width, height} = node.getBoundingClientRect();
  node.style.left = Math.max(6, Math.min(x + 12, innerWidth - width - 6)) + "px";
  node.style.top = (y + 16 + height > innerHeight ? Math.max(6, y - height - 10) : y + 16) + "px";
}
function tipped(node, text) {
  const hide = () => tip("");
  const show = () => { const at = node.getBoundingClientRect(); tip(text, at.left, at.bottom - 12); };
  node.setAttribute("aria-description", text.replaceAll("\n", ". "));
  for (const event of ["mouseenter", "focus"]) node.addEventListener(event, show);
  for (const event of ["mouseleave", "blur"]) node.addEventListener(event, hide);
  return node;
}

// Charts: a specification from charts.py, and rows
function chart(name, rows, params = {}) {
  const node = el("div", {class: "chart", "data-chart": name});
  if (!rows.length) return el("p", {class: "quiet"}, "Nothing to draw in this release.");
  const spec = {...CHARTS[name], datasets: {rows}};
  if (spec.usermeta) spec.height = spec.usermeta.step * new Set(rows.map((row) => row[spec.usermeta.lines])).size;
  if (spec.params) spec.params = spec.params.map((p) => ({...p, value: params[p.name] ?? p.value}));
  const tooltip = (_, event, item, value) => tip(value ? String(value) : "", event.clientX, event.clientY);
  const how = {renderer: "svg", actions: false, defaultStyle: false, tooltip};
  requestAnimationFrame(() => node.isConnected && vegaEmbed(node, spec, how)); // once it has a width
  return node;
}
function redrawn(draw) { // a place whose content is drawn again when a choice changes
  const node = el("div", {});
  node.draw = (...choice) => node.replaceChildren(...[draw(...choice)].flat());
  return node;
}

// The whole page
function draw() {
  const parts = [heat, averages, difficulty, subsets, languages, cells, best, notes].map((part) => part()).filter((part) => part);
  $("board").replaceChildren(...head(parts.map((part) => part.id)).filter((node) => node), ...parts);
  document.title = `${board.title} · X-STILTs leaderboard`;
}
function pick(title, name) {
  board = DATA.releases.find((release) => release.title === title) || board;
  const names = Object.keys(board.encoders);
  encoder = names.includes(name) ? name : names[0];
  $("release").value = board.title;
  $("encoder").replaceChildren(...options(names.map((n) => [n, n])));
  $("encoder").value = encoder;
  tip("");
  draw();
}
function remember() { // the choice stands in the address, so that a link leads to it
  const hash = `#${encodeURIComponent(board.title)}/${encodeURIComponent(encoder)}`;
  try { history.replaceState(null, "", hash); } catch { /* some viewers forbid it */ }
}
function wireTheme() {
  const looks = ["auto", "light", "dark"], words = {auto: "◐ auto", light: "○ light", dark: "● dark"};
  let look = "auto";
  try { look = localStorage.getItem("look") || look; } catch { /* no storage for files in some browsers */ }
  function use(next) {
    look = looks.includes(next) ? next : "auto";
    if (look === "auto") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = look;
    $("theme").textContent = words[look];
    $("theme").setAttribute("aria-label", `Colours: ${look === "auto" ? "as the system" : look}`);
    try { localStorage.setItem("look", look); } catch { /* as above */ }
  }
  $("theme").onclick = () => use(looks[(looks.indexOf(look) + 1) % looks.length]);
  use(look);
}
function start() {
  wireTheme();
  if (!DATA.releases.length) {
    $("pickers").hidden = true;
    $("board").append(el("p", {class: "empty"}, "There is no release yet: `xstilts-harness eval --all` makes one."));
    return;
  }
  const newest = [...DATA.releases].reverse();
  const named = (release) => release.title + (release.suite.smoke ? " (smoke suite, made-up data)" : "");
  $("release").replaceChildren(...options(newest.map((release) => [release.title, named(release)])));
  $("release").onchange = (event) => { pick(event.target.value, encoder); remember(); };
  $("encoder").onchange = (event) => { pick(board.title, event.target.value); remember(); };
  let asked = [];
  try { asked = location.hash.slice(1).split("/").map(decodeURIComponent); } catch { /* not a hash of ours */ }
  const real = newest.filter((release) => !release.suite.smoke);
  board = real.find((release) => release.averages.length) || real[0] || newest[0];
  pick(asked[0], asked[1]);
  addEventListener("keydown", (event) => event.key === "Escape" && tip(""));
  addEventListener("scroll", () => tip(""), true);
  // On paper everything is open; what was closed is closed again afterwards.
  const all = (selector, act) => document.querySelectorAll(selector).forEach(act);
  addEventListener("beforeprint", () => all("details:not([open])", (node) => { node.open = node.dataset.closed = true; }));
  addEventListener("afterprint", () => all("details[data-closed]", (node) => { node.open = false; delete node.dataset.closed; }));
}
