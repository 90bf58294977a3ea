/* Attention, float32. Whole heads: scores of a few queries are computed, become weights and meet the values while they are in the nearest
   cache, and are computed anew on the way back; arrays are read and written where they lie. And what NumPy's form needs between its
   products: scores become weights in place, and the way back. Long sums are made of blocks, added in double precision. */
#include "scores.h"

#include <math.h>
#define GRAIN 16384 /* scores for which a second thread pays */
enum { MANY = 64 }; /* logarithms at a time */

/* -- whole heads --------------------------------------------------------------------------------------------------- */
enum { PANEL = 2 * LANES, NEAR = 1 << 15, LONGEST = 192 }; /* columns; scores; queries */

static inline long lesser(long a, long b) { return a < b ? a : b; }

/* Where the rows of a head are: leading axes that are those of the scores. */
struct head {
    float *data;
    long strides[AXES], row, column;
};

/* The shape of a problem: rows of queries, as many keys as there are columns of scores, and how wide these and the values are. */
struct heads {
    struct scores s;
    long count, rows, keys, width, deep;
    struct head q, k, v, y;
    float *z;
};

static struct matrix rows_of(const struct heads *my, const struct head *o, long head) {
    struct matrix m = {o->data, o->row, o->column};
    for (long i = my->s.axes - 3; i >= 0; head /= my->s.shape[i], i--) m.at += head % my->s.shape[i] * o->strides[i];
    return m;
}

static struct matrix below(struct matrix m, long row) { return (struct matrix){m.at + row * m.row, m.row, m.column}; }
static struct matrix turned(struct matrix m) { return (struct matrix){m.at, m.column, m.row}; }

/* Whether o has the leading axes of the scores, and then these; if it is written to, its rows must have no gaps. */
static int is_head(struct head *to, const array *o, const struct scores *s, long rows, long columns, int written) {
    if (!is(o, FLOAT32) || o->axes != s->axes || o->shape[o->axes - 2] != rows || o->shape[o->axes - 1] != columns) return 0;
    for (long i = 0; i < o->axes; i++) {
        if (i < o->axes - 2 && o->shape[i] != s->shape[i]) return 0;
        to->strides[i] = o->strides[i] / 4;
    }
    to->data = F32(o), to->row = to->strides[o->axes - 2], to->column = to->strides[o->axes - 1];
    return !written || (o->flags & WRITEABLE && (columns == 1 || to->column == 1));
}

static int are_heads(struct heads *to, const array *q, const array *k, const array *v, const array *mask, const array *keep, const array *y,
                     const array *z, double scale, double gain, int causal, int forward) {
    if (!is(q, FLOAT32) || !is(k, FLOAT32) || !is(v, FLOAT32) || !is_ordered(z, FLOAT32) || (forward && !(z->flags & WRITEABLE))) return 0;
    if (q->axes < 2 || q->axes > AXES || k->axes != q->axes || v->axes != q->axes) return 0;
    const int row = q->axes - 2, column = q->axes - 1;
    *to = (struct heads){.count = 1, .rows = q->shape[row], .keys = k->shape[row], .width = q->shape[column], .deep = v->shape[column]};
    to->s = (struct scores){.scale = (float)scale, .gain = (float)gain, .columns = to->keys, .first = causal ? 0 : -1, .axes = q->axes};
    for (int i = 0; i < row; i++) to->count *= to->s.shape[i] = q->shape[i];
    to->s.shape[row] = to->rows, to->s.shape[column] = to->keys;
    if (!to->count || !to->rows || !to->keys || !to->width || !to->deep) return 0;
    to->z = F32(z);
    return is_head(&to->q, q, &to->s, to->rows, to->width, 0) && is_head(&to->k, k, &to->s, to->keys, to->width, 0) &&
           is_head(&to->v, v, &to->s, to->keys, to->deep, 0) && is_head(&to->y, y, &to->s, to->rows, to->deep, forward) &&
           follows(&to->s.mask, mask, q, &to->s, BOOL, FLOAT32) && follows(&to->s.keep, keep, q, &to->s, BOOL, BOOL) &&
           size(z) == to->count * to->rows;
}

/* Room for k rows of n columns in panels, and their packing, one panel after the other; `whole`: the last one is as wide as the others. */
static long panels_size(long k, long n) { return k * up(n, PANEL) * PANEL; }

static float *panelled(struct matrix b, long k, long n, float *to, int whole) {
    for (long j = 0; j < n; j += PANEL) {
        const long wide = n - j < PANEL ? n - j : PANEL;
        pack((struct matrix){b.at + j * b.column, b.row, b.column}, k, wide, to + j * k, whole ? PANEL : up(wide, LANES) * LANES);
    }
    return to + panels_size(k, n);
}

/* y = a b, with m rows: b are rows `from` to `end` of `deep` packed ones, which have n columns; the columns of a are as many. */
static void times(struct matrix a, long m, const float *b, long deep, long from, long end, float *y, long line, long n, int add, int whole) {
    const struct product p = {m, n, end - from, a, {0}, y, line, NULL, add, 0};
    for (long j = 0; j < n; j += PANEL) {
        const long wide = whole || n - j > PANEL ? PANEL : n - j;
        strip(&p, 0, m, j, wide, b + j * deep + from * up(wide, LANES) * LANES, 0, end - from);
    }
}

KERNEL(forward, struct heads my; long blocks; _Atomic int *failed;) {
    const struct heads *o = &my.my;
    const long width = o->width, line = up(o->keys, PANEL) * PANEL, deep = up(o->deep, LANES) * LANES;
    ROW(u, o->count * my.blocks) {
        const long head = u / my.blocks, first = u % my.blocks * LONGEST, end = lesser(first + LONGEST, o->rows), most = seen(&o->s, end - 1);
        float *k = panel_room(panels_size(width, most) + panels_size(most, deep) + TALL * (line + deep));
        if (!k) {
            *my.failed = 1;
            return;
        }
        const struct matrix of_q = rows_of(o, &o->q, head), of_y = rows_of(o, &o->y, head);
        float *v = panelled(turned(rows_of(o, &o->k, head)), width, most, k, 1);
        float *s = panelled(rows_of(o, &o->v, head), most, o->deep, v, 0), *means = s + TALL * line;
        for (long i = first; i < end; i += TALL) {
            const long m = lesser(end - i, TALL), sight = seen(&o->s, i + m - 1), r = head * o->rows + i;
            float tops[GROUP], totals[GROUP], by[GROUP];
            strands lane = {0};
            times(below(of_q, i), m, k, width, 0, width, s, line, sight, 0, 1);
            for (long l = 0; l < m; l++) {
                float *row = s + l * line;
                const long w = seen(&o->s, i + l), full = up(w, LANES) * LANES;
                finish(row, &o->s, r + l, w, full);
                lane[l] = *(const vector *)row;
                for (long j = LANES; j < full; j += LANES) lane[l] = greater(*(const vector *)(row + j), lane[l]);
            }
            fold(lane, tops, 1);
            for (int l = 0; l < GROUP; l++) tops[l] = tops[l] > -__builtin_inff() ? tops[l] : 0.0f; /* it sees nothing, or no numbers */
            for (long l = 0; l < m; l++) lane[l] = powers(s + l * line, NULL, tops[l], up(seen(&o->s, i + l), LANES) * LANES);
            fold(lane, totals, 0);
            COLUMNS(l, 0, GROUP) {
                totals[l] = totals[l] == 0 ? 1.0f : totals[l];
                by[l] = o->s.gain / totals[l];
                totals[l] = tops[l] + log_of(totals[l]);
            }
            memcpy(o->z + r, totals, (size_t)m * sizeof(float));
            for (long l = 0; l < m; l++) {
                float *restrict row = s + l * line;
                if (o->s.keep.data) {
                    const unsigned char *restrict kept = row_of(&o->s.keep, &o->s, r + l);
                    COLUMNS(j, 0, seen(&o->s, i + l)) row[j] *= kept[j] ? 1.0f : 0.0f;
                }
                for (long j = up(seen(&o->s, i + l), LANES) * LANES; j < sight; j++) row[j] = 0;
            }
            times((struct matrix){s, line, 1}, m, v, most, 0, sight, means, deep, deep, 0, 0);
            for (long l = 0; l < m; l++) {
                float *restrict y = (float *)below(of_y, i + l).at;
                const float *restrict from = means + l * deep, times = by[l];
                COLUMNS(j, 0, o->deep) y[j] = from[j] * times;
            }
        }
    }
}

ENTRY(scaled_dot_product_attention)(array *q, array *k, array *v, array *mask, array *keep, array *y, array *z, double scale, double gain,
                                    int causal) {
    struct heads of;
    if (!are_heads(&of, q, k, v, mask, keep, y, z, scale, gain, causal, 1)) return REFUSED;
    _Atomic int failed = 0;
    const long blocks = up(of.rows, LONGEST), units = of.count * blocks;
    LAUNCH(forward, units, 1 + GRAIN / (of.keys * (of.rows / blocks + 1)), of, blocks, &failed);
    return failed ? REFUSED : DONE;
}

/* The gradients of a head, y being that of its output: a block of queries after the other, from the last one on, which sees all that any query sees. */
KERNEL(backward, struct heads my; struct head dq, dk, dv; _Atomic int *failed;) {
    const struct heads *o = &my.my;
    const long keys = o->keys, width = o->width, deep = o->deep, line = up(keys, PANEL) * PANEL, rows = o->rows, most = seen(&o->s, rows - 1);
    const long block = lesser(NEAR / line < TALL ? TALL : lesser(NEAR / line, LONGEST) / TALL * TALL, up(rows, TALL) * TALL);
    const float scale = o->s.scale, gain = o->s.gain;
    ROW(head, o->count) {
        float *kt = panel_room(panels_size(width, most) + panels_size(deep, most) + panels_size(most, width) + panels_size(block, width) +
                               panels_size(block, deep) + 2 * block * line);
        if (!kt) {
            *my.failed = 1;
            return;
        }
        const struct matrix of_k = rows_of(o, &o->k, head), to_q = rows_of(o, &my.dq, head);
        float *vt = panelled(turned(of_k), width, most, kt, 1), *k = panelled(turned(rows_of(o, &o->v, head)), deep, most, vt, 1);
        float *q = panelled(of_k, most, width, k, 0), *g = q + panels_size(block, width), *s = g + panels_size(block, deep);
        float *d = s + block * line, *dk = (float *)rows_of(o, &my.dk, head).at, *dv = (float *)rows_of(o, &my.dv, head).at;
        for (long j = most; j < keys; j++) {
            for (long c = 0; c < width; c++) dk[j * my.dk.row + c] = 0;
            for (long c = 0; c < deep; c++) dv[j * my.dv.row + c] = 0;
        }
        for (long first = (rows - 1) / block * block; first >= 0; first -= block) {
            const long here = lesser(rows - first, block), last = first + block >= rows, sight = seen(&o->s, first + here - 1);
            const struct matrix of_q = below(rows_of(o, &o->q, head), first), of_g = below(rows_of(o, &o->y, head), first);
            panelled(of_q, here, width, q, 0);
            panelled(of_g, here, deep, g, 0);
            for (long i = 0; i < here; i += TALL) {
                const long m = lesser(here - i, TALL), wide = seen(&o->s, first + i + m - 1);
                float *scores = s + i * line, *slopes = d + i * line, means[GROUP];
                strands lane = {0};
                times(below(of_q, i), m, kt, width, 0, width, scores, line, wide, 0, 1);
                times(below(of_g, i), m, vt, deep, 0, deep, slopes, line, wide, 0, 1);
                for (long l = 0; l < m; l++) {
                    float *p = scores + l * line, *restrict e = slopes + l * line;
                    const long r = head * rows + first + i + l, w = seen(&o->s, first + i + l), full = up(w, LANES) * LANES;
                    finish(p, &o->s, r, w, full);
                    for (long j = w; j < full; j++) e[j] = 0; /* what lies ahead may be no number */
                    if (o->s.keep.data) {
                        const unsigned char *restrict kept = row_of(&o->s.keep, &o->s, r);
                        COLUMNS(j, 0, w) e[j] *= kept[j] ? gain : 0.0f;
                    }
                    lane[l] = powers(p, e, o->z[r], full);
                }
                fold(lane, means, 0);
                for (long l = 0; l < m; l++) {
                    float *restrict p = scores + l * line, *restrict e = slopes + l * line;
                    const long w = seen(&o->s, first + i + l), full = up(w, LANES) * LANES;
                    const float mean = means[l];
                    COLUMNS(j, 0, full) e[j] = p[j] * (e[j] - mean) * scale;
                    if (o->s.keep.data) {
                        const unsigned char *restrict kept = row_of(&o->s.keep, &o->s, head * rows + first + i + l);
                        COLUMNS(j, 0, w) p[j] *= kept[j] ? gain : 0.0f;
                    }
                    for (long j = full; j < wide; j++) p[j] = e[j] = 0;
                }
                times((struct matrix){slopes, line, 1}, m, k, most, 0, wide, (float *)below(to_q, first + i).at, my.dq.row, width, 0, 0);
            }
            for (long j = 0; j < sight; j += TALL) { /* the sums over queries: those that see some of these keys */
                const long m = lesser(sight - j, TALL), from = o->s.first < 0 || j < first ? 0 : j - first;
                times((struct matrix){d + from * line + j, 1, line}, m, q, here, from, here, dk + j * my.dk.row, my.dk.row, width, !last, 0);
                times((struct matrix){s + from * line + j, 1, line}, m, g, here, from, here, dv + j * my.dv.row, my.dv.row, deep, !last, 0);
            }
        }
    }
}

ENTRY(scaled_dot_product_attention_gradient)(array *g, array *q, array *k, array *v, array *mask, array *keep, array *z, array *dq,
                                             array *dk, array *dv, double scale, double gain, int causal) {
    struct heads of;
    struct head slopes[3];
    if (!are_heads(&of, q, k, v, mask, keep, g, z, scale, gain, causal, 0)) return REFUSED;
    if (!is_head(&slopes[0], dq, &of.s, of.rows, of.width, 1) || !is_head(&slopes[1], dk, &of.s, of.keys, of.width, 1) ||
        !is_head(&slopes[2], dv, &of.s, of.keys, of.deep, 1))
        return REFUSED;
    _Atomic int failed = 0;
    LAUNCH(backward, of.count, 1 + GRAIN / (of.keys * of.rows), of, slopes[0], slopes[1], slopes[2], &failed);
    return failed ? REFUSED : DONE;
}

/* -- between NumPy's products ------------------------------------------------------------------------------------- */
/* As many as are seen and some more, so that the instructions' lanes are full. */
static inline long filled(const struct scores *my, long w) {
    w = up(w, FULL) * FULL;
    return w < my->columns ? w : my->columns;
}

static int described(struct scores *to, const array *s, const array *mask, const array *keep, const array *z, double scale, double gain,
                     long first) {
    if (!is_ordered(s, FLOAT32) || s->axes < 2 || s->axes > AXES || !(s->flags & WRITEABLE) || !size(s)) return 0;
    *to = (struct scores){.scale = (float)scale, .gain = (float)gain, .first = first, .axes = s->axes, .columns = s->shape[s->axes - 1]};
    for (int i = 0; i < s->axes; i++) to->shape[i] = s->shape[i];
    return follows(&to->mask, mask, s, to, BOOL, FLOAT32) && follows(&to->keep, keep, s, to, BOOL, BOOL) && is_ordered(z, FLOAT32) &&
           size(z) * to->columns == size(s);
}

KERNEL(weights, struct scores my; float *s, *z; long rows;) {
    const struct scores *at = &my.my;
    const long n = at->columns;
    float tops[MANY], totals[MANY];
    long done = 0;
    ROW(r, my.rows) {
        float *restrict s = my.s + r * n;
        const long w = seen(at, r % at->shape[at->axes - 2]), end = filled(at, w);
        finish(s, at, r, w, end);
        double sum;
        const float top = exponentials(s, end, &sum);
        const float total = sum == 0 ? 1.0f : (float)sum, by = at->gain / total;
        if (at->keep.data) {
            const unsigned char *restrict k = row_of(&at->keep, at, r);
            COLUMNS(j, 0, end) s[j] *= k[j] ? by : 0.0f;
        } else {
            COLUMNS(j, 0, end) s[j] *= by;
        }
        for (long j = end; j < n; j++) s[j] = 0.0f * by; /* NaN, if the sum is */
        tops[done] = top, totals[done++] = total;
        if (done == MANY || r + 1 == r_end) {
            COLUMNS(j, 0, done) my.z[r + 1 - done + j] = tops[j] + log_of(totals[j]);
            done = 0;
        }
    }
}

ENTRY(attention_weights)(array *s, array *mask, array *keep, array *z, double scale, double gain, long first) {
    struct scores of;
    if (!described(&of, s, mask, keep, z, scale, gain, first) || !(z->flags & WRITEABLE)) return REFUSED;
    const long rows = size(z);
    LAUNCH(weights, rows, of.columns < GRAIN ? GRAIN / of.columns : 1, of, F32(s), F32(z), rows);
    return DONE;
}

/* d, the gradient of the weights, becomes that of the scores, times `by`; s, the scores, the weights as they were used. */
KERNEL(slopes, struct scores my; float *s, *d; const float *z; float by; long rows;) {
    const struct scores *at = &my.my;
    const long n = at->columns;
    const float gain = at->gain, by = my.by;
    ROW(r, my.rows) {
        float *restrict s = my.s + r * n, *restrict d = my.d + r * n;
        const unsigned char *restrict k = at->keep.data ? row_of(&at->keep, at, r) : 0;
        const long w = seen(at, r % at->shape[at->axes - 2]), end = filled(at, w);
        const float z = my.z[r];
        finish(s, at, r, w, end);
        for (long j = w; j < end; j++) d[j] = 0.0f;
        if (k) COLUMNS(j, 0, w) d[j] *= k[j] ? gain : 0.0f;
        const float mean = (float)mean_slope(s, d, z, end);
        COLUMNS(j, 0, end) d[j] = s[j] * (d[j] - mean) * by;
        if (k) COLUMNS(j, 0, w) s[j] *= k[j] ? gain : 0.0f;
        for (long j = end; j < n; j++) s[j] = 0.0f * z, d[j] = 0.0f * mean;
    }
}

ENTRY(attention_weights_gradient)(array *s, array *d, array *mask, array *keep, array *z, double scale, double by, double gain,
                                  long first) {
    struct scores of;
    if (!described(&of, s, mask, keep, z, scale, gain, first)) return REFUSED;
    if (!is_ordered(d, FLOAT32) || !like(d, s) || !(d->flags & WRITEABLE)) return REFUSED;
    const long rows = size(z);
    LAUNCH(slopes, rows, of.columns < GRAIN ? GRAIN / of.columns : 1, of, F32(s), F32(d), F32(z), (float)by, rows);
    return DONE;
}

/* -- before the library is used for the first time, in a process of its own ---------------------------------------- */
#define WRONG(found, wanted) !(fabs((found) - (wanted)) <= 1e-5 * (1 + fabs(wanted)))

/* Two heads and their gradients. */
static int heads_fail(int causal) {
    enum { L = 17, S = 21, E = 5, V = 3, TWO = 2 };
    static float q[TWO * L * E], k[TWO * S * E], v[TWO * S * V], g[TWO * L * V], y[TWO * L * V], z[TWO * L], dq[TWO * L * E], dk[TWO * S * E];
    static float dv[TWO * S * V];
    for (int i = 0; i < TWO * S * E; i++) k[i] = sinf(3 * i), dk[i] = 7;
    for (int i = 0; i < TWO * L * E; i++) q[i] = cosf(5 * i);
    for (int i = 0; i < TWO * S * V; i++) v[i] = sinf(7 * i);
    for (int i = 0; i < TWO * L * V; i++) g[i] = cosf(2 * i);
    struct heads of = {.count = TWO, .rows = L, .keys = S, .width = E, .deep = V, .z = z};
    of.s = (struct scores){.scale = 0.7f, .gain = 1, .columns = S, .first = causal ? 0 : -1, .axes = 3, .shape = {TWO, L, S}};
    of.q = (struct head){q, {L * E}, E, 1}, of.k = (struct head){k, {S * E}, E, 1}, of.v = (struct head){v, {S * V}, V, 1};
    of.y = (struct head){y, {L * V}, V, 1};
    _Atomic int failed = 0;
    LAUNCH(forward, TWO, TWO, of, 1, &failed);
    of.y.data = g;
    const struct head to_q = {dq, {L * E}, E, 1}, to_k = {dk, {S * E}, E, 1}, to_v = {dv, {S * V}, V, 1};
    LAUNCH(backward, TWO, TWO, of, to_q, to_k, to_v, &failed);
    double want[TWO * S * E] = {0}, values[TWO * S * V] = {0};
    for (int r = 0; r < TWO * L; r++) {
        const int head = r / L, w = causal ? r % L + 1 : S;
        double p[S], d[S], total = 0, mean = 0;
        for (int j = 0; j < w; j++) {
            p[j] = d[j] = 0;
            for (int e = 0; e < E; e++) p[j] += 0.7 * q[r * E + e] * k[(head * S + j) * E + e];
            for (int e = 0; e < V; e++) d[j] += (double)g[r * V + e] * v[(head * S + j) * V + e];
            total += p[j] = exp(p[j]);
        }
        for (int j = 0; j < w; j++) mean += (p[j] /= total) * d[j];
        for (int e = 0; e < V; e++) {
            double sum = 0;
            for (int j = 0; j < w; j++) sum += p[j] * v[(head * S + j) * V + e], values[(head * S + j) * V + e] += p[j] * g[r * V + e];
            if (WRONG(y[r * V + e], sum)) return 1;
        }
        for (int e = 0; e < E; e++) {
            double sum = 0;
            for (int j = 0; j < w; j++) {
                const double slope = 0.7 * p[j] * (d[j] - mean);
                sum += slope * k[(head * S + j) * E + e], want[(head * S + j) * E + e] += slope * q[r * E + e];
            }
            if (WRONG(dq[r * E + e], sum)) return 1;
        }
    }
    for (int i = 0; i < TWO * S * E; i++)
        if (WRONG(dk[i], want[i])) return 1;
    for (int i = 0; i < TWO * S * V; i++)
        if (WRONG(dv[i], values[i])) return 1;
    return failed;
}

ENTRY(self_test)(void) {
    if (heads_fail(0) || heads_fail(1)) return 4;
    enum { R = 3, N = 37 };
    float s[R * N], p[R * N], d[R * N], g[R * N], mask[R * N], z[R];
    unsigned char keep[R * N];
    for (int i = 0; i < R * N; i++) s[i] = 9 * sinf(i), g[i] = cosf(3 * i), mask[i] = sinf(5 * i), keep[i] = i % 3 > 0;
    for (int all = 0; all < 2; all++) { /* every second time: masked, dropped, causal */
        struct scores of = {.scale = 0.7f, .gain = all ? 1.5f : 1, .columns = N, .first = all ? N - 2 : -1, .axes = 2, .shape = {R, N}};
        if (all) of.mask = (struct rows){(char *)mask, {4 * N, 4}, FLOAT32}, of.keep = (struct rows){(char *)keep, {N, 1}, BOOL};
        memcpy(p, s, sizeof s);
        memcpy(d, g, sizeof g);
        LAUNCH(weights, R, R, of, p, z, R);
        float used[R * N];
        memcpy(used, s, sizeof s);
        LAUNCH(slopes, R, R, of, used, d, z, 0.7f, R);
        for (int r = 0; r < R; r++) {
            const int w = all && r == 0 ? N - 1 : N;
            double e[N] = {0}, total = 0, mean = 0;
            for (int j = 0; j < w; j++) total += e[j] = exp(0.7 * s[r * N + j] + (all ? mask[r * N + j] : 0));
            for (int j = 0; j < w; j++) mean += e[j] / total * g[r * N + j] * (all ? 1.5 * keep[r * N + j] : 1);
            for (int j = 0; j < N; j++) {
                const int i = r * N + j;
                const double by = all ? 1.5 * keep[i] : 1, q = e[j] / total;
                if (WRONG(p[i], q * by) || WRONG(used[i], q * by) || WRONG(d[i], 0.7 * q * (g[i] * by - mean))) return 1 + all;
            }
            if (WRONG(z[r], log(total))) return 3;
        }
    }
    return 0;
}
