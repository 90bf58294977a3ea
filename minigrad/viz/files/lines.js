// -- lines -----------------------------------------------------------------------------------------------------------------------------
/** Add a line to a path: straight along rows and columns, curved in between. */
function trail(line, path) {
  const p = line.points;
  path.moveTo(p[0], p[1]);
  for (let k = 2; k < p.length; k += 2) {
    const [x0, y0, x1, y1] = p.slice(k - 2, k + 2);
    if (x0 === x1 || y0 === y1) path.lineTo(x1, y1);
    else path.bezierCurveTo(x0, (y0 + y1) / 2, x1, (y0 + y1) / 2, x1, y1);
  }
}
const ROLES = { data: "edge", grad: "backward", saved: "edge", accum: "param" };
function paintLine(line, g) {
  if ((line.bottom - line.top + line.right - line.left) * state.z < 3) return;
  const hot = lit && touches(line, g, lit), role = line.role;
  let wide = 1.3 + Math.min(Math.log2(line.count) * 0.5, 2);
  let colour = role === "grad" && line.lane > 1 ? css.second : css[ROLES[role] || "edge"];
  if (role === "grad") colour = mix(css.ground, colour, 0.75);
  if (state.mode === "grad" && role !== "saved") {
    const value = flowOf(line);
    const share = Math.min(Math.max(MEASURES.grad.share(value), 0), 1);
    if (value > 0) [wide, colour] = [1 + 5 * share, mix(ramp(stops(MEASURES.grad), share), css.muted, 0.25)];
  }
  const alpha = Math.min(line.ends[0] ? fade(line.ends[0]) : 1, line.ends[1] ? fade(line.ends[1]) : 1) * (lit && !hot ? 0.45 : 1);
  if (state.z < 0.25 && !hot) { // from far away all lines of a colour are drawn at once
    colour = mix(css.ground, colour, alpha);
    if (!thin.has(colour)) thin.set(colour, new Path2D());
    return trail(line, thin.get(colour));
  }
  ink.globalAlpha = alpha;
  if (hot) [wide, colour] = [Math.max(wide, 2.4), hot === "in" ? css.forward : css.output];
  ink.strokeStyle = colour;
  ink.lineWidth = Math.max(wide, 0.7 / state.z);
  if (role === "saved") ink.setLineDash([2, 3]);
  ink.beginPath();
  trail(line, ink);
  ink.stroke();
  ink.setLineDash([]);
  if (state.z > 0.3) arrow(line, colour, wide);
  ink.globalAlpha = 1;
}
function arrow(line, colour, wide) {
  const p = line.points, n = p.length, [tx, ty, fx, fy] = line.up ? [p[0], p[1], p[2], p[3]] : [p[n - 2], p[n - 1], p[n - 4], p[n - 3]];
  const end = line.ends[line.up ? 0 : 1];
  if (!end || (end.sum && isOpen(end))) return; // the line goes on there
  const size = 5 + wide, dx = fy === ty ? Math.sign(tx - fx) : 0, dy = dx ? 0 : Math.sign(ty - fy);
  ink.fillStyle = colour;
  ink.beginPath();
  ink.moveTo(tx, ty);
  ink.lineTo(tx - dx * size - dy * size * 0.5, ty - dy * size - dx * size * 0.5);
  ink.lineTo(tx - dx * size + dy * size * 0.5, ty - dy * size + dx * size * 0.5);
  ink.fill();
}
/** The gradient that a line carries: that of the value at its upper end; where only the lower end is a box, the gradient there. */
function flowOf({ ends: [a, b] }) {
  const box = a && !a.sum ? a : b && !b.sum ? b : null, group = a || b;
  return (box ? norm(box) : group && group.sum.flow) || 0;
}
/** How strongly something is drawn: what a search, an order or the movie's moment leaves out is pale. */
function fade(thing) {
  const isGroup = Boolean(thing.sum);
  if (movie.on && thing === movie.face) return 1;
  if (state.order >= 0 && !(isGroup ? thing.sum.orders & (1 << state.order) : thing.order === state.order || isLeaf(thing))) return 0.13;
  if (state.hits && !(isGroup ? thing.found === state.hits : state.hits.has(thing.id))) return 0.25;
  if (movie.on && (isGroup ? thing.sum.first : movie.born[thing.id]) > movie.t) return 0.22;
  return 1;
}
/** Whose lines are to stand out: those of what is selected, or of what the movie has come to. */
function spotlight() {
  const box = movie.on ? movie.face : state.selected && !state.selected.sum ? state.selected : null;
  return box ? { box, into: box.inputs.slice(0, 60), from: box.users.slice(0, 60) } : null;
}
/** Whether an end of a line in a group is a box, or hides it. */
const holds = (end, g, box) => (end === null ? !within(box, g) : end.sum ? within(box, end) : end === box);
/** "in" or "out" if a line is one of those, else "". */
function touches(line, g, light) {
  const [a, b] = line.ends, self = [holds(a, g, light.box), holds(b, g, light.box)];
  if (self[0] === self[1]) return "";
  const other = self[0] ? b : a;
  for (const [list, key, word] of [[light.into, "src", "in"], [light.from, "dst", "out"]])
    for (const edge of list) if ((!line.role || line.role === edge.role) && holds(other, g, boxes[edge[key]])) return word;
  return "";
}
