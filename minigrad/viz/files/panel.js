// -- words -----------------------------------------------------------------------------------------------------------------------------
/** A new element. Texts only ever become text, never HTML: names come from anywhere. */
function el(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), typeof props === "string" ? { textContent: props } : props);
  node.append(...children.filter((child) => child));
  return node;
}
function swatch(colour) {
  const i = el("i");
  i.style.background = colour;
  return i;
}
function tag(text, colour) {
  const span = el("span", { className: "tag", textContent: text });
  span.style.background = colour;
  return span;
}
const button = (textContent, onclick, more = {}) => el("button", { textContent, onclick, ...more });
const scopeName = (scope) => (scope && scope.id ? scope.name || scope.cls : "");
const pathOf = (box) => scopeName(scopes[box.scope]);
const PASSES = ["forward", "backward", "second order"];
const passOf = (order) => PASSES[order] || `order ${order}`;
function titleOf(thing) {
  if (thing.sum) return thing.kind === "fold" ? `${thing.title} \u00d7${thing.count}` : thing.title || "Graph";
  if (!thing.name) return thing.op;
  return thing.op === "leaf" ? thing.name : thing.op === "grad" ? `\u2202 ${thing.name}` : `${thing.name} = ${thing.op}`;
}
const noteOf = (thing) => (thing.sum ? thing.note : thing.shape);
const colourOf = (thing) => (thing.sum ? css.accent : css[family(thing)]);

// -- the panel -------------------------------------------------------------------------------------------------------------------------
const panel = $("panel");
/** A heading and things to go to, each with a note; nothing where there is none. */
function links(title, things, note = noteOf, most = 60) {
  if (!things.length) return [];
  const count = things.length, rest = count > most && el("li", `and ${count - most} more`);
  const lines = things.slice(0, most).map((thing, k) =>
    el("li", {}, swatch(colourOf(thing)), button(titleOf(thing), () => select(thing, true)), el("small", note(thing, k))));
  return [el("h3", count > 1 ? `${title} (${count})` : title), el("ul", { className: "links" }, ...lines, rest)];
}
function facts(pairs) {
  const dl = el("dl");
  for (const [name, value] of pairs) if (value || value === 0) dl.append(el("dt", name), el("dd", String(value)));
  return dl;
}
const ends = (...texts) => el("div", { className: "ends" }, ...texts.map((text) => el("span", text)));
function histogram(counts, low, high, colour, words) {
  const make = (name, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const label = `${words}, from ${short(low)} to ${short(high)}`, most = Math.max(...counts, 1);
  const svg = make("svg", { viewBox: `0 0 ${counts.length * 10} 60`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  counts.forEach((count, k) => {
    const height = count ? Math.max((58 * count) / most, 1) : 0;
    svg.append(make("rect", { x: k * 10 + 0.8, y: 60 - height, width: 8.4, height, fill: colour }));
  });
  return el("div", {}, svg, ends(short(low), short(high)));
}
/** What was measured of a value, or with the prefix "grad_" of its gradient. */
function figures(stats, prefix, title, colour) {
  const at = (key) => stats[prefix + key], share = (key) => (at(key) > 0 ? `${short(at(key) * 100)} %` : "");
  if (at("norm") === undefined && at("value") === undefined) return [];
  return [
    el("h3", title),
    at("value") !== undefined && el("pre", at("value")),
    at("least") < at("greatest") && histogram(at("histogram"), at("least"), at("greatest"), colour, title),
    facts([
      ["norm", short(at("norm"))], ["mean", short(at("mean"))],
      ["zeros", share("zeros")], ["NaN", share("nan")], ["infinite", share("inf")],
    ]),
  ];
}
const code = (title, text, whole = "") => (text ? [el("h3", title), el("pre", { textContent: text, title: whole })] : []);
/** The modules that something is in, each to be clicked. */
function crumbs(thing) {
  const path = [];
  for (let g = homeOf(thing); g && g.parent; g = g.parent) {
    const name = g.kind === "fold" ? `\u00d7${g.count}` : g.title, to = g;
    if (g.kind !== "part") path.unshift(button(name, () => select(to, true)), " \u203a ");
  }
  return path.length ? el("p", { className: "path" }, ...path.slice(0, -1)) : null;
}
function aboutBox(box) {
  const wrong = trouble(box), stats = box.stats || {}, mate = boxes[box.pair], what = change.get(box.id);
  const neighbours = (title, list, key) =>
    links(title, list.map((edge) => boxes[edge[key]]), (other, k) => {
      const { label, role } = list[k];
      return [label, role === "data" ? "" : role, other.shape].filter(Boolean).join(" \u00b7 ");
    });
  return [
    tag(KINDS[family(box)] || box.kind, css[family(box)]),
    box.order > 0 && tag(passOf(box.order), css[box.order === 1 ? "backward" : "second"]),
    wrong && tag(box === firstBad ? "first NaN" : wrong, css.bad),
    what && tag(what, css[what]),
    crumbs(box),
    facts([
      ["shape", box.shape], ["dtype", box.dtype], ["device", box.device === "cpu" ? "" : box.device],
      ["size", box.bytes && size(box.bytes)], ["kept for backward", box.saved_bytes && size(box.saved_bytes)],
      ["time", box.time === null ? "" : seconds(box.time)],
      ["gradient", isLeaf(box) ? box.grad : ""], ["changed", data.diff?.changed?.[box.id]], ["module", pathOf(box)],
    ]),
    ...figures(stats, "", box.order ? "Gradient" : "Value", css.forward),
    ...figures(stats, "grad_", "Gradient", css.backward),
    ...code("Gradient rule", box.formula),
    ...code("Source", box.source.split(/[\\/]/).slice(-2).join("/"), box.source),
    ...links(mate ? "Is the gradient of" : "Its gradient", mate ? [mate] : box.mates || []),
    ...links("Parameters", (box.chips || []).map((id) => boxes[id])),
    ...neighbours("Inputs", box.inputs, "src"),
    ...neighbours("Users", box.users, "dst"),
  ];
}
function aboutGroup(g) {
  const scope = scopes[g.scope];
  return [
    tag({ scope: "module", fold: "repeated", run: "step", part: "part" }[g.kind] || "graph", css.accent),
    crumbs(g),
    facts([
      ["class", scope?.cls], ["name", scope?.name], ["call", scope?.call ? `number ${scope.call + 1}` : ""], ["nodes", g.sum.ops],
      ["kept for backward", g.sum.saved && size(g.sum.saved)], ["time", g.sum.time ? seconds(g.sum.time) : ""],
      ["gradient norm (middle)", g.sum.flow ? short(g.sum.flow) : ""], ["troubled gradients", g.sum.trouble || ""],
    ]),
    g.parent && el("p", {}, button(g.open ? "Collapse" : "Expand", () => (toggle(g), select(g)))),
    ...links("Inside", g.items.flat()),
  ];
}
function fillPanel(thing) {
  const focused = panel.contains(document.activeElement);
  panel.hidden = !thing;
  if (!thing) return panel.replaceChildren();
  const close = button("\u00d7", () => select(null), { className: "close", title: "Close (Esc)", ariaLabel: "Close" });
  const parts = [close, el("h2", titleOf(thing)), ...(thing.sum ? aboutGroup(thing) : aboutBox(thing))];
  panel.replaceChildren(...parts.filter((part) => part));
  panel.scrollTop = 0;
  if (focused) close.focus();
}
