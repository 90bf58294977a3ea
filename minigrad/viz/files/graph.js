"use strict";
// What was recorded, and where it stands. Python has put everything in order; what is left to do here is arithmetic: an opened module
// pushes what comes after it. Nothing is fetched, nothing is stored.
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("graph").textContent);

/** The rows of a table that was sent by column. A column is a list, or the one value that all rows have; words were sent once. */
function rows({ count, columns, words }) {
  const names = Object.keys(columns), inWords = new Set(words);
  return Array.from({ length: count }, (_, id) => {
    const row = { id };
    for (const name of names) {
      const value = Array.isArray(columns[name]) ? columns[name][id] : columns[name];
      row[name] = inWords.has(name) ? data.words[value] : value;
    }
    return row;
  });
}
const boxes = rows(data.boxes), edges = rows(data.edges), scopes = rows(data.scopes);
const blocks = data.blocks.map(({ cells, lines, ...rest }) => ({
  ...rest,
  cells: cells.map(([kind, at, left, right, height, lanes, rects, text]) => ({ kind, at, left, right, height, lanes, rects, text })),
  lines: lines.map(([path, role, up, count]) => ({ path, role, up, count })),
}));
for (const box of boxes) {
  box.inputs = [];
  box.users = [];
  if (box.pair >= 0) (boxes[box.pair].mates ??= []).push(box); // the ops of its gradient
  box.lines = box.lines ? box.lines.split("\n") : [];
}
for (const edge of edges) {
  boxes[edge.dst].inputs.push(edge);
  boxes[edge.src].users.push(edge);
}
for (const [op, leaves] of data.chips) {
  boxes[op].chips = leaves;
  for (const id of leaves) boxes[id].host ??= boxes[op];
}
const groups = rows(data.groups);
for (const g of groups) {
  g.items = data.items[g.id].map((item) => (Array.isArray(item) ? item.map((id) => boxes[id]) : groups[item]));
  g.parent = g.parent < 0 ? null : groups[g.parent];
  g.open = false;
  g.shown = [];
  g.lines = [];
  g.sum = { ops: 0, saved: 0, time: 0, logs: 0, flows: 0, flow: NaN, orders: 0, first: 0, bad: 0, trouble: 0 };
}
for (const g of groups) g.items.forEach((item, i) => (item.sum ? (item.at = i) : item.forEach((box, k) => (box.at = [i, k]))));
for (const id of data.open) groups[id].open = true;
groups[0].open = true;

const isLeaf = (box) => box.kind === "param" || box.kind === "input";
/** The group that something lies in; a leaf that is written into an op lies where the op does. */
const homeOf = (thing) => (thing.sum ? thing.parent : groups[(thing.host || thing).home]);
const within = (thing, g) => {
  for (let at = thing.sum ? thing : homeOf(thing); at; at = at.parent) if (at === g) return true;
  return false;
};
/** What stands for something that is not seen: the op that it is written into, or the group that is closed over it. */
function shownAs(thing) {
  let at = thing.host || thing;
  while (at.stamp !== stamp && homeOf(at)) at = homeOf(at);
  return at;
}
/** The box that is seen in place of another: in a closed fold the same one of the fold's first member. */
function standIn(thing) {
  const box = thing.host || thing, home = homeOf(box), first = (g, i) => (g.kind === "fold" && !g.open ? 0 : i), path = [];
  for (let g = home; g.parent; g = g.parent) path.unshift(first(g.parent, g.at));
  const g = path.reduce((at, i) => at?.items?.[i], groups[0]);
  return g?.items?.[first(home, box.at[0])]?.[box.at[1]] || box;
}
const place = (thing) => shownAs(thing).rect;
const seen = () => [...boxes, ...groups].filter((thing) => thing.stamp === stamp && thing !== groups[0]);

// -- totals of groups ------------------------------------------------------------------------------------------------------------------
const norm = (box) => box.stats?.grad_norm ?? boxes[box.pair]?.stats?.grad_norm ?? (box.order > 0 ? box.stats?.norm : undefined);
for (const box of boxes) {
  const value = norm(box);
  for (let g = homeOf(box); g; g = g.parent) {
    const sum = g.sum;
    sum.ops += 1;
    sum.saved += box.saved_bytes;
    sum.time += box.time || 0;
    sum.orders |= 1 << box.order;
    if (value > 0 && !isLeaf(box) && box.op !== "grad") { // what flows through, not what ends here
      sum.logs += Math.log10(value);
      sum.flows += 1;
    }
  }
}
for (const g of groups) if (g.sum.flows) g.sum.flow = 10 ** (g.sum.logs / g.sum.flows);

// -- arithmetic: where everything is while some groups are open (the same as in arrangement.py) ---------------------------------------
const { PAD, HEAD, GAP_X, GAP_Y, STACK, CHANNEL, TRACK, WAY, LINE, CHIP } = data.sizes;
let stamp = 0, settled = false;

/** Give everything that is seen its place, unless nothing was opened or closed since the last time. */
function arrange() {
  if (settled) return;
  settled = true;
  stamp += 1;
  const root = groups[0], s = spread(root, true);
  root.rect = { x: 0, y: 0, w: s.left + s.right + 2 * PAD, h: s.height + 2 * PAD };
  root.stamp = stamp;
  lay(root, PAD + s.left, PAD);
}
/** Size of a group in its cell. A closed fold is as large as its first member and a shadow behind it. */
function sizeOf(g, cell, free) {
  let stack = 0;
  while (g.kind === "fold" && !g.open) {
    stack = STACK;
    g = g.items[0];
  }
  if (!g.open) return [cell.left, cell.right, cell.height];
  const s = spread(g, free), width = s.left + s.right + 2 * PAD;
  const [left, right] = free ? [s.left + PAD, s.right + PAD] : [cell.left, Math.max(width - cell.left, cell.right)];
  return [left, right + stack, s.height + HEAD + PAD + stack];
}
/** Push cells apart, put rows under each other, and columns of rows side by side. */
function spread(g, free) {
  const { cells, rows, columns, crossing } = blocks[g.block], [first, end] = columns[0];
  const edge = new Set(free ? rows.slice(first, end).map((row) => row[0]) : []);
  const sizes = cells.map((cell, i) => (g.items[i]?.sum ? sizeOf(g.items[i], cell, edge.has(i)) : [cell.left, cell.right, cell.height]));
  const xs = cells.map((cell) => cell.at), s = { xs, sizes, tops: [], heights: [], columns: [], left: 0, right: 0, height: 0 };
  const margin = crossing.length ? TRACK * (Math.max(...crossing.map((c) => c.length)) + 1) : 0;
  let offset = 0;
  columns.forEach(([from, to], c) => {
    let least = 0, greatest = 0, y = margin, last = null;
    for (const row of rows.slice(from, to)) {
      let end = null;
      for (const i of row) {
        if (end !== null) xs[i] = Math.max(xs[i], end + GAP_X + sizes[i][0]);
        end = xs[i] + sizes[i][1];
        least = Math.min(least, xs[i] - sizes[i][0]);
        greatest = Math.max(greatest, end);
      }
      const height = row.reduce((most, i) => Math.max(most, sizes[i][2]), 0);
      if (last !== null) y += Math.min(last, height) > WAY ? GAP_Y : GAP_Y / 2; // rows of ports and of texts stand closer
      s.tops.push(y);
      s.heights.push(height);
      y += height;
      last = height;
    }
    if (c) {
      offset += CHANNEL + TRACK * crossing[c - 1].length - least;
      for (const row of rows.slice(from, to)) for (const i of row) xs[i] += offset;
    }
    s.columns.push([offset + greatest + CHANNEL / 2, margin, y]);
    if (!c) s.left = -least;
    s.right = offset + greatest;
    s.height = Math.max(s.height, y + margin);
    offset = s.right;
  });
  return (g.spread = s);
}
/** Put what an open group holds where it belongs; (x0, y0) is its axis at the top of its first row. */
function lay(g, x0, y0) {
  const block = blocks[g.block], { xs, sizes, tops, heights } = g.spread;
  g.shown = [];
  const rowOf = [], faces = [];
  block.rows.forEach((row, r) => row.forEach((i) => {
    rowOf[i] = r;
    const cell = block.cells[i], x = x0 + xs[i], y = y0 + tops[r];
    if (g.items[i]) faces[i] = settle(g.items[i], cell, g, x, y, sizes[i]);
    else if (cell.text) g.shown.push({ text: cell.text, rect: { x: x - cell.left, y, w: cell.left + cell.right, h: heights[r] } });
  }));
  const top = (r) => y0 + tops[r], bottom = (r) => y0 + tops[r] + heights[r];
  const columnOf = (r) => block.columns.findIndex(([from, to]) => r >= from && r < to);
  /** Where a line of a lane meets a cell: x, and y at the cell's upper and lower side. */
  const meet = (i, lane, side) => {
    const cell = block.cells[i], face = faces[i], x = x0 + xs[i] + cell.lanes[Math.min(lane, cell.lanes.length - 1)];
    if (i === block.top) return [x, g.rect.y, top(rowOf[i])]; // lines of the outside go on at the frame
    if (i === block.bottom) return [x, top(rowOf[i]), g.rect.y + g.rect.h];
    if (!face) return [x, top(rowOf[i]), bottom(rowOf[i])];
    if (face.sum) return [isOpen(face) ? portOf(face, lane, side) ?? x : x, face.rect.y, face.rect.y + face.rect.h];
    const mine = face.filter((box) => Math.abs(box.rect.x + box.rect.w / 2 - x) < 1);
    const rects = (mine.length ? mine : face).map((box) => box.rect);
    return [x, rects[0].y, rects[rects.length - 1].y + rects[rects.length - 1].h];
  };
  g.lines = block.lines.map((line, n) => {
    const p = [], { path } = line, go = (...xy) => {
      for (let k = 0; k < xy.length; k += 2) if (xy[k] !== p[p.length - 2] || xy[k + 1] !== p[p.length - 1]) p.push(xy[k], xy[k + 1]);
    };
    if (path.length === 2 && path[0][0] === path[1][0]) { // from an op to its gradient beside it
      const [a, b] = path.map(([i, lane]) => boxOf(g, i, lane, block).rect), y = Math.max(a.y, b.y) + Math.min(a.h, b.h) / 2;
      go(a.x + a.w, y, b.x, y);
    } else
      path.forEach(([i, lane], step) => {
        const r = rowOf[i], [x, upper, lower] = meet(i, lane, step ? "top" : "bottom");
        if (step) {
          const before = columnOf(rowOf[path[step - 1][0]]), after = columnOf(r);
          if (before !== after) { // down, along a track between the columns, and up to the top of the next
            const [channel, high, low] = g.spread.columns[before];
            const track = block.crossing[after - 1].findIndex(([m, k]) => m === n && k === step - 1);
            const cx = x0 + channel + TRACK * track, down = y0 + low + TRACK * (track + 1), up = y0 + high - TRACK * (track + 1);
            go(p[p.length - 2], down, cx, down, cx, up, x, up);
          }
          go(x, top(r), x, upper);
        }
        if (!faces[i]) go(x, upper, x, lower);
        if (step < path.length - 1) go(x, lower, x, bottom(r));
      });
    const ends = path.length && [path[0], path[path.length - 1]].map(([i, lane], k) => endOf(g, block, i, lane, k));
    return { ...line, lane: path[0][1], ends, points: p, left: min(p, 0), right: max(p, 0), top: min(p, 1), bottom: max(p, 1) };
  });
}
const min = (p, k) => p.reduce((least, v, i) => (i % 2 === k && v < least ? v : least), Infinity);
const max = (p, k) => p.reduce((most, v, i) => (i % 2 === k && v > most ? v : most), -Infinity);
/** Put an item into its cell: boxes, or a group, which may be a closed fold around its first member. Returns what lines meet. */
function settle(item, cell, g, x, y, [left, right, height]) {
  if (Array.isArray(item)) {
    item.forEach((box, k) => {
      const [rx, ry, w, h] = cell.rects[k];
      box.rect = { x: x + rx, y: y + ry, w, h };
      box.stamp = stamp;
      g.shown.push(box);
    });
    return item;
  }
  item.rect = { x: x - left, y, w: left + right, h: height };
  item.stamp = stamp;
  g.shown.push(item);
  item.shown = [];
  item.lines = [];
  if (item.kind === "fold" && !item.open) {
    const within = g.kind === "fold" && !g.open, less = within ? 0 : STACK; // of folds in folds only the outermost has a shadow
    return settle(item.items[0], cell, item, x, y, [left, right - less, height - less]);
  }
  if (item.open) lay(item, item.rect.x + PAD + item.spread.left, y + HEAD);
  return item;
}
/** Where, within an open group, a line of a lane comes in or goes out. */
function portOf(g, lane, side) {
  if (!g.open) return portOf(g.items[0], lane, side);
  const block = blocks[g.block], port = side === "top" ? block.top : block.bottom;
  if (port < 0) return undefined;
  const cell = block.cells[port];
  return g.rect.x + PAD + g.spread.left + g.spread.xs[port] + cell.lanes[Math.min(lane, cell.lanes.length - 1)];
}
/** The box of an item that stands in a lane. */
function boxOf(g, i, lane, block) {
  const cell = block.cells[i], x = cell.lanes[Math.min(lane, cell.lanes.length - 1)];
  let item = g.items[i];
  while (item.sum) item = item.items[0];
  return item.find((_, k) => Math.abs(cell.rects[k][0] + cell.rects[k][2] / 2 - x) < 1) || item[0];
}
/** A group that is open, or a closed fold that shows an open one. */
const isOpen = (g) => (g.kind === "fold" && !g.open ? Boolean(g.items[0].sum) && isOpen(g.items[0]) : g.open);
/** What a line ends at: a box, a group, or null: what is outside. A line that joins another line ends where that one does. */
function endOf(g, block, i, lane, k) {
  if (block.cells[i].kind === "port") return null;
  if (block.cells[i].kind === "way") {
    const bus = block.lines.find((other) => other.path.slice(1, -1).some(([j, l]) => j === i && l === lane));
    return bus ? endOf(g, block, ...bus.path[k ? bus.path.length - 1 : 0], k) : null;
  }
  return g.items[i].sum ? g.items[i] : boxOf(g, i, lane, block);
}
/** What lies under a point of the graph; of what overlaps the innermost. */
function under(x, y, g = groups[0]) {
  for (let k = g.shown.length - 1; k >= 0; k--) {
    const thing = g.shown[k], r = thing.rect;
    if (thing.text !== undefined || x < r.x || y < r.y || x > r.x + r.w || y > r.y + r.h) continue;
    if (thing.sum) return (thing.shown.length && under(x, y, thing)) || thing;
    const chip = Math.floor((y - (r.y + r.h - chipsHigh(thing) - 3)) / CHIP);
    return thing.chips && thing.chips[chip] !== undefined ? boxes[thing.chips[chip]] : thing;
  }
  return null;
}

// -- numbers for people ----------------------------------------------------------------------------------------------------------------
function short(v) {
  if (v === undefined || v === null) return "";
  return v === 0 ? "0" : Math.abs(v) >= 1e5 || Math.abs(v) < 1e-3 ? v.toExponential(2) : String(Number(v.toPrecision(4)));
}
function size(n) {
  let k = 0;
  for (; n >= 1024 && k < 4; k++) n /= 1024;
  return `${k && n < 10 ? n.toFixed(1) : Math.round(n)} ${["B", "KiB", "MiB", "GiB", "TiB"][k]}`;
}
function seconds(s) {
  return s >= 1 ? `${s.toFixed(2)} s` : s >= 1e-3 ? `${(s * 1e3).toFixed(2)} ms` : `${(s * 1e6).toFixed(1)} \u00b5s`;
}
