// -- colours: their names are in page.css, so that light and dark are decided in one place -----------------------------------------
const FAMILIES = [
  ["linear", /matmul|linear|conv|einsum|dot|attention|lstm|gru|rnn|inv|solve/],
  ["norm", /norm|standardi/],
  ["activation", /relu|elu|sigmoid|tanh|silu|mish|softmax|softplus|softsign|swish|dropout|hardtanh/],
  ["reduction", /sum|mean|max|min|var|std|prod|loss|entropy|pool|any|all/],
  ["shape", new RegExp("reshape|transpose|permute|axes|axis|split|getitem|index|concat|stack|expand|broadcast|squeeze|pad|take|flatten|" +
    "slice|gather|embed|where|astype|cast|roll|flip|tile|repeat|fold|copy|view|select|put")],
];
const KINDS = {
  linear: "matrices", norm: "normalization", activation: "activation", reduction: "reduction, loss", shape: "shape, indexing",
  arithmetic: "arithmetic", param: "parameter", input: "input", output: "output", grad: "gradient",
};
const RAMPS = {
  light: { flow: ["#2746a6", "#6f9bef", "#dde2ea", "#f4976f", "#b3122e"], heat: ["#fff4cf", "#fdc86f", "#f2793f", "#b0234f", "#4f1150"] },
  dark: { flow: ["#6a9bff", "#3f62b8", "#3a4252", "#b0513a", "#ff6d55"], heat: ["#2a2e3d", "#5b2f63", "#b0385c", "#f0824a", "#ffe08a"] },
};
const shades = matchMedia("(prefers-color-scheme: dark)");
const stops = (measure) => RAMPS[shades.matches ? "dark" : "light"][measure.stops];
const css = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ground", "surface", "sunken", "ink", "muted", "line", "edge", "accent", "forward", "backward", "second", "bad",
    "added", "removed", "changed", ...Object.keys(KINDS)]) css[name] = style.getPropertyValue(`--${name}`).trim();
  mixed.clear();
}
const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
const mixed = new Map();
function mix(a, b, share) {
  const key = a + b + share.toFixed(2);
  if (!mixed.has(key)) {
    const [p, q] = [rgb(a), rgb(b)];
    mixed.set(key, "#" + p.map((v, k) => Math.round(v + (q[k] - v) * share).toString(16).padStart(2, "0")).join(""));
  }
  return mixed.get(key);
}
function ramp(stops, share) {
  const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1), k = Math.min(Math.floor(at), stops.length - 2);
  return mix(stops[k], stops[k + 1], at - k);
}
function inkOn(fill) {
  const [r, g, b] = rgb(fill);
  return r * 0.3 + g * 0.59 + b * 0.11 > 140 ? "#1b2330" : "#ffffff";
}
function family(box) {
  if (box.family) return box.family;
  if (box.kind !== "op" && box.kind !== "grad") return (box.family = box.kind);
  const of = boxes[box.pair] || box;
  if (box.kind === "grad" && (of === box || isLeaf(of))) return (box.family = of === box ? "grad" : of.kind);
  return (box.family = (FAMILIES.find(([, like]) => like.test(of.op)) || ["arithmetic"])[0]);
}

// -- what colours can say: for each measure the value of a box and of a group, and where it lies between 0 and 1 --------------------
const broken = (box) => (box.stats ? ["nan", "inf", "grad_nan", "grad_inf"].some((k) => box.stats[k] > 0) : false);
const flows = boxes.map(norm).filter((v) => v > 0 && isFinite(v)).map(Math.log10).sort((a, b) => a - b);
const middle = flows.length ? flows[flows.length >> 1] : 0;
const usual = flows.map((v) => Math.abs(v - middle)).sort((a, b) => a - b);
/** How far the scale of gradients reaches to each side, in powers of ten; stragglers lie outside. */
const reach = Math.max(1, usual[Math.floor(usual.length * 0.85)] || 0);
/** The gradient where the way back begins. */
const start = Math.log10(norm(boxes.find((b) => b.kind === "output" && norm(b) > 0) || {}) || 10 ** middle);
/** What is wrong with the gradient of a box: NaN, dead (all zero), vanishing or exploding beside the others and the loss; else nothing. */
function trouble(box) {
  if (box.trouble === undefined) {
    const value = norm(box), log = Math.log10(value);
    const least = Math.max(start - 8, Math.min(middle, start) - 4), most = Math.min(start + 8, Math.max(middle, start) + 4);
    if (broken(box)) box.trouble = "NaN";
    else if (value === 0) box.trouble = "dead";
    else box.trouble = log < least ? "vanishing" : log > most ? "exploding" : "";
  }
  return box.trouble;
}
const firstBad = boxes.find(broken);
for (const box of boxes)
  if (box.order === 0 && trouble(box))
    for (let g = homeOf(box); g; g = g.parent) {
      g.sum.trouble += 1;
      g.sum.bad += broken(box);
    }
const most = (pick) => boxes.reduce((top, box) => Math.max(top, pick(box) || 0), 0);
const amount = (top, value) => (value > 0 ? 0.12 + 0.88 * Math.min(Math.sqrt(value / top), 1) : 0);
const topBytes = most((b) => b.saved_bytes);
const times = boxes.map((b) => b.time).filter((t) => t > 0).sort((a, b) => a - b);
const topTime = times[Math.floor(times.length * 0.97)] || 0; // first calls stray
/** Of a difference of two graphs: what became of a box. */
const change = new Map();
for (const [what, ids] of Object.entries(data.diff || {}))
  for (const id of Array.isArray(ids) ? ids : Object.keys(ids)) change.set(Number(id), what);
const MEASURES = {
  kind: { title: "Kind" },
  grad: {
    title: "Gradient norm", there: flows.length > 0, stops: "flow", say: short,
    ends: [-reach, 0, reach].map((k) => short(10 ** (middle + k))),
    share: (norm) => (norm > 0 ? 0.5 + (Math.log10(norm) - middle) / (2 * reach) : 0), box: norm, group: (g) => g.sum.flow,
  },
  memory: {
    title: "Memory kept", there: topBytes > 0, ends: ["0", size(topBytes)], stops: "heat", say: size,
    share: (v) => amount(topBytes, v), box: (b) => b.saved_bytes || undefined, group: (g) => g.sum.saved || undefined,
  },
  time: {
    title: "Time", there: topTime > 0, ends: ["0", `\u2265 ${seconds(topTime)}`], stops: "heat", say: seconds,
    share: (v) => amount(topTime, v), box: (b) => b.time ?? undefined, group: (g) => g.sum.time || undefined,
  },
  nan: { title: "NaN and infinity", there: boxes.some((b) => b.stats) },
  diff: { title: "Difference", there: change.size > 0 },
};
function fillOf(thing, isGroup) {
  const base = css.surface, measure = MEASURES[state.mode];
  if (measure.stops) {
    const value = isGroup ? measure.group(thing) : measure.box(thing);
    return value === undefined || isNaN(value) ? mix(base, css.ground, 0.6) : ramp(stops(measure), measure.share(value));
  }
  if (state.mode === "nan") return (isGroup ? thing.sum.bad : broken(thing)) ? css.bad : mix(base, css.ground, 0.6);
  if (state.mode === "diff" && !isGroup) return change.has(thing.id) ? mix(base, css[change.get(thing.id)], 0.45) : base;
  if (isGroup) return base;
  if (thing.kind === "output" || thing.kind === "param" || thing.kind === "input") return mix(base, css[thing.kind], 0.2);
  return thing.order === 0 ? base : mix(base, css[thing.order === 1 ? "backward" : "second"], 0.12);
}
