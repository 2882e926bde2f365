// The sections of the page, top to bottom. Each returns nodes, or nothing if the release has nothing for it.

const KINDS = [["task", "Tasks"], ["mixture", "Mixtures"], ["subset", "Parts of a task"], ["control", "Controls"]];
const MEANS = [["average_gain", "interval", "all common targets"], ["other_tasks", null, "other tasks’ targets"],
  ["without_retrieval", "without_retrieval_interval", "without retrieval"], ["zero_shot", "zero_shot_interval", "without English"]];

const points = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
const ends = (mean, interval) => ({lo: interval?.[0] ?? mean, hi: interval?.[1] ?? mean}); // of the line in a chart
const bracketed = (interval) => interval && known(interval[0]) ? between(interval) : "";
const gainRow = (name, gain, interval) => // a row of a chart of gains with their intervals
  ({name, gain, ...ends(gain, interval), tone: tone(interval), tip: `${name}: ${signed(gain)} ${bracketed(interval)}`});
const targets = () => Object.keys(board.targets);
const bucketOf = (arm) => find("difficulty", {arm})?.bucket || board.arms[arm]?.difficulty?.declared || "";
const bucket = (word) => word ? el("span", {class: word}, word === "unlearned" ? "not learned" : word) : "";
const legend = (...parts) => el("p", {class: "legend"}, parts.map((part) => el("span", {}, part)));
const tones = (up, down) => legend(...[["help", up], ["hurt", down], ["muted", "contains 0, or is not known"]]
  .map(([colour, text]) => [el("i", {class: "dot " + colour}), text]));

function arms() { // of this encoder, best average first; those without one last
  const all = [...new Set([...mine("averages"), ...mine("gains")].map((row) => row.arm))];
  return all.sort(by((arm) => averageOf(arm).average_gain, true));
}
function grouped(list) { // [[heading, arms]] by kind; one kind alone needs no heading
  const kind = (arm) => board.arms[arm]?.kind || "task";
  const parts = KINDS.map(([name, heading]) => [heading, list.filter((arm) => kind(arm) === name)])
    .filter(([, some]) => some.length);
  return parts.length > 1 ? parts : parts.map(([, some]) => [null, some]);
}
// Columns of a table, by the field of its rows
const numbered = (label, field, format = signed, title = null) =>
  ({label, title, num: true, value: (row) => row[field], cell: (row) => format(row[field])});
const ranged = (label, field) => ({label, num: true, value: (row) => row[field]?.[0], cell: (row) => between(row[field])});
const worded = (label, field) => ({label, value: (row) => row[field]});
const armHead = (of) => rowHead("intermediate", (row) => shown(of(row)));

// What is shown, and the answers in words
function head(below) { // `below`: the names of the sections that follow
  const {suite} = board, {notes: lines, verdict} = board.encoders[encoder];
  const single = suite.seeds.length === 1;
  const badges = [[`suite ${suite.name}`], [single ? "one seed" : `${suite.seeds.length} seeds`, single]];
  for (const [heading, [text]] of lines) {
    if (heading === "Left out" || heading === "Waived") badges.push([text.replace(/\.$/, ""), true]);
  }
  const jumps = [["heat", "Gains"], ["averages", "Averages"], ["difficulty", "Easy and hard"], ["subsets", "Parts of a task"],
    ["languages", "Languages"], ["cells", "Every cell"], ["best", "Best per target"], ["notes", "Notes"]];
  return [
    suite.smoke && el("p", {class: "smoke", role: "note"}, el("strong", {}, "SMOKE SUITE: made-up data, no claim. "),
      "Its numbers show that the machine works and say nothing about languages or tasks."),
    el("p", {class: "about"}, suite.about),
    el("ul", {class: "badges"}, badges.map(([text, warn]) => el("li", {class: warn && "warn"}, text))),
    el("dl", {class: "verdict"}, verdict.map((line) =>
      el("div", {class: line.tone}, el("dt", {}, line.ask), el("dd", {}, line.say)))),
    el("nav", {"aria-label": "Sections"}, jumps.filter(([id]) => below.includes(id)).map(([id, text]) =>
      el("button", {type: "button", onclick: () => jump(id)}, text))),
  ];
}
function jump(id) { // not by the address, which holds the release
  const title = $(id + "-h");
  title.tabIndex = -1;
  title.focus({preventScroll: true});
  $(id).scrollIntoView();
}

// Intermediate × target
function shade(node, gain, interval, top) { // colour by size, pale unless the interval excludes 0
  const sure = tone(interval) !== "unsure";
  node.classList.add(gain >= 0.05 ? "help" : gain <= -0.05 ? "hurt" : "zero");
  if (!sure) node.classList.add("weak");
  node.style.setProperty("--k", (Math.min(1, Math.abs(gain) / top) * (sure ? 1 : 0.3)).toFixed(3));
  return node;
}
function topOf(gains) { // where the colour is full: the ninth decile, so that one outlier does not wash out the rest
  const sizes = gains.filter(known).map(Math.abs).sort((a, b) => a - b);
  return Math.max(1, sizes[Math.floor(0.9 * (sizes.length - 1))] || 0);
}
function story(gain) { // everything about one gain, as lines
  const seeds = Object.entries(gain.per_seed || {}).map(([seed, g]) => `${seed}: ${signed(g)}`);
  const spoken = Object.entries(board.encoders[encoder].languages[gain.target] || {}).filter(([, l]) => gain.arm in l.gains);
  return [
    `${shown(gain.arm)} → ${gain.target}: ${signed(gain.gain)} points`,
    bracketed(gain.interval) ? `95% interval over examples ${between(gain.interval)}` : "no interval known",
    bracketed(gain.seed_interval) && `95% interval over seeds ${between(gain.seed_interval)}`,
    known(gain.p) && `p ${pvalue(gain.p)}, corrected ${pvalue(gain.p_corrected)}`,
    seeds.length && `by seed ${seeds.join(", ")}`,
    known(gain.english) && `English ${signed(gain.english)}`,
    known(gain.zero_shot) && `other languages ${signed(gain.zero_shot)}`,
    known(gain.centred) && `after mean-centring ${signed(gain.centred)}`,
    spoken.length && `${points(spoken.length, "language")}: ${spoken.map(([code]) => code).join(" ")}`,
    gain.flags?.length && `flags: ${gain.flags.join(", ")}`,
    !gain.counted && "not counted in averages",
  ].filter(Boolean).join("\n");
}
function heatCell(arm, target, top) {
  const gain = gainOf(arm, target), marks = marksOf(arm, target);
  const node = el("td", {class: "gain", tabindex: -1, "data-arm": arm, "data-target": target},
    signed(gain?.gain), marks && el("span", {class: "flags"}, marks));
  if (!gain) return node;
  if (!gain.counted) node.classList.add("out");
  if (gain.significant) node.classList.add("sure");
  return tipped(known(gain.gain) ? shade(node, gain.gain, gain.counted ? gain.interval : null, top) : node, story(gain));
}
function averageCell(arm, top) {
  const average = averageOf(arm), node = el("td", {class: "gain mean", "data-average": arm}, signed(average.average_gain));
  return known(average.average_gain) ? shade(node, average.average_gain, average.interval, top) : node;
}
function baselineRow() {
  const scores = targets().map((target) => {
    const marks = marksOf(board.baseline, target);
    return el("td", {class: "base", "data-target": target}, one(fieldOf(board.baseline, target)[4]),
      marks && el("span", {class: "flags"}, marks));
  });
  return el("tr", {}, el("th", {scope: "row", class: "quiet"}, `${board.baseline} (score)`), el("td"), scores);
}
function heat() {
  const top = topOf(mine("gains").map((gain) => gain.gain));
  const named = (arm) =>
    el("th", {scope: "row"}, shown(arm), bucketOf(arm) && el("small", {class: "under"}, bucket(bucketOf(arm))));
  const columns = [
    {...armHead((arm) => arm), cell: named},
    {label: "average", num: true, value: (arm) => averageOf(arm).average_gain, cell: (arm) => averageCell(arm, top)},
    ...targets().map((target) => ({label: target, title: board.targets[target].title, num: true,
      value: (arm) => gainOf(arm, target)?.gain, cell: (arm) => heatCell(arm, target, top)})),
  ];
  const node = table("Gains by intermediate and target", columns, grouped(arms()), {kind: "heat", fixed: [baselineRow()]});
  node.addEventListener("keydown", (event) => walk(event, node));
  const first = node.querySelector("td[data-arm]");
  if (first) first.tabIndex = 0;
  return section("heat", "Which intermediate helps which target?",
    "The first line is the baseline’s score; every other number is a gain over it. Point at a number, or walk to it with the " +
    "arrow keys, for its interval, seeds and languages.",
    legend([`hurts ${signed(-top)}`, el("i", {class: "swatch ramp"}), `${signed(top)} helps`],
      [el("i", {class: "swatch pale"}), "pale: the 95% interval contains 0, or is not known"],
      [el("b", {}, "bold"), "beyond noise after correction"], [el("i", {class: "swatch gain out"}), "not counted in averages"],
      "small letters: marks, explained at the end"),
    node, el("details", {id: "gains"}, el("summary", {}, "The same gains as a list, with intervals"), gainList()));
}
function walk(event, node) { // arrow keys move between the cells of the heat map
  const step = {ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0]}[event.key];
  const here = document.activeElement;
  if (!step || !here.dataset.arm) return;
  event.preventDefault();
  const rows = [...node.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("td[data-arm]")])
    .filter((row) => row.length);
  const at = rows.findIndex((row) => row.includes(here));
  const next = rows[at + step[0]]?.[rows[at].indexOf(here) + step[1]];
  if (!next) return;
  here.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
function gainList() {
  return table("Gains with intervals", [
    armHead((gain) => gain.arm), worded("target", "target"), numbered("gain", "gain"), ranged("95% interval", "interval"),
    ranged("over seeds", "seed_interval"), numbered("p", "p", pvalue), numbered("p, corrected", "p_corrected", pvalue),
    numbered("English", "english"), numbered("other languages", "zero_shot"), numbered("above the floor", "above_floor"),
    numbered("centred", "centred", signed, "retrieval only: after subtracting each language's mean vector"),
    {label: "counts", value: (gain) => gain.counted ? "yes" : "no"},
    {label: "flags", value: (gain) => (gain.flags || []).join(", ")},
  ], [[null, mine("gains")]], {kind: "long"});
}

// Averages
const elsewhere = (average) => // other tasks' targets are others than those of all arms
  known(average.average_gain) && average.other_tasks && String(average.other_tasks.targets) !== String(average.targets);
const meanOf = (arm, field, interval) => { // [gain, interval]
  const average = averageOf(arm), other = average.other_tasks || {};
  return field === "other_tasks" ? [other.gain, other.interval] : [average[field], average[interval]];
};
function averages() {
  const list = mine("averages"), common = list[0]?.targets || [], differ = list.some(elsewhere);
  const means = MEANS.filter(([field]) => field !== "other_tasks" || differ);
  if (!list.length) return null;
  const picture = redrawn(([field, interval]) => {
    const rows = grouped(arms().filter((arm) => known(meanOf(arm, field)[0]))).flatMap(([heading, some]) =>
      [...(heading ? [{name: heading + ":", gain: 0, lo: 0, hi: 0, tone: "none", tip: ""}] : []),
        ...some.map((arm) => gainRow(shown(arm), ...meanOf(arm, field, interval)))]);
    return chart("averages", rows);
  });
  picture.draw(means[0]);
  const both = (value, interval) => el("td", {class: "num below"}, signed(value), " ", el("small", {}, bracketed(interval)));
  const groups = [...new Set(list.flatMap((average) => Object.keys(average.groups || {})))];
  const columns = [
    armHead((arm) => arm),
    ...means.map(([field, interval, label]) => ({label, num: true, value: (arm) => meanOf(arm, field)[0],
      cell: (arm) => both(...meanOf(arm, field, interval))})),
    {label: "tie", value: (arm) => averageOf(arm).tie, title: "not told apart from the best one of that letter"},
    ...(list.some((average) => bracketed(average.seed_interval)) ? [{label: "all, over seeds", num: true,
      value: (arm) => averageOf(arm).seed_interval?.[0], cell: (arm) => between(averageOf(arm).seed_interval)}] : []),
    ...groups.map((group) => ({label: group.replaceAll("_", " "), num: true, value: (arm) => averageOf(arm).groups?.[group]?.gain,
      cell: (arm) => both(averageOf(arm).groups?.[group]?.gain, averageOf(arm).groups?.[group]?.interval)})),
  ];
  return section("averages", "Average gain of each intermediate",
    `Over the ${points(common.length, "target")} that count in every task${common.length ? ": " + common.join(", ") : ""}.`,
    el("div", {class: "controls"}, radios("Mean over", means.map((m) => [m, m[2]]), picture.draw)),
    tones("helps: the interval is above 0", "hurts: below 0"), picture, table("Average gains", columns, grouped(arms())),
    legend("In brackets 95% intervals over test examples. An arm is not told apart from the best one with its tie letter."));
}
