// Do hard tasks help more than easy ones: between tasks, and within one.

const SETS = {easiest: "easiest part", hardest: "hardest part", ambiguous: "most ambiguous part", random: "random part",
  shuffled_labels: "shuffled labels", mlm: "masked-LM", masked_lm: "masked-LM", all: "whole task"};
const MEASURES = [
  ["headroom", "headroom", "Headroom: how far the encoder stays from the human score; 0 is reached, 1 is at chance."],
  ["pvi_share", "PVI share", "Usable information in the input (PVI), as a share of the labels’ entropy; less is harder."],
];
const BUCKETS = [["easy", "easy", "●"], ["hard", "hard", "◆"], ["median", "the median one, neither", "■"],
  ["unlearned", "not learned, set apart", "✚"]];

// Easy and hard
function difficulty() {
  const split = find("split", {}), measured = mine("difficulty");
  const ways = MEASURES.filter(([field]) => measured.some((d) => known(d[field])));
  const nodes = split ? [splitChart(split), splitTable(split), splitWords(split)] : [];
  if (ways.length) {
    const picture = redrawn(([field, measure, said]) =>
      [el("p", {class: "quiet"}, said), chart("scatter", scatterRows(measured, field), {measure})]);
    picture.draw(ways[0]);
    nodes.push(el("h3", {}, "Gain against difficulty"),
      ways.length > 1 && el("div", {class: "controls"}, radios("Difficulty as", ways.map((way) => [way, way[1]]), picture.draw)),
      legend(...BUCKETS.filter(([name]) => measured.some((d) => d.bucket === name))
        .map(([name, text, shape]) => [el("i", {class: name}, shape), text])),
      picture, correlation(split?.correlation), correlation(split?.correlation_pvi));
  } else nodes.push(el("p", {class: "quiet"}, "The difficulty of the intermediate tasks was not measured in this release."));
  if (measured.length) nodes.push(difficultyTable(measured));
  return section("difficulty", "Do hard tasks help more than easy ones?", null, nodes);
}
const differences = (split) =>
  [["hard − easy", split, split.permutation_p],
    ["without retrieval", split.without_retrieval || {}, null],
    ["without English", split.zero_shot || {}, null],
    ...Object.entries(split.by_target || {}).map(([target, d]) => [`on ${target}`, d, null]),
    ["mean within targets", split.other_tasks?.hard_minus_easy !== split.hard_minus_easy && split.other_tasks || {}, null]]
    .filter(([, d]) => known(d.hard_minus_easy));
function splitChart(split) {
  const rows = [];
  const strip = (row, name, gains, mean) => {
    for (const [arm, gain] of gains.filter((pair) => known(pair[1]))) {
      rows.push({row, bucket: name, gain, ...ends(gain), tip: `${shown(arm)}: ${signed(gain)}`});
    }
    if (known(mean)) rows.push({row, bucket: name, mean, ...ends(mean), tip: `mean of the ${name} tasks: ${signed(mean)}`});
  };
  const averaged = (names) => (names || []).map((arm) => [arm, averageOf(arm).average_gain]);
  strip("easy", "easy", Object.entries(split.easy.arms), split.easy.average_gain);
  strip("hard", "hard", Object.entries(split.hard.arms), split.hard.average_gain);
  strip("between", "median", averaged(split.median));
  strip("not learned", "unlearned", averaged(split.unlearned));
  for (const [row, d] of differences(split)) {
    const mean = d.hard_minus_easy;
    rows.push({row, bucket: "none", mean, ...ends(mean, d.interval), tip: `${row}: ${signed(mean)} ${bracketed(d.interval)}`});
  }
  return [legend("A dot is a task, an upright bar a mean. The last lines are differences of the means, with their 95% intervals."),
    chart("split", rows)];
}
function splitTable(split) {
  const line = (label, ...rest) =>
    el("tr", {}, el("th", {scope: "row"}, label), rest.map((text) => el("td", {class: "num"}, text)));
  const side = (name) => line(name, String(Object.keys(split[name].arms).length), signed(split[name].average_gain), "", "", "");
  const heads = ["side", "tasks", "average gain", "95% interval, these tasks", "over seeds", "permutation p, over tasks"];
  const top = el("tr", {}, heads.map((text, i) => el("th", {scope: "col", class: i ? "num" : null}, text)));
  const body = [side("easy"), side("hard"), ...differences(split).map(([label, d, p]) =>
    line(label, "", signed(d.hard_minus_easy), between(d.interval), bracketed(d.seed_interval), known(p) ? pvalue(p) : ""))];
  return el("div", {class: "box", tabindex: 0, role: "region", "aria-label": "Easy and hard in numbers"},
    el("table", {id: "split"}, el("thead", {}, top), el("tbody", {}, body)));
}
function splitWords(split) {
  const quiet = (...words) => el("p", {class: "quiet"}, ...words);
  return [
    !split.claim && el("p", {class: "claim"}, el("strong", {}, split.why || "No claim about easy and hard tasks can be made.")),
    split.sizes_differ && quiet("The tasks have different numbers of training rows: difficulty is mixed with data size here."),
    split.unlearned?.length && quiet(`Not learned, and so neither easy nor hard: ${split.unlearned.map(shown).join(", ")}.`),
  ].filter((node) => node);
}
function scatterRows(measured, field) {
  const rows = measured.filter((d) => known(d[field]) && known(averageOf(d.arm).average_gain)).map((d) => {
    const {average_gain: gain, interval} = averageOf(d.arm);
    const measures = MEASURES.filter(([f]) => known(d[f])).map(([f, word]) => `${word} ${two(d[f])}`).join(", ");
    return {x: d[field], gain, ...ends(gain, interval), bucket: d.bucket || "none", label: shown(d.arm),
      tip: `${shown(d.arm)}\n${measures}\naverage gain ${signed(gain)} ${bracketed(interval)}`};
  }).sort((a, b) => a.x - b.x);
  return placed(rows);
}
function placed(rows) { // gives each label the first of four places where it is free; without one it is left to the tooltip
  const wide = Math.min(736, $("board").clientWidth) - 50, tall = 320, taken = [];
  const scaled = (values, size) => {
    const low = Math.min(...values), span = Math.max(...values) - low || 1;
    return (value) => 24 + (value - low) / span * (size - 48);
  };
  const across = scaled(rows.map((row) => row.x), wide), up = scaled(rows.flatMap((row) => [row.lo, row.hi, 0]), tall);
  const points = rows.map((row) => [across(row.x) - 5, tall - up(row.gain) - 5, across(row.x) + 5, tall - up(row.gain) + 5]);
  const clash = (a) => (b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
  rows.forEach((row, i) => {
    const long = 7 * row.label.length, [x, y] = [across(row.x), tall - up(row.gain)];
    const spots = [["left", -9], ["right", -9], ["left", 12], ["right", 12]].map(([align, dy]) => {
      const from = align === "left" ? x + 9 : x - 9 - long;
      return {align, dx: align === "left" ? 9 : -9, dy, box: [from, y + dy - 7, from + long, y + dy + 7]};
    });
    const others = [...taken, ...points.filter((_, j) => j !== i)];
    const spot = spots.find(({box}) => box[0] > 0 && box[2] < wide && !others.some(clash(box)));
    const {box, ...place} = spot || {...spots[0], box: null};
    if (box) taken.push(box);
    Object.assign(row, place, {label: box ? row.label : ""});
  });
  return rows;
}
function correlation(found) {
  if (!found || !known(found.rho)) return null;
  const sign = (x) => (x > 0 ? "+" : "") + two(x);
  return el("p", {}, `Rank correlation of ${found.measure === "headroom" ? "headroom" : "PVI share"} with average gain over `,
    `${points(found.points, "task")}: ${sign(found.rho)}`, found.interval ? ` [${found.interval.map(sign).join(", ")}]` : "",
    known(found.p) ? `, p ${pvalue(found.p)}.` : ".");
}
function difficultyTable(measured) {
  const rows = measured.map((d) => ({...d, gain: averageOf(d.arm).average_gain}));
  const human = (d) => one(d.human) + (d.human_known === false && known(d.human) ? " (ceiling)" : "");
  return table("Difficulty of the intermediate tasks", [
    armHead((d) => d.arm), {label: "side", value: (d) => d.bucket, cell: (d) => bucket(d.bucket)},
    numbered("average gain", "gain"), numbered("headroom", "headroom", two), numbered("English dev", "dev", one), numbered("chance", "chance", one),
    {label: "human", num: true, value: (d) => d.human, cell: human, title: "ceiling: no human score is published, so 100"},
    numbered("PVI, bits", "pvi", two), numbered("PVI share", "pvi_share", two),
    numbered("training rows", "rows", (x) => known(x) ? String(x) : DASH),
  ], [[null, rows]], {kind: "long"});
}
function subsets() {
  const list = mine("subsets"), word = (label) => label.replace(/^\w+/, (name) => SETS[name] || name);
  if (!list.length) return null;
  const parts = list.map((subset) => {
    const other = subset.other_tasks || {}, differ = other.targets?.length && String(other.targets) !== String(subset.targets);
    const rows = (subset.comparisons || []).map((c, i) => {
      const {difference: elsewhere, interval: within, seed_interval: seeds} = other.comparisons?.[i] || {};
      return {...c, name: `${word(c.a)} − ${word(c.b)}`, elsewhere, within, seeds};
    });
    const means = [["difference", "interval", "all common targets"], ...(differ ? [["elsewhere", "within", "other tasks’ targets"]] : [])];
    const picture = redrawn(([field, range]) =>
      chart("comparisons", rows.filter((c) => known(c[field])).map((c) => gainRow(c.name, c[field], c[range]))));
    picture.draw(means[0]);
    const kinds = Object.values(subset.arms || {}).map((arm) => board.arms[arm]?.subset).filter(Boolean);
    const ways = [...new Set(kinds.filter((from) => from.by).map((from) => from.by === "pvi" ? "PVI (usable information)" : from.by))];
    const parts = [...new Set(kinds.map((from) => percent(from.fraction)))];
    const sizes = Object.entries(subset.rows || {}).map(([label, rows]) => `${word(label)} ${rows ?? "–"}`);
    const {dev} = board.encoders[encoder];
    const devs = Object.entries(subset.arms || {}).filter(([, arm]) => known(dev[arm])).map(([label, arm]) => `${word(label)} ${one(dev[arm])}`);
    return [
      el("h3", {}, `Parts of ${shown(subset.of)}`),
      el("p", {class: "quiet"}, [ways.length ? `Ranked by ${ways.join(" and ")}.` : "",
        parts.length ? `Parts are ${parts.join(" or ")} of the rows.` : "",
        subset.targets?.length ? `Average gain over ${subset.targets.join(", ")}.` : "",
        differ ? `Other tasks’ targets: ${other.targets.join(", ")}.` : "",
        sizes.length ? `Rows trained on: ${sizes.join(", ")}. Only arms with as many are compared.` : "",
        devs.length ? `Reached on English dev: ${devs.join(", ")}.` : ""].join(" ")),
      means.length > 1 && el("div", {class: "controls"}, radios("Mean over", means.map((m) => [m, m[2]]), picture.draw)),
      picture,
      table(`Comparisons within ${shown(subset.of)}`, [rowHead("comparison", (c) => c.name), numbered("difference", "difference"),
        ranged("95% interval", "interval"), ranged("over seeds", "seed_interval"), numbered("p", "p", pvalue), numbered("p, corrected", "p_corrected", pvalue),
        ...(differ ? [numbered("other tasks’ targets", "elsewhere"), ranged("95% interval there", "within"), ranged("over seeds there", "seeds")] : [])],
      [[null, rows]]),
    ].filter(Boolean);
  });
  return section("subsets", "Easy and hard parts of the same task",
    "Parts that are compared have the same number of rows and the same balance of labels (sentences with tags have none): only " +
    "which rows differs. Controls tell what rows teach from what more updates do. Intervals are over test examples.", tones("the first gains more: the interval is above 0", "less: below 0"), parts);
}
