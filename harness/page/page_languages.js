// By language, cell by cell, per target, and the notes; then the start.

const SLICES = [["family", "language family"], ["script", "script"], ["unknown", "share of unknown pieces"]];

// Languages
function languages() {
  const seen = board.encoders[encoder].languages, names = targets().filter((target) => seen[target]), list = arms();
  if (!names.length) return null;
  const picked = {target: names.find((name) => "en" in seen[name]) || names[0], arm: list[0]};
  const place = redrawn(() => languageTable(picked.target, seen[picked.target], list));
  const picture = redrawn(() => [el("h3", {}, `Gain against unknown pieces: ${shown(picked.arm)} on ${picked.target}`),
    chart("unknown", unknownRows(seen[picked.target], picked.arm))]);
  const set = (field) => (event) => { picked[field] = event.target.value; place.draw(); if (list.length) picture.draw(); };
  const choices = el("div", {class: "controls"}, choose("Target", names.map((n) => [n, n]), set("target")),
    list.length && choose("Intermediate in the chart", list.map((arm) => [arm, shown(arm)]), set("arm")));
  choices.querySelector("select").value = picked.target;
  place.draw();
  if (list.length) picture.draw();
  return section("languages", "Language by language",
    "How much of a language is not in the encoder’s vocabulary, what the baseline reaches, and what each intermediate adds. " +
    "Pale: the interval contains 0, or is not known.", choices, place, picture, slices());
}
function languageTable(target, spoken, list) {
  const rows = Object.entries(spoken).map(([code, l]) => ({code, ...board.languages[code], ...l}));
  const top = topOf(rows.flatMap((row) => Object.values(row.gains).map(([gain]) => gain)));
  const gained = (arm) => ({label: shown(arm), num: true, value: (row) => row.gains[arm]?.[0], cell: (row) => {
    const [gain, ...interval] = row.gains[arm] || [];
    const node = el("td", {class: "gain", title: bracketed(interval) && `95% interval ${between(interval)}`}, signed(gain));
    return known(gain) ? shade(node, gain, interval, top) : node;
  }});
  const name = (row) => el("th", {scope: "row"}, row.name || row.code, row.name && el("small", {}, " " + row.code));
  return table(`Languages of ${target}`, [
    {...rowHead("language", (row) => row.name || row.code), cell: name}, worded("family", "family"), worded("script", "script"),
    numbered("unknown", "unknown", percent, "pieces that are not in the encoder's vocabulary"),
    {...worded("rows", "n"), num: true},
    numbered("baseline", "score", one), ...list.map(gained),
  ], [[null, rows]], {kind: "long", order: [0, false]});
}
function unknownRows(spoken, arm) {
  return Object.entries(spoken).filter(([, l]) => known(l.unknown) && known(l.gains[arm]?.[0])).map(([code, l]) => {
    const [gain, ...interval] = l.gains[arm];
    const tip = `${board.languages[code]?.name || code}: ${signed(gain)} ${bracketed(interval)}\n${percent(l.unknown)} unknown pieces`;
    const label = l.unknown < 0.01 ? "" : code; // most stand near 0, where labels would cover each other
    return {x: 100 * l.unknown, gain, ...ends(gain, interval), tone: tone(interval), label, tip};
  });
}
function slices() {
  const list = mine("slices"), ways = SLICES.filter(([field]) => list.some((slice) => slice.by === field));
  if (!ways.length) return null;
  const place = redrawn(([field, label]) => {
    const rows = list.filter((slice) => slice.by === field), top = topOf(rows.map((slice) => slice.gain));
    const at = (arm, value) => rows.find((slice) => slice.arm === arm && slice.value === value);
    const cell = (value) => (arm) => {
      const slice = at(arm, value), node = el("td", {class: "gain"}, signed(slice?.gain));
      if (!slice || !known(slice.gain)) return node;
      return tipped(shade(node, slice.gain, slice.interval, top), `${signed(slice.gain)} ${bracketed(slice.interval)}\n` +
        `${points(slice.points, "target-language pair")}: ${(slice.languages || []).join(" ")}`);
    };
    const values = [...new Set(rows.map((slice) => slice.value))];
    return table(`Gains by ${label}`, [armHead((arm) => arm), ...values.map((value) =>
      ({label: value, num: true, value: (arm) => at(arm, value)?.gain, cell: cell(value)}))], grouped(arms()), {kind: "heat"});
  });
  place.draw(ways[0]);
  return [el("h3", {}, "Gains by kind of language, over the common targets, without English"),
    el("div", {class: "controls"}, radios("By", ways.map((way) => [way, way[1]]), place.draw)), place];
}

// Every cell
function cells() {
  const rows = mine("cells").map((c) => ({...c, name: shown(c.arm), gain: gainOf(c.arm, c.target)?.per_seed?.[String(c.seed)]}));
  if (!rows.length) return null;
  const wanted = {text: "", target: "", arm: ""}, count = el("p", {class: "count", role: "status"});
  const floor = (c) => el("td", {class: "num"}, one(c.above_floor),
    known(c.languages_above_floor) && el("small", {}, ` (${c.languages_above_floor})`));
  const node = table("Every cell", [
    rowHead("intermediate", (c) => c.name), worded("target", "target"), {...worded("seed", "seed"), num: true},
    numbered("score", "score", one), numbered("gain", "gain"), numbered("other languages", "zero_shot", one),
    {...numbered("above the floor", "above_floor"), cell: floor}, numbered("English dev", "dev", one),
    {label: "flags", value: (c) => c.flags.join(", ")},
  ], [[null, rows]], {kind: "long"});
  const filter = () => {
    const text = (c) => [c.name, c.target, ...c.flags].join(" ").toLowerCase();
    const picked = (c) => (!wanted.target || c.target === wanted.target) && (!wanted.arm || c.arm === wanted.arm);
    const keep = (c) => picked(c) && text(c).includes(wanted.text.toLowerCase());
    node.filter(keep);
    count.textContent = `${rows.filter(keep).length} of ${points(rows.length, "cell")}`;
  };
  const set = (field) => (event) => { wanted[field] = event.target.value; filter(); };
  const every = (pairs) => [["", "all"], ...pairs];
  filter();
  return section("cells", "Every cell",
    "One line for each intermediate, target and seed. Above the floor: the mean over the languages that are better than " +
    "chance, and how many they are.", el("div", {class: "controls"},
    el("label", {}, "Filter", el("input", {type: "search", placeholder: "name or flag", oninput: set("text")})),
    choose("Target", every(targets().map((t) => [t, t])), set("target")),
    choose("Intermediate", every(Object.keys(board.arms).map((arm) => [arm, shown(arm)])), set("arm"))), count, node);
}

// Best per target, and notes
function best() {
  const list = mine("best");
  if (!list.length) return null;
  const columns = [rowHead("target", (b) => b.target ?? "mean over the counted targets"),
    {label: "intermediate", value: (b) => b.arm && shown(b.arm)}, numbered("gain", "gain"), ranged("95% interval", "interval"),
    worded("selected on", "selected_on")];
  const parts = [[null, list.filter((b) => b.target)], [null, list.filter((b) => !b.target)]];
  return section("best", "Best intermediate for each target",
    "Selected without the test: on English dev, or on half of the test examples where there is no dev. The gain is then " +
    "read on the test, or on the other half.", table("Best intermediate for each target", columns, parts));
}
function notes() {
  const titled = (facts) => Object.entries(facts).filter(([, of]) => of.title);
  const lines = [...board.encoders[encoder].notes,
    ["Targets", titled(board.targets).map(([name, of]) => `${name}: ${of.title}${of.metric ? ` (${of.metric})` : ""}`)],
    ["Intermediates", titled(board.arms).map(([name, of]) => `${shown(name)}: ${of.title}`)]];
  const file = `releases/${board.title}.json`;
  $("files").replaceChildren("All numbers of this page: ", el("a", {href: encodeURI(file)}, file), ".",
    DATA.older.length ? ` Older releases, left off this page for its size: ${DATA.older.join(", ")}.` : "");
  return section("notes", "How to read this", null, el("dl", {class: "notes"}, lines.filter(([, some]) => some.length)
    .map(([heading, some]) => [el("dt", {}, heading), el("dd", {}, some.map((text) => el("p", {}, text)))])));
}

start();
