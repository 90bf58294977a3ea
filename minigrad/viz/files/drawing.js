// -- the canvas ------------------------------------------------------------------------------------------------------------------------
const canvas = $("view"), ink = canvas.getContext("2d");
const state = { x: 0, y: 0, z: 1, mode: "kind", order: -1, selected: null, hits: null };
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif';
const widths = new Map();
/** How wide a text is drawn at a height of 100, measured once. */
function wide(text, bold) {
  const key = bold + text;
  if (!widths.has(key)) {
    ink.font = `${bold}100px ${FONT}`;
    widths.set(key, ink.measureText(text).width);
  }
  return widths.get(key);
}
/** Write as much of a text as fits, letters a little narrower where that helps; a halo makes lines give way. Returns its width. */
function write(text, x, y, room, size, colour, bold = "", halo = "") {
  let width = 0.58 * size * text.length; // texts that are short for their room need not be measured
  if (width > room * 0.8) width = (wide(text, bold) * size) / 100;
  if (width > room * 1.2) {
    text = text.slice(0, Math.max(Math.floor((room / width) * 1.1 * text.length) - 1, 0)) + "\u2026";
    if (text.length < 4) return 0;
    width = room + 1;
  }
  ink.font = `${bold}${size}px ${FONT}`;
  const fit = width > room ? [room] : [];
  if (halo) {
    ink.lineWidth = 5;
    ink.strokeStyle = halo;
    ink.strokeText(text, x, y, ...fit);
  }
  ink.fillStyle = colour;
  ink.fillText(text, x, y, ...fit);
  return Math.min(width, room);
}
let labels, signs, flat, thin, lit, view, cost = 0;

/** Draw what the window shows of the graph; what is too small to be read becomes a patch of colour, all patches of a colour at once. */
function draw() {
  const begin = performance.now(), ratio = devicePixelRatio || 1, { x, y, z } = state;
  if (canvas.width !== Math.round(canvas.clientWidth * ratio) || canvas.height !== Math.round(canvas.clientHeight * ratio)) {
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
  }
  ink.setTransform(1, 0, 0, 1, 0, 0);
  ink.fillStyle = css.ground;
  ink.fillRect(0, 0, canvas.width, canvas.height);
  ink.setTransform(ratio * z, 0, 0, ratio * z, -x * z * ratio, -y * z * ratio);
  view = { left: x, top: y, right: x + canvas.clientWidth / z, bottom: y + canvas.clientHeight / z };
  labels = [];
  signs = [];
  flat = new Map();
  thin = new Map();
  lit = spotlight();
  arrange();
  paintInside(groups[0], 0);
  for (const [colour, lines] of thin) {
    ink.strokeStyle = colour;
    ink.lineWidth = 0.8 / z;
    ink.stroke(lines);
  }
  for (const [colour, rects] of flat) {
    ink.fillStyle = colour;
    ink.beginPath();
    for (let k = 0; k < rects.length; k += 4) ink.rect(rects[k], rects[k + 1], rects[k + 2], rects[k + 3]);
    ink.fill();
  }
  for (const [alpha, ...sign] of signs) {
    ink.globalAlpha = alpha;
    badge(...sign);
  }
  ink.globalAlpha = 1;
  if (movie.on) paintFlow();
  ink.setTransform(ratio, 0, 0, ratio, 0, 0);
  paintLabels();
  drawMap();
  cost = performance.now() - begin;
}
const unseen = (x, y, w, h) => x > view.right || y > view.bottom || x + w < view.left || y + h < view.top;

/** What an open group holds, or a closed fold shows: lines first, so that boxes lie over them. */
function paintInside(g, depth) {
  for (const line of g.lines)
    if (!unseen(line.left - 8, line.top - 8, line.right - line.left + 16, line.bottom - line.top + 16)) paintLine(line, g);
  for (const thing of g.shown) {
    const { x, y, w, h } = thing.rect;
    if (unseen(x - 8, y - 8, w + 16, h + 16)) continue;
    if (thing.text !== undefined) paintNote(thing);
    else if (!thing.sum) paintBox(thing, thing.rect);
    else if (thing.open || thing.kind === "fold") paintFrame(thing, thing.rect, depth);
    else paintClosed(thing, thing.rect);
  }
  ink.globalAlpha = 1;
}
function paintFrame(g, { x, y, w, h }, depth) {
  if (g.kind === "fold" && !g.open) { // its first member stands for all: others show as edges behind it
    const top = w * state.z > 14 ? 2 : 0;
    for (let k = top; k > 0; k--) card(x + k * 4, y + k * 4, w - STACK, h - STACK, mix(css.surface, css.ground, 0.5), css.line);
    paintInside(g, depth);
    const turn = movie.on ? turnOf(g, boxes[movie.now]) : 0;
    if (turn) ring(x, y, w - STACK, h - STACK, css[movie.colour], true);
    strip(g, x, y + h - STACK + 1, w - STACK);
    g.knob = badge(turn ? `${turn} of ${g.count}` : `\u00d7${g.count}`, x + w - STACK - 6, y + 2, turn ? css[movie.colour] : css.accent);
    if (state.selected === g) ring(x, y, w, h, css.accent);
    return;
  }
  if (Math.min(w, h) * state.z < 7) return patch(mix(css.ground, css.edge, 0.5 * fade(g)), x, y, w, h);
  ink.globalAlpha = fade(g);
  const loud = g.kind === "scope" || g.kind === "fold";
  const fill = depth % 2 ? css.sunken : mix(css.sunken, css.surface, 0.55);
  card(x, y, w, h, fill, loud ? css.line : mix(css.line, css.ground, 0.4), 10, g.kind === "fold");
  paintInside(g, depth + 1);
  ink.globalAlpha = fade(g);
  const tall = letters(HEAD - 6), sign = g.parent.kind === "fold" && !g.parent.open ? 44 : 0; // room for the badge of a fold
  g.knob = tall ? { x, y, w: 12 + 1.3 * tall, h: HEAD } : null;
  if (tall) {
    const base = y + HEAD / 2 + tall * 0.42, used = write(`\u25be ${g.title}`, x + 10, base, w - 20, tall, css.ink, "600 ", fill);
    const room = w - 34 - used - sign;
    if (room > 30) write(g.note + (g.kind === "fold" ? ` \u00d7${g.count}` : ""), x + 18 + used, base, room, tall - 1, css.muted, "", fill);
  } else if (w * state.z > 34)
    labels.push({ text: g.title, x: x + 6 / state.z, y: y + 11 / state.z, room: w * state.z - 10 - sign, frame: true });
  if (state.selected === g) ring(x, y, w, h, css.accent);
  ink.globalAlpha = 1;
}
/** Under a closed fold the colours of all its members, one beside the other. */
function strip(g, x, y, w) {
  if (!MEASURES[state.mode].stops) return;
  g.items.forEach((item, k) => {
    ink.fillStyle = item.sum ? fillOf(item, true) : fillOf(item[0], false);
    ink.fillRect(x + (k * w) / g.items.length, y, w / g.items.length, Math.max(STACK, 4 / state.z));
  });
}
function paintClosed(g, { x, y, w, h }) {
  const fill = fillOf(g, true), alpha = fade(g);
  if (h * state.z < 8) return patch(fill === css.surface ? mix(css.surface, css.accent, 0.35) : mix(css.ground, fill, alpha), x, y, w, h);
  ink.globalAlpha = alpha;
  card(x, y, w, h, fill, state.selected === g ? css.accent : mix(css.line, css.muted, 0.45), 9);
  if (movie.on) progress(g, x, y, w, h);
  const tall = letters(h / 2.4);
  g.knob = tall ? { x, y, w: 12 + 1.3 * tall, h } : null;
  if (tall) {
    const dark = inkOn(fill), note = g.note && tall < 14;
    write("\u25b8", x + 8, y + h / 2 + tall * 0.36, 20, tall, dark);
    ink.textAlign = "center";
    write(g.title, x + w / 2, y + h / 2 + (note ? -2 : tall * 0.36), w - 40, tall, dark, "600 ");
    if (note) write(g.note, x + w / 2, y + h / 2 + 13, w - 40, 11, mix(dark, fill, 0.3));
    ink.textAlign = "left";
  } else labels.push({ text: g.title, x: x + w / 2, y: y + h / 2, room: w * state.z - 4, high: h * state.z, fill });
  if (state.selected === g) ring(x, y, w, h, css.accent);
  if (g.sum.trouble && state.mode === "grad") signs.push([alpha, `${g.sum.trouble} !`, x + w - 4, y - 1, css.bad]);
}
function paintBox(box, { x, y, w, h }) {
  const fill = fillOf(box, false), alpha = fade(box), kind = css[family(box)], high = h * state.z, plain = fill === css.surface;
  if (high < 8) return patch(mix(css.ground, plain || state.mode === "kind" ? kind : fill, plain ? 0.75 * alpha : alpha), x, y, w, h);
  ink.globalAlpha = alpha;
  const leaf = isLeaf(box), radius = leaf ? Math.min(h / 2, 11) : 6;
  card(x, y, w, h, fill, state.mode === "kind" && (leaf || box.kind === "output") ? kind : mix(css.line, css.muted, 0.25), radius);
  if (!leaf && state.mode === "kind") {
    ink.fillStyle = kind;
    ink.beginPath();
    ink.roundRect(x, y, 5, h, [6, 0, 0, 6]);
    ink.fill();
  }
  if (movie.on) heldMark(box, x, y, w, h);
  const tall = letters((h - chipsHigh(box)) * 0.6);
  if (tall) {
    const dark = inkOn(fill), left = leaf ? x + 8 : x + 11, room = w - (left - x) - 6, high = Math.max(tall * 1.2, LINE);
    const lines = letters(11) ? box.lines.slice(0, Math.max(1, Math.floor((h - chipsHigh(box)) / high))) : box.lines.slice(0, 1);
    lines.forEach((text, k) => {
      const base = y + (h - chipsHigh(box)) / 2 + tall * 0.34 + high * (k - (lines.length - 1) / 2);
      write(text, left, base, room, k ? Math.min(tall, 11) : tall, k ? mix(dark, fill, 0.34) : dark, k ? "" : "600 ");
    });
  }
  (box.chips || []).forEach((id, k) => paintChip(boxes[id], x + 11, y + h - (box.chips.length - k) * CHIP - 3, w - 17, fill));
  const wrong = trouble(box);
  if (wrong && high > 12) signs.push([alpha, box === firstBad ? "first NaN" : wrong, x + w - 4, y - 1, css.bad]);
  const what = change.get(box.id);
  if (what && high > 12) signs.push([alpha, { added: "+", removed: "\u2212", changed: "\u2260" }[what], x + w - 4, y - 1, css[what]]);
  if (state.hits?.has(box.id)) ring(x, y, w, h, css.input);
  if (movie.on && movie.face === box) ring(x, y, w, h, css[movie.colour], true);
  if (state.selected === box) ring(x, y, w, h, css.accent);
}
/** Height of letters that can be read on the screen, and have so much room; 0 if none can. */
function letters(room) {
  const tall = Math.max(12, 9 / state.z);
  return tall <= Math.max(room, 12) && tall * state.z > 6.5 ? tall : 12 * state.z > 7 ? 12 : 0;
}
const chipsHigh = (box) => (box.chips ? box.chips.length * CHIP : 0);
function paintChip(box, x, y, w, on) {
  const measure = MEASURES[state.mode], empty = measure.stops && measure.box(box) === undefined;
  const fill = empty ? on : state.mode === "kind" ? mix(css.surface, css[box.kind], 0.22) : fillOf(box, false);
  ink.beginPath();
  ink.roundRect(x, y, w, CHIP - 3, (CHIP - 3) / 2);
  ink.fillStyle = fill;
  ink.fill();
  ink.lineWidth = 1;
  ink.strokeStyle = state.mode === "kind" ? fill : mix(fill, inkOn(fill), 0.25);
  ink.stroke();
  if (state.selected === box) ring(x, y, w, CHIP - 3, css.accent);
  if (10 * state.z < 6) return;
  write(box.lines[0] || box.name, x + 7, y + CHIP - 7, w - 12, 10, state.mode === "kind" ? mix(css.ink, css[box.kind], 0.35) : inkOn(fill));
}
function paintNote({ text, rect }) {
  const x = rect.x + rect.w / 2, y = rect.y + rect.h / 2;
  if (10 * state.z < 6) return;
  ink.textAlign = "center";
  write(text, x, y + 4, 400, 11, css.muted, "italic ", css.ground);
  ink.textAlign = "left";
}
function card(x, y, w, h, fill, stroke, radius = 8, dashed = false) {
  ink.beginPath();
  ink.roundRect(x, y, w, h, Math.min(radius, w / 2, h / 2));
  ink.fillStyle = fill;
  ink.fill();
  ink.strokeStyle = stroke;
  ink.lineWidth = Math.max(1, 0.6 / state.z);
  if (dashed) ink.setLineDash([5, 4]);
  ink.stroke();
  ink.setLineDash([]);
}
/** Remember something that is too small for more than its colour. */
function patch(colour, x, y, w, h) {
  if (!flat.has(colour)) flat.set(colour, []);
  flat.get(colour).push(x, y, Math.max(w, 1 / state.z), Math.max(h, 1 / state.z));
}
function ring(x, y, w, h, colour, glow = false) {
  const before = ink.globalAlpha, wide = Math.max(2.5, 2 / state.z);
  ink.globalAlpha = glow ? 0.35 : 1;
  ink.strokeStyle = colour;
  for (const k of glow ? [3, 1] : [1]) {
    ink.lineWidth = wide * k;
    ink.beginPath();
    ink.roundRect(x - wide / 2, y - wide / 2, w + wide, h + wide, 8);
    ink.stroke();
    ink.globalAlpha = 1;
  }
  ink.globalAlpha = before;
}
/** A small sign at a corner; returns where it is, so that it can be clicked. */
function badge(text, right, top, colour) {
  const k = Math.max(1, 0.8 / state.z); // no smaller than can be read
  if (k > 4) return null;
  ink.font = `600 ${10 * k}px ${FONT}`;
  const w = ink.measureText(text).width + 10 * k;
  ink.fillStyle = colour;
  ink.beginPath();
  ink.roundRect(right - w, top - 7 * k, w, 14 * k, 7 * k);
  ink.fill();
  ink.fillStyle = inkOn(colour);
  ink.fillText(text, right - w + 5 * k, top + 3.5 * k);
  return { x: right - w, y: top - 7 * k, w, h: 14 * k };
}
/** Names of what is too small to carry its own, as on a map: the outermost first, none over another. */
function paintLabels() {
  const taken = [];
  for (const label of labels) {
    const w = Math.min(wide(label.text, "600 ") * 0.12, label.room), y = (label.y - state.y) * state.z;
    const x = (label.x - state.x) * state.z - (label.frame ? 0 : w / 2);
    if (label.high < 12 || w < 20 || taken.length > 400) continue;
    if (taken.some((t) => x < t[0] + t[2] + 4 && t[0] < x + w + 4 && Math.abs(y - t[1]) < 15)) continue;
    taken.push([x, y, w]);
    if (label.frame) {
      ink.globalAlpha = 0.85;
      ink.fillStyle = css.ground;
      ink.beginPath();
      ink.roundRect(x - 4, y - 8, w + 8, 16, 5);
      ink.fill();
      ink.globalAlpha = 1;
    }
    write(label.text, x, y + 4, w, 12, label.frame ? css.ink : inkOn(label.fill), "600 ");
  }
}

// -- the map ---------------------------------------------------------------------------------------------------------------------------
/** All of the graph in a corner, and what of it the window shows; only where that is not all. */
function drawMap() {
  const map = $("map"), pen = map.getContext("2d"), ratio = devicePixelRatio || 1, { w, h } = groups[0].rect;
  const all = view.left <= 0 && view.top <= 0 && view.right >= w && view.bottom >= h;
  map.hidden = all;
  if (all) return;
  map.width = map.clientWidth * ratio;
  map.height = map.clientHeight * ratio;
  const s = Math.min((map.width - 12) / w, (map.height - 12) / h);
  pen.setTransform(s, 0, 0, s, (map.width - w * s) / 2, (map.height - h * s) / 2);
  const patches = (g, depth) => {
    for (const thing of g.shown) {
      const r = thing.rect;
      if (r.w * s < 0.7 && r.h * s < 0.7) continue;
      if (thing.sum) pen.fillStyle = mix(css.surface, css.edge, thing.open ? 0.25 : 0.6);
      else pen.fillStyle = thing.text !== undefined ? css.surface : mix(css.surface, css[family(thing)], 0.8);
      pen.fillRect(r.x, r.y, Math.max(r.w, 1 / s), Math.max(r.h, 1 / s));
      if (thing.sum && depth < 6) patches(thing, depth + 1);
    }
  };
  patches(groups[0], 0);
  pen.strokeStyle = css.accent;
  pen.lineWidth = (1.5 * ratio) / s;
  pen.strokeRect(view.left, view.top, view.right - view.left, view.bottom - view.top);
}
