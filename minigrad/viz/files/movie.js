// -- the movie: forward, then backward, in the order of births ------------------------------------------------------------------------
const movie = { on: false, playing: false, t: 0, now: 0, flow: 0, colour: "forward", born: null };
/** What happens when, and how many bytes are kept at each moment. A graph without a backward pass is walked back along its own edges. */
function rehearse() {
  const mirrored = boxes.some((b) => b.order > 0), ops = boxes.filter((b) => !isLeaf(b));
  /** A leaf is given its gradient as soon as it is there. */
  const when = (b) => (b.op === "grad" && b.inputs.length ? Math.max(...b.inputs.map((edge) => edge.src)) + 0.5 : b.id);
  ops.sort((a, b) => when(a) - when(b));
  const back = mirrored ? [] : [...boxes].reverse();
  movie.events = [...ops.map((b) => [b.id, b.order]), ...back.map((b) => [b.id, 1])];
  movie.mirrored = mirrored;
  movie.forth = ops.length;
  movie.born = new Float64Array(boxes.length).fill(-1);
  movie.done = new Float64Array(boxes.length).fill(Infinity);
  movie.live = new Float64Array(movie.events.length);
  for (const g of groups) g.sum.first = Infinity;
  movie.events.forEach(([id, order], t) => {
    if (t < ops.length) movie.born[id] = t;
    if (mirrored && order > 0 && boxes[id].pair >= 0) movie.done[boxes[id].pair] = t;
    else if (t >= ops.length) movie.done[id] = t;
    for (let g = homeOf(boxes[id]); g && g.sum.first === Infinity; g = g.parent) g.sum.first = t;
  });
  const freed = new Float64Array(movie.events.length);
  for (const b of boxes) if (isFinite(movie.done[b.id])) freed[movie.done[b.id]] += b.saved_bytes;
  let live = 0;
  movie.events.forEach(([id], t) => {
    if (t < ops.length) live += boxes[id].saved_bytes;
    movie.live[t] = live;
    live -= freed[t];
  });
  movie.turn = movie.events.findIndex(([, order]) => order > 0);
  $("moment").max = movie.events.length - 1;
}
function startMovie(on = !movie.on) {
  if (on && !movie.born) rehearse();
  if (movie.on === on) return;
  const r = whole(), all = view.left <= 0 && view.top <= 0 && view.right >= r.w && view.bottom >= r.h;
  movie.on = on;
  $("movie").hidden = !on;
  $("play-toggle").setAttribute("aria-pressed", on);
  if (on) moment(movie.t, false);
  else play(false);
  legend();
  if (all) fit();
  redraw();
}
/** Show a moment: the how many-th event, and how far it has come. */
function moment(t, follow = true) {
  movie.t = Math.min(Math.max(t, 0), movie.events.length - 1);
  const at = Math.floor(movie.t), [id, order] = movie.events[at], box = boxes[id], n = movie.events.length;
  [movie.now, movie.flow, movie.colour] = [id, movie.t - at, ["forward", "backward"][order] || "second"];
  movie.back = at >= movie.forth;
  movie.face = standIn(box);
  if (Math.floor($("moment").valueAsNumber) !== at) $("moment").value = at;
  const place = pathOf(box) ? ` \u00b7 ${pathOf(box)}` : "";
  $("caption").replaceChildren(el("b", passOf(order)), ` \u00b7 ${at + 1} of ${n} \u00b7 `, el("b", titleOf(box)),
    ` ${box.shape}${place} \u00b7 ${size(movie.live[at])} held`);
  drawCurve();
  if (follow && movie.on) followMovie(movie.face);
  redraw();
}
function followMovie(box) {
  const r = place(box), x = (r.x + r.w / 2 - state.x) * state.z, y = (r.y + r.h / 2 - state.y) * state.z;
  const w = canvas.clientWidth, h = canvas.clientHeight;
  if (x > 20 && y > 20 && x < w - 20 && y < h - 20) return;
  fly({ z: state.z, x: r.x + r.w / 2 - w / state.z / 2, y: r.y + r.h / 2 - h / state.z / 2 });
}
function play(on = !movie.playing) {
  movie.playing = on;
  $("play").textContent = on ? "\u275a\u275a" : "\u25b6";
  $("play").setAttribute("aria-label", on ? "Pause" : "Play");
  if (!on) return;
  if (movie.t >= movie.events.length - 1) movie.t = 0;
  let last = performance.now();
  const pace = Math.max(movie.events.length / 40, 1.5); // steps a second, so that no movie takes longer than 40 s
  const frame = (now) => {
    if (!movie.playing) return;
    moment(movie.t + ((now - last) / 1000) * pace * Number($("speed").value));
    last = now;
    if (movie.t >= movie.events.length - 1) play(false);
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}
/** Bytes kept for the way back at each moment, the moment marked. */
function drawCurve() {
  const c = $("curve"), pen = c.getContext("2d"), ratio = devicePixelRatio || 1;
  const w = c.clientWidth, h = c.clientHeight, n = movie.live.length;
  c.width = w * ratio;
  c.height = h * ratio;
  pen.scale(ratio, ratio);
  const most = movie.live.reduce((a, b) => Math.max(a, b), 0), peak = movie.live.indexOf(most), turn = movie.turn < 0 ? n - 1 : movie.turn;
  const x = (t) => 8 + ((w - 16) * t) / Math.max(n - 1, 1), y = (v) => h - 3 - ((h - 16) * v) / (most || 1);
  for (const [from, to, name] of [[0, turn, "forward"], [turn, n - 1, "backward"]]) {
    pen.beginPath();
    pen.moveTo(x(from), y(0));
    const skip = Math.max(1, Math.floor(n / w / 2));
    for (let t = Math.ceil(from); t <= to; t += skip) pen.lineTo(x(t), y(movie.live[t]));
    pen.lineTo(x(to), y(movie.live[to]));
    pen.lineTo(x(to), y(0));
    pen.fillStyle = mix(css.surface, css[name], 0.3);
    pen.fill();
    pen.fillStyle = css[name];
    pen.font = `600 10px ${FONT}`;
    pen.textAlign = name === "forward" ? "left" : "right";
    pen.fillText(movie.turn < 0 && name === "backward" ? "" : name, name === "forward" ? 8 : w - 8, 10);
  }
  pen.textAlign = peak > n * 0.8 ? "right" : peak < n * 0.2 ? "left" : "center";
  pen.fillStyle = css.muted;
  if (most) pen.fillText(`most ${size(most)}`, x(peak), 10);
  pen.fillStyle = css.ink;
  pen.fillRect(x(movie.t) - 0.75, 2, 1.5, h - 4);
  pen.beginPath();
  pen.arc(x(movie.t), y(movie.live[Math.floor(movie.t)]), 4, 0, 7);
  pen.fillStyle = css[movie.colour];
  pen.fill();
}

// -- the movie on the graph -----------------------------------------------------------------------------------------------------------
/** Whether a box still keeps memory for the way back: a full dot; a hollow one once it is let go. */
function heldMark(box, x, y, w, h) {
  if (!box.saved_bytes || movie.born[box.id] > movie.t) return;
  const held = movie.done[box.id] > movie.t;
  ink.beginPath();
  ink.arc(x + w - 1, y + 1, 4.5, 0, 7);
  ink.lineWidth = 1.5;
  ink.strokeStyle = held ? css.surface : css.edge;
  ink.fillStyle = held ? css.accent : css.surface;
  ink.fill();
  ink.stroke();
}
/** How far the movie has come in a closed group, forward above and backward below. */
function progress(g, x, y, w, h) {
  const count = { forward: [0, 0], backward: [0, 0] };
  for (const box of g.members ??= boxes.filter((b) => within(b, g))) {
    const pass = count[box.order ? "backward" : "forward"];
    pass[0] += movie.born[box.id] <= movie.t;
    pass[1] += 1;
    if (!movie.mirrored) {
      count.backward[0] += movie.done[box.id] <= movie.t;
      count.backward[1] += 1;
    }
  }
  Object.entries(count).forEach(([name, [done, all]], k) => {
    ink.fillStyle = css[name];
    if (all) ink.fillRect(x + 8, y + h - 6.5 + 3 * k, ((w - 16) * done) / all, 2);
  });
  if (within(movie.face, g)) ring(x, y, w, h, css[movie.colour], true);
}
/** The how many-th member of a fold a box is in, members of folds in it counted one by one; 0: none. */
function turnOf(g, box) {
  let before = 0;
  for (const item of g.items) {
    if (item.sum ? within(box, item) : item.includes(box)) return before + (item.kind === "fold" ? turnOf(item, box) : 1);
    before += item.kind === "fold" ? item.count : 1;
  }
  return 0;
}
/** Dots that run along the lines of what is happening. */
function paintFlow() {
  if (!lit) return;
  ink.fillStyle = css[movie.colour];
  for (const g of groups)
    if (g.stamp === stamp && g.open)
      for (const line of g.lines) {
        if (touches(line, g, lit) !== (movie.back ? "out" : "in")) continue;
        const count = Math.min(Math.max(Math.round(((line.bottom - line.top + line.right - line.left) * state.z) / 45), 1), 8);
        for (let k = 0; k < count; k++) {
          const share = (movie.flow + k) / count;
          const [x, y] = along(line.points, line.up === movie.back ? share : 1 - share);
          ink.beginPath();
          ink.arc(x, y, Math.max(4, 3 / state.z), 0, 7);
          ink.fill();
        }
      }
}
/** The point after a share of a line's length. */
function along(p, share) {
  let long = 0;
  const parts = [];
  for (let k = 2; k < p.length; k += 2) parts.push((long += Math.hypot(p[k] - p[k - 2], p[k + 1] - p[k - 1])));
  const k = Math.max(parts.findIndex((end) => end >= share * long), 0), n = 2 * k, from = k ? parts[k - 1] : 0;
  const t = (share * long - from) / (parts[k] - from || 1);
  return [p[n] + (p[n + 2] - p[n]) * t, p[n + 1] + (p[n + 3] - p[n + 1]) * t];
}
