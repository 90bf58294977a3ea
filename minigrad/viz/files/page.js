// -- moving about ----------------------------------------------------------------------------------------------------------------------
/** What the canvas shows at a point of it. */
const at = (x, y) => under(state.x + x / state.z, state.y + y / state.z);
/** The group whose triangle, or whose "x12", is at a point of the canvas. */
function knobAt(x, y) {
  const px = state.x + x / state.z, py = state.y + y / state.z;
  const inside = ({ x, y, w, h }) => px > x && py > y && px < x + w && py < y + h;
  return groups.findLast((g) => g.stamp === stamp && g.knob && inside(g.knob));
}
let due = 0, flight = 0;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
function redraw() {
  due ||= requestAnimationFrame(() => {
    due = 0;
    draw();
  });
}
/** Show a rectangle of the graph, after a short flight. */
function show(rect, most = 1.25, fill = 0.92, quick = false) {
  const w = canvas.clientWidth - (panel.hidden || innerWidth <= 760 ? 0 : panel.offsetWidth), h = canvas.clientHeight;
  const z = Math.min(most, (w * fill) / rect.w, (h * fill) / rect.h);
  fly({ z, x: rect.x + rect.w / 2 - w / z / 2, y: rect.y + rect.h / 2 - h / z / 2 }, quick || calm.matches);
}
function fly(to, quick = calm.matches) {
  cancelAnimationFrame(flight);
  const from = { x: state.x, y: state.y, z: state.z }, begin = performance.now();
  const step = (now) => {
    const t = quick ? 1 : Math.min(Math.max((now - begin) / 260, 0), 1), s = t * t * (3 - 2 * t);
    state.z = from.z * (to.z / from.z) ** s;
    const k = from.z === to.z ? s : (1 / state.z - 1 / from.z) / (1 / to.z - 1 / from.z);
    state.x = from.x + (to.x - from.x) * k;
    state.y = from.y + (to.y - from.y) * k;
    draw();
    if (t < 1) flight = requestAnimationFrame(step);
  };
  if (quick) step(begin);
  else flight = requestAnimationFrame(step);
}
const whole = () => groups[0].rect;
function fit(quick = false) {
  arrange();
  show(whole(), 1.6, 0.94, quick);
}
function zoom(factor, cx = canvas.clientWidth / 2, cy = canvas.clientHeight / 2) {
  cancelAnimationFrame(flight);
  const z = Math.min(Math.max(state.z * factor, 0.002), 6);
  state.x += cx / state.z - cx / z;
  state.y += cy / state.z - cy / z;
  state.z = z;
  redraw();
}
function pan(dx, dy) {
  cancelAnimationFrame(flight);
  state.x -= dx / state.z;
  state.y -= dy / state.z;
  redraw();
}
/** Bring into view what is not, and no more than that. */
function reveal(thing) {
  const r = place(thing), w = canvas.clientWidth - (panel.hidden || innerWidth <= 760 ? 0 : panel.offsetWidth);
  const h = canvas.clientHeight - (panel.hidden || innerWidth > 760 ? 0 : panel.offsetHeight);
  const x = (r.x - state.x) * state.z, y = (r.y - state.y) * state.z;
  if (state.z > 0.6 && x > 0 && y > 0 && x + r.w * state.z < w && y + r.h * state.z < h) return redraw();
  const z = Math.max(state.z, Math.min(1, (w * 0.8) / r.w, (h * 0.8) / r.h));
  fly({ z, x: r.x + r.w / 2 - w / z / 2, y: r.y + r.h / 2 - h / z / 2 });
}

// -- opening and closing ------------------------------------------------------------------------------------------------------------
function toggle(g, open = !g.open) {
  if (g === groups[0]) return;
  const before = place(g);
  g.open = open;
  settled = false;
  arrange();
  const after = place(g); // its upper left corner stays under the eye
  state.x += after.x - before.x;
  state.y += after.y - before.y;
  if (!open && state.selected && within(state.selected, g)) select(g);
  say(`${g.title} ${open ? "opened" : "closed"}`);
  redraw();
}
function openAll(open) {
  for (const g of groups) if (g.parent) g.open = open && g.kind !== "fold";
  settled = false;
  fit();
  if (!open && state.selected) select(shownAs(state.selected));
}
/** Open the way to something. */
function uncover(thing) {
  for (let g = thing.sum ? thing.parent : groups[(thing.host || thing).home]; g && g.parent; g = g.parent) {
    const first = g.kind === "fold" && !g.open && g.items[0];
    if (!g.open && !(first && (Array.isArray(first) ? first.includes(thing.host || thing) : within(thing, first)))) {
      g.open = true;
      settled = false;
    }
  }
  arrange();
}
function select(thing, go = false) {
  state.selected = thing;
  if (thing && go) uncover(thing);
  fillPanel(thing);
  if (thing) say(`${titleOf(thing)}, ${noteOf(thing)}, ${thing.sum ? (thing.open ? "open" : "closed") : trouble(thing)}`);
  if (thing && go) reveal(thing);
  else redraw();
}
function say(text) {
  $("said").textContent = text;
}

// -- search ----------------------------------------------------------------------------------------------------------------------------
let haystack = null, found = [], foundAt = -1;
const hay = () => (haystack ??= [...boxes.map((b) => `${b.name} ${b.op} ${b.shape} ${b.dtype} ${pathOf(b)} ${b.source}`.toLowerCase()),
  ...groups.map((g) => (g.kind === "scope" ? `${g.title} ${scopeName(scopes[g.scope])} ${scopes[g.scope].cls}`.toLowerCase() : ""))]);
function search(text) {
  const begin = performance.now(), words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const modules = [], nodes = [];
  foundAt = -1;
  state.hits = words.length ? new Set() : null;
  if (words.length)
    hay().forEach((straw, k) => {
      if (!straw || !words.every((word) => straw.includes(word))) return;
      const thing = k < boxes.length ? boxes[k] : groups[k - boxes.length];
      (thing.sum ? modules : nodes).push(thing);
      if (!thing.sum) {
        state.hits.add(thing.id);
        if (thing.host) state.hits.add(thing.host.id);
      }
      for (let g = thing.sum ? thing : groups[thing.home]; g && g.found !== state.hits; g = g.parent) g.found = state.hits;
    });
  found = modules.concat(nodes); // modules first, else in the order of births
  $("tally").textContent = words.length ? `${found.length}` : "";
  $("hits").replaceChildren(...found.slice(0, 60).map((thing, k) => {
    const li = el("li", titleOf(thing), el("small", thing.sum ? thing.note : `${thing.shape} ${pathOf(thing)}`));
    li.onmousedown = (event) => (event.preventDefault(), step(k));
    li.setAttribute("role", "option");
    return li;
  }));
  redraw();
  return performance.now() - begin;
}
/** Go to the k-th thing found, counted around. */
function step(k) {
  if (!found.length) return;
  foundAt = (k + found.length) % found.length;
  $("tally").textContent = `${foundAt + 1} / ${found.length}`;
  [...$("hits").children].forEach((li, n) => li.setAttribute("aria-selected", n === foundAt));
  $("hits").children[foundAt]?.scrollIntoView({ block: "nearest" });
  select(found[foundAt], true);
}

// -- legend ----------------------------------------------------------------------------------------------------------------------------
function legend() {
  const measure = MEASURES[state.mode], parts = [el("h2", measure.title)], list = el("ul");
  if (state.mode === "kind") {
    const kinds = new Set(boxes.map(family));
    for (const kind of Object.keys(KINDS)) if (kinds.has(kind)) list.append(el("li", {}, swatch(css[kind]), KINDS[kind]));
    for (const [order, name] of [[1, "backward"], [2, "second"]])
      if (boxes.some((b) => b.order === order)) list.append(el("li", {}, swatch(mix(css.surface, css[name], 0.3)), passOf(order)));
    if (edges.some((edge) => edge.label)) parts.push(el("p", "On lines: the local derivative."));
  } else if (measure.stops) {
    const bar = el("div", { className: "ramp" });
    bar.style.background = `linear-gradient(90deg, ${stops(measure).join(", ")})`;
    parts.push(bar, ends(...measure.ends));
    if (groups.some((g) => g.kind === "fold")) parts.push(el("p", "Under \u00d7n: all members, from first to last."));
  }
  if (state.mode === "grad" || state.mode === "nan")
    for (const word of ["vanishing", "exploding", "dead", "NaN"]) {
      const those = boxes.filter((b) => b.order === 0 && trouble(b) === word);
      const next = () => select(those[(those.indexOf(state.selected) + 1) % those.length], true);
      if (those.length) list.append(el("li", {}, button(`${those.length} ${word}`, next, { title: "Go to the next" })));
    }
  if (state.mode === "nan" && !firstBad) list.append(el("li", "none"));
  if (state.mode === "diff")
    for (const word of ["added", "removed", "changed"]) {
      const count = [...change.values()].filter((v) => v === word).length;
      list.append(el("li", {}, swatch(css[word]), `${count} ${word}`));
    }
  if (movie.on) parts.push(el("p", "\u25cf memory held for backward \u00a0 \u25cb let go"));
  $("legend").replaceChildren(...parts, list);
}
function colourBy(mode) {
  state.mode = $("colour").value = mode;
  legend();
  redraw();
}
function showOrder(order) {
  state.order = order;
  for (const button of $("orders").children) button.setAttribute("aria-pressed", Number(button.value) === order);
  redraw();
}

// -- hands: mouse, fingers, keys -------------------------------------------------------------------------------------------------------
const fingers = new Map();
let moved = 0, turned = -Infinity;
const spot = (event) => {
  const r = canvas.getBoundingClientRect();
  return [event.clientX - r.left, event.clientY - r.top];
};
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const lines = event.deltaMode ? 16 : 1;
  if (event.shiftKey) pan(-(event.deltaY || event.deltaX) * lines, 0);
  else zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0018)), ...spot(event));
}, { passive: false });
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, spot(event));
  moved = fingers.size > 1 ? 99 : 0;
});
canvas.addEventListener("pointermove", (event) => {
  const now = spot(event), was = fingers.get(event.pointerId);
  if (!was) return hover(now);
  if (fingers.size === 1) pan(now[0] - was[0], now[1] - was[1]);
  else {
    const other = [...fingers].find(([id]) => id !== event.pointerId)[1], far = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
    zoom(far(now) / Math.max(far(was), 1), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }
  moved += Math.abs(now[0] - was[0]) + Math.abs(now[1] - was[1]);
  canvas.classList.toggle("dragged", moved > 4);
  fingers.set(event.pointerId, now);
});
for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, (event) => {
  fingers.delete(event.pointerId);
  canvas.classList.remove("dragged");
  if (kind === "pointerup" && moved < 5) {
    const begin = performance.now(), thing = at(...spot(event)), knob = knobAt(...spot(event));
    if (knob) {
      if (begin > turned + 400) toggle(knob); // a double click turns it once
      turned = begin;
    } else {
      select(thing);
      const covered = event.clientX - (innerWidth - panel.offsetWidth);
      if (thing && innerWidth > 760 && covered > -40) pan(-covered - 160, 0); // out from under the panel
    }
    draw();
    page.clicked = performance.now() - begin;
  }
});
canvas.addEventListener("dblclick", (event) => {
  const thing = at(...spot(event));
  if (thing?.sum && !knobAt(...spot(event))) toggle(thing);
});
canvas.addEventListener("pointerleave", () => ($("tip").hidden = true));
function hover([x, y]) {
  const thing = at(x, y), tip = $("tip");
  canvas.classList.toggle("over", Boolean(thing));
  tip.hidden = !thing;
  if (!thing) return;
  const measure = MEASURES[state.mode], value = measure.stops && (thing.sum ? measure.group(thing) : measure.box(thing));
  const words = [titleOf(thing), thing.sum ? thing.note : `${thing.shape} ${thing.dtype}`, thing.sum ? "" : trouble(thing)];
  if (value > 0) words.push(`${measure.title.toLowerCase()}: ${measure.say(value)}`);
  tip.textContent = words.filter(Boolean).join("\n");
  tip.style.left = `${Math.min(x + 14, canvas.clientWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.min(y + 16, canvas.clientHeight - tip.offsetHeight - 8)}px`;
}
/** From what is selected along a line, up or down; where there is none, and sideways, to the nearest thing in that direction. */
function walk(dx, dy) {
  const here = state.selected;
  if (!here) return select(seen().find((thing) => !thing.sum) || null, true);
  const from = place(here), nearest = (things, toll) => {
    let best = null, least = Infinity;
    for (const thing of things) {
      if (thing === here || (thing.sum && thing.open)) continue;
      const r = place(thing), x = r.x + r.w / 2 - from.x - from.w / 2, y = r.y + r.h / 2 - from.y - from.h / 2;
      const far = toll(x * dx + y * dy, Math.abs(x * dy + y * dx));
      if (far < least) [best, least] = [thing, far];
    }
    return best;
  };
  const ends = dy > 0 === Boolean(here.order % 2) ? ["inputs", "src"] : ["users", "dst"]; // gradients run upwards
  const lines = here.sum || !dy ? [] : here[ends[0]].filter((edge) => edge.role !== "saved").map((edge) => shownAs(boxes[edge[ends[1]]]));
  const next = nearest(lines, Math.hypot) || nearest(seen(), (ahead, aside) => (ahead > 4 ? ahead + 2.5 * aside : Infinity));
  if (next) select(next, true);
}
const KEYS = [
  [["ArrowUp"], "\u2191 \u2193 \u2190 \u2192", "to the next node in that direction", () => walk(0, -1)],
  [["ArrowDown"], "", "", () => walk(0, 1)], [["ArrowLeft"], "", "", () => walk(-1, 0)], [["ArrowRight"], "", "", () => walk(1, 0)],
  [["Enter"], "Enter", "open or close the selected module", () => state.selected?.sum && (toggle(state.selected), select(state.selected))],
  [["+", "="], "+", "zoom in", () => zoom(1.3)], [["-", "_"], "\u2212", "zoom out", () => zoom(1 / 1.3)],
  [["f", "0"], "F", "show everything", () => fit()],
  [["e"], "E", "open all modules", () => openAll(true)], [["c"], "C", "close all modules", () => openAll(false)],
  [["/"], "/", "search; then Enter and Shift+Enter step through what was found", () => $("query").focus()],
  [["m"], "M", "the backprop movie", () => startMovie()], [[" "], "Space", "play or pause it", () => (startMovie(true), play())],
  [["."], ".", "one step on", () => (startMovie(true), moment(Math.floor(movie.t) + 1))],
  [[","], ",", "one step back", () => (startMovie(true), moment(Math.ceil(movie.t) - 1))],
  [["Escape"], "Esc", "close the panel, end the search", () => (state.hits ? (($("query").value = ""), search("")) : select(null))],
  [["?"], "?", "these keys", () => $("help").showModal()],
];
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  const typing = event.target.matches?.("input[type=search], select, input[type=range]");
  if (typing && event.key !== "Escape") return;
  if ([" ", "Enter"].includes(event.key) && event.target.matches?.("button")) return;
  const key = KEYS.find(([names]) => names.includes(event.key.length === 1 ? event.key.toLowerCase() : event.key));
  if (!key) return;
  event.preventDefault();
  if (event.key === "Escape") canvas.focus();
  key[3]();
});
$("query").addEventListener("focus", hay);
$("query").addEventListener("input", () => search($("query").value));
$("query").addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    step(foundAt < 0 ? 0 : foundAt + (event.shiftKey || event.key === "ArrowUp" ? -1 : 1));
  }
});
for (const [id, act] of Object.entries({
  less: () => zoom(1 / 1.3), more: () => zoom(1.3), fit: () => fit(), expand: () => openAll(true), collapse: () => openAll(false),
  "play-toggle": () => startMovie(), play: () => play(), "help-toggle": () => $("help").showModal(),
})) $(id).addEventListener("click", act);
$("colour").addEventListener("change", () => colourBy($("colour").value));
$("moment").addEventListener("input", () => (play(false), moment($("moment").valueAsNumber)));
$("map").addEventListener("pointerdown", (event) => {
  const r = $("map").getBoundingClientRect(), { w, h } = whole(), s = Math.min(r.width / w, r.height / h);
  state.x = (event.clientX - r.left - (r.width - w * s) / 2) / s - canvas.clientWidth / state.z / 2;
  state.y = (event.clientY - r.top - (r.height - h * s) / 2) / s - canvas.clientHeight / state.z / 2;
  redraw();
});

// -- begin -----------------------------------------------------------------------------------------------------------------------------
for (const [value, { title, there }] of Object.entries(MEASURES))
  if (there !== false) $("colour").append(el("option", { value, textContent: title }));
const passes = [...new Set(boxes.map((b) => b.order))].sort();
for (const order of [-1, ...passes])
  $("orders").append(button(order < 0 ? "all" : passOf(order), () => showOrder(order), { value: order }));
$("orders").hidden = passes.length < 2;
$("summary").textContent = data.summary;
for (const [, keys, words] of KEYS) if (keys) $("keys").append(el("tr", {}, el("td", {}, el("kbd", keys)), el("td", words)));
/** What tests and scripts of pictures may call. */
const page = (window.page = {
  boxes, groups, state, movie, select, toggle, openAll, uncover, search, step, colourBy, showOrder, startMovie, moment, play,
  fit, show, zoom, draw,
  cost: () => cost,
  shown: (thing) => thing.stamp === stamp,
  /** Arrange everything anew, after groups were opened or closed by hand. */
  again() {
    settled = false;
    arrange();
    draw();
  },
  /** Where something, or a rectangle of the graph, is in the window. */
  onScreen(thing) {
    const r = thing.rect ? place(thing) : thing, c = canvas.getBoundingClientRect();
    return { x: c.left + (r.x - state.x) * state.z, y: c.top + (r.y - state.y) * state.z, w: r.w * state.z, h: r.h * state.z };
  },
});
readColours();
showOrder(-1);
colourBy(MEASURES.diff.there ? "diff" : MEASURES.grad.there && boxes.length > 30 ? "grad" : "kind");
fit(true);
shades.addEventListener("change", () => (readColours(), legend(), redraw()));
new ResizeObserver(redraw).observe(canvas);
addEventListener("resize", () => (redraw(), movie.on && drawCurve()));
page.ready = performance.now();
