/* Batch norm, float32: one reading for the statistics of each channel and one for the result, without anything of the input's size in
   between. Results do not depend on how the work is shared out. */
#include "kernel.h"
#include "moments.h"

enum { BLOCK = 64, LEVEL = 128, FEW = 65536 };

/* -- by channel: statistics over the first axis of (n, c, l) and the last -------------------------------------------- */
typedef struct {
    const float *g, *x, *w, *b;
    float *y, *m, *v, *r, *dw, *db;
    long n, c, l, slabs;
    double eps;
    int frozen;
    void *sums;
} norm;

static inline void channel_to(const norm *my, long c, long first, long end) {
    const float scale = my->w ? my->r[c] * my->w[c] : my->r[c], b = my->b ? my->b[c] : NOTHING;
    for (long i = first; i < end; i++) scaled(my->x + (i * my->c + c) * my->l, my->y + (i * my->c + c) * my->l, my->l, my->m[c], scale, b);
}

/* Channels are shared out, and where they are few, samples too, in slabs whose number follows from the shape alone. With one slab, what
   was measured is still in the cache when it is scaled. */
KERNEL(channels, norm of;) {
    ROW(i, my.of.c * my.of.slabs) {
        const norm *o = &my.of;
        const long c = i / o->slabs, first = edge(o->n, 1, i % o->slabs, o->slabs), end = edge(o->n, 1, i % o->slabs + 1, o->slabs);
        const moments a = measured(o->x + (first * o->c + c) * o->l, end - first, o->c * o->l, o->l);
        if (o->slabs > 1)
            ((moments *)o->sums)[i] = a;
        else {
            settle(a.mean, a.squares / a.n, o->eps, o->m + c, o->v + c, o->r + c);
            channel_to(o, c, 0, o->n);
        }
    }
}

KERNEL(channels_to, norm of;) {
    ROW(i, my.of.c * my.of.n) channel_to(&my.of, i % my.of.c, i / my.of.c, i / my.of.c + 1);
}

static inline void channel_slopes_to(const norm *my, long c, long first, long end, slope s) {
    const float r = my->r[c], scale = my->w ? r * my->w[c] : r, n = (float)my->n * my->l;
    const float a = s.g / n, q = (float)s.gx * r * r / n;
    for (long i = first; i < end; i++) {
        const long at = (i * my->c + c) * my->l;
        if (my->frozen)
            times(my->g + at, my->y + at, my->l, scale);
        else
            sloped_to(my->g + at, my->x + at, my->y + at, my->l, my->m[c], a, q, scale);
    }
}

static inline void parameters(const norm *my, long c, slope s) {
    if (my->dw) my->dw[c] = (float)(s.gx * my->r[c]);
    if (my->db) my->db[c] = (float)s.g;
}

KERNEL(channel_slopes, norm of;) {
    ROW(i, my.of.c * my.of.slabs) {
        const norm *o = &my.of;
        const long c = i / o->slabs, first = edge(o->n, 1, i % o->slabs, o->slabs), end = edge(o->n, 1, i % o->slabs + 1, o->slabs);
        const long at = (first * o->c + c) * o->l;
        const slope s = sloped(o->g + at, o->x + at, end - first, o->c * o->l, o->l, o->m[c]);
        ((slope *)o->sums)[i] = s;
        if (o->slabs == 1) {
            parameters(o, c, s);
            if (o->y) channel_slopes_to(o, c, 0, o->n, s);
        }
    }
}

KERNEL(channel_slopes_to, norm of;) {
    ROW(i, my.of.c * my.of.n) {
        const long c = i % my.of.c, n = i / my.of.c;
        channel_slopes_to(&my.of, c, n, n + 1, my.of.sums ? ((slope *)my.of.sums)[c] : (slope){0, 0});
    }
}

/* -- by column: (n, c), in blocks of columns, which are read row after row ------------------------------------------- */
typedef struct {
    double n, mean[BLOCK], squares[BLOCK];
} column_moments;
typedef struct {
    double g[BLOCK], gx[BLOCK];
} column_slopes;

static inline long blocks(long c) { return (c + BLOCK - 1) / BLOCK; }

static void columns_merged(column_moments *a, double n, const double *mean, const double *squares, long w) {
    const double both = a->n + n, share = n / both, weight = a->n * share;
    for (long j = 0; j < w; j++) {
        const double apart = mean[j] - a->mean[j];
        a->squares[j] += squares[j] + apart * apart * weight;
        a->mean[j] += apart * share;
    }
    a->n = both;
}

static void columns_measured(const float *x, long rows, long stride, long w, column_moments *a) {
    float near[BLOCK] = {0}, s1[BLOCK], s2[BLOCK];
    double mean[BLOCK], squares[BLOCK];
    const long some = smaller(rows, LEVEL);
    for (long i = 0; i < some; i++)
#pragma omp simd
        for (long j = 0; j < w; j++) near[j] += x[i * stride + j];
    for (long j = 0; j < w; j++) near[j] /= some, a->mean[j] = a->squares[j] = 0;
    a->n = 0;
    for (long first = 0; first < rows; first += LEVEL) {
        const long end = smaller(rows, first + LEVEL);
        const double n = end - first;
        for (long j = 0; j < w; j++) s1[j] = s2[j] = 0;
        for (long i = first; i < end; i++)
#pragma omp simd
            for (long j = 0; j < w; j++) {
                const float d = x[i * stride + j] - near[j];
                s1[j] += d;
                s2[j] += d * d;
            }
        for (long j = 0; j < w; j++) {
            mean[j] = near[j] + s1[j] / n;
            squares[j] = s2[j] - (double)s1[j] * s1[j] / n;
        }
        columns_merged(a, n, mean, squares, w);
        for (long j = 0; j < w; j++) near[j] = (float)a->mean[j];
    }
}

static void columns_settled(const norm *my, long c, long w, const column_moments *a) {
    for (long j = 0; j < w; j++) settle(a->mean[j], a->squares[j] / a->n, my->eps, my->m + c + j, my->v + c + j, my->r + c + j);
}

static void columns_scaled(const norm *my, long c, long w, long first, long end) {
    float m[BLOCK], scale[BLOCK], b[BLOCK];
    for (long j = 0; j < w; j++) {
        m[j] = my->m[c + j];
        scale[j] = my->w ? my->r[c + j] * my->w[c + j] : my->r[c + j];
        b[j] = my->b ? my->b[c + j] : NOTHING;
    }
    for (long i = first; i < end; i++) {
        const float *x = my->x + i * my->c + c;
        float *y = my->y + i * my->c + c;
#pragma omp simd
        for (long j = 0; j < w; j++) y[j] = (x[j] - m[j]) * scale[j] + b[j];
    }
}

KERNEL(columns, norm of;) {
    ROW(i, blocks(my.of.c) * my.of.slabs) {
        const norm *o = &my.of;
        const long c = i / o->slabs * BLOCK, w = smaller(BLOCK, o->c - c);
        const long first = edge(o->n, 1, i % o->slabs, o->slabs), end = edge(o->n, 1, i % o->slabs + 1, o->slabs);
        column_moments *a = (column_moments *)o->sums + i;
        columns_measured(o->x + first * o->c + c, end - first, o->c, w, a);
        if (o->slabs == 1) {
            columns_settled(o, c, w, a);
            columns_scaled(o, c, w, 0, o->n);
        }
    }
}

/* By LEVEL rows, of all blocks of columns. */
KERNEL(columns_to, norm of;) {
    ROW(i, (my.of.n + LEVEL - 1) / LEVEL) for (long c = 0; c < my.of.c; c += BLOCK)
        columns_scaled(&my.of, c, smaller(BLOCK, my.of.c - c), i * LEVEL, smaller(my.of.n, (i + 1) * LEVEL));
}

static void columns_sloped(const norm *my, long c, long w, long first, long last, column_slopes *s) {
    float s1[BLOCK], s2[BLOCK], m[BLOCK];
    for (long j = 0; j < w; j++) s->g[j] = s->gx[j] = 0, m[j] = my->m[c + j];
    for (; first < last; first += LEVEL) {
        const long end = smaller(last, first + LEVEL);
        for (long j = 0; j < w; j++) s1[j] = s2[j] = 0;
        for (long i = first; i < end; i++) {
            const float *g = my->g + i * my->c + c, *x = my->x + i * my->c + c;
#pragma omp simd
            for (long j = 0; j < w; j++) {
                s1[j] += g[j];
                s2[j] += g[j] * (x[j] - m[j]);
            }
        }
        for (long j = 0; j < w; j++) s->g[j] += s1[j], s->gx[j] += s2[j];
    }
}

static void columns_sloped_to(const norm *my, long c, long w, long first, long end, const column_slopes *s) {
    float m[BLOCK], a[BLOCK], q[BLOCK], scale[BLOCK];
    for (long j = 0; j < w; j++) {
        const float r = my->r[c + j];
        m[j] = my->m[c + j];
        scale[j] = my->w ? r * my->w[c + j] : r;
        a[j] = (float)(s->g[j] / my->n);
        q[j] = (float)s->gx[j] * r * r / my->n;
    }
    for (long i = first; i < end; i++) {
        const float *g = my->g + i * my->c + c, *x = my->x + i * my->c + c;
        float *dx = my->y + i * my->c + c;
        if (my->frozen)
#pragma omp simd
            for (long j = 0; j < w; j++) dx[j] = g[j] * scale[j];
        else
#pragma omp simd
            for (long j = 0; j < w; j++) dx[j] = (g[j] - a[j] - (x[j] - m[j]) * q[j]) * scale[j];
    }
}

static void column_parameters(const norm *my, long c, long w, const column_slopes *s) {
    for (long j = 0; j < w; j++) parameters(my, c + j, (slope){s->g[j], s->gx[j]});
}

KERNEL(column_slopes, norm of;) {
    ROW(i, blocks(my.of.c) * my.of.slabs) {
        const norm *o = &my.of;
        const long c = i / o->slabs * BLOCK, w = smaller(BLOCK, o->c - c);
        const long first = edge(o->n, 1, i % o->slabs, o->slabs), end = edge(o->n, 1, i % o->slabs + 1, o->slabs);
        column_slopes *s = (column_slopes *)o->sums + i;
        columns_sloped(o, c, w, first, end, s);
        if (o->slabs == 1) {
            column_parameters(o, c, w, s);
            if (o->y) columns_sloped_to(o, c, w, 0, o->n, s);
        }
    }
}

KERNEL(column_slopes_to, norm of;) {
    static const column_slopes none;
    ROW(i, (my.of.n + LEVEL - 1) / LEVEL) for (long c = 0; c < my.of.c; c += BLOCK)
        columns_sloped_to(&my.of, c, smaller(BLOCK, my.of.c - c), i * LEVEL, smaller(my.of.n, (i + 1) * LEVEL),
                          my.of.sums ? (column_slopes *)my.of.sums + c / BLOCK : &none);
}

/* -- either of the two ---------------------------------------------------------------------------------------------- */
/* Whether x is (n, c, ...) as C lays it out, or with the channels last, which is (n, c) to us. */
static int laid(const array *x, norm *o) {
    if (!is(x, FLOAT32) || x->axes < 2) return 0;
    o->n = x->shape[0], o->c = x->shape[1], o->l = 1;
    for (int i = 2; i < x->axes; i++) o->l *= x->shape[i];
    if (o->n < 1 || o->c < 1 || o->l < 1) return 0;
    if (!(x->flags & ORDERED)) {
        long step = 4 * o->c;
        if (o->c > 1 && x->strides[1] != 4) return 0;
        for (int i = x->axes - 1; i >= 0; i--) {
            if (i == 1) continue;
            if (x->shape[i] > 1 && x->strides[i] != step) return 0;
            step *= x->shape[i];
        }
        o->n *= o->l, o->l = 1;
    }
    if (o->l == 1)
        o->slabs = blocks(o->c) >= 8 || o->n * o->c < FEW ? 1 : larger(1, smaller(16, o->n / (2 * LEVEL)));
    else
        o->slabs = o->c >= 16 || o->n * o->c * o->l < FEW ? 1 : smaller(o->n, (15 + o->c) / o->c);
    return 1;
}

/* What was measured in slabs, as one, and the rest of the work. */
static void columns_finished(norm *o) {
    column_moments *a = o->sums;
    for (long c = 0; c < o->c; c += BLOCK, a += o->slabs) {
        const long w = smaller(BLOCK, o->c - c);
        for (long s = 1; s < o->slabs; s++) columns_merged(a, a[s].n, a[s].mean, a[s].squares, w);
        columns_settled(o, c, w, a);
    }
}

static void channels_finished(norm *o) {
    moments *a = o->sums;
    for (long c = 0; c < o->c; c++, a += o->slabs) {
        for (long s = 1; s < o->slabs; s++) merge(a, a[s].n, a[s].mean, a[s].squares);
        settle(a->mean, a->squares / a->n, o->eps, o->m + c, o->v + c, o->r + c);
    }
}

static void column_slopes_finished(norm *o) {
    column_slopes *all = o->sums;
    for (long i = 0; i < blocks(o->c); i++) {
        column_slopes s = all[i * o->slabs];
        for (long k = 1; k < o->slabs; k++)
            for (long j = 0; j < BLOCK; j++) s.g[j] += all[i * o->slabs + k].g[j], s.gx[j] += all[i * o->slabs + k].gx[j];
        column_parameters(o, i * BLOCK, smaller(BLOCK, o->c - i * BLOCK), &s);
        all[i] = s;
    }
}

static void channel_slopes_finished(norm *o) {
    slope *all = o->sums;
    for (long c = 0; c < o->c; c++) {
        slope s = all[c * o->slabs];
        for (long k = 1; k < o->slabs; k++) s.g += all[c * o->slabs + k].g, s.gx += all[c * o->slabs + k].gx;
        parameters(o, c, s);
        all[c] = s;
    }
}

static void scale_all(norm o) {
    if (o.l == 1)
        LAUNCH(columns_to, (o.n + LEVEL - 1) / LEVEL, larger(1, GRAIN / (LEVEL * o.c)), o);
    else
        LAUNCH(channels_to, o.n * o.c, larger(1, GRAIN / o.l), o);
}

static void slope_all(norm o) {
    if (o.l == 1)
        LAUNCH(column_slopes_to, (o.n + LEVEL - 1) / LEVEL, larger(1, GRAIN / (LEVEL * o.c)), o);
    else
        LAUNCH(channel_slopes_to, o.n * o.c, larger(1, GRAIN / o.l), o);
}

ENTRY(batch_norm)(array *x, array *w, array *b, array *y, array *stats, double eps, int given) {
    norm o = {.eps = eps};
    if (!laid(x, &o) || !is(y, FLOAT32) || !like(x, y) || !fits(stats, 1, 3 * o.c, &o.m)) return REFUSED;
    if (!fits(w, given & WEIGHT, o.c, (float **)&o.w) || !fits(b, given & BIAS, o.c, (float **)&o.b)) return REFUSED;
    o.x = F32(x), o.y = F32(y), o.v = o.m + o.c, o.r = o.v + o.c;
    const int columnar = o.l == 1;
    const long tasks = (columnar ? blocks(o.c) : o.c) * o.slabs, each = o.n * o.l * (columnar ? smaller(BLOCK, o.c) : 1) / o.slabs;
    o.sums = malloc(tasks * (columnar ? sizeof(column_moments) : sizeof(moments)));
    if (!o.sums) return REFUSED;
    if (columnar)
        LAUNCH(columns, tasks, larger(1, GRAIN / each), o);
    else
        LAUNCH(channels, tasks, larger(1, GRAIN / each), o);
    if (o.slabs > 1) {
        columnar ? columns_finished(&o) : channels_finished(&o);
        scale_all(o);
    }
    free(o.sums);
    return DONE;
}

ENTRY(frozen_norm)(array *x, array *w, array *b, array *m, array *r, array *y, int given) {
    norm o = {0};
    if (!laid(x, &o) || !is(y, FLOAT32) || !like(x, y) || !fits(m, 1, o.c, &o.m) || !fits(r, 1, o.c, &o.r)) return REFUSED;
    if (!fits(w, given & WEIGHT, o.c, (float **)&o.w) || !fits(b, given & BIAS, o.c, (float **)&o.b)) return REFUSED;
    o.x = F32(x), o.y = F32(y);
    scale_all(o);
    return DONE;
}

/* dx, dw and db are looked at where they are wanted. */
static int slopes(norm o, array *g, array *x, array *w, array *m, array *r, array *dx, array *dw, array *db, int given) {
    if (!laid(x, &o) || !is(g, FLOAT32) || !like(g, x) || !fits(m, 1, o.c, &o.m) || !fits(r, 1, o.c, &o.r)) return REFUSED;
    if (!fits(w, given & WEIGHT, o.c, (float **)&o.w) || !fits(dw, given & FOR_WEIGHT, o.c, &o.dw)) return REFUSED;
    if (!fits(db, given & FOR_BIAS, o.c, &o.db) || (given & FOR_INPUT && (!is(dx, FLOAT32) || !like(x, dx)))) return REFUSED;
    o.g = F32(g), o.x = F32(x), o.y = given & FOR_INPUT ? F32(dx) : 0;
    const int columnar = o.l == 1;
    const long tasks = (columnar ? blocks(o.c) : o.c) * o.slabs, each = o.n * o.l * (columnar ? smaller(BLOCK, o.c) : 1) / o.slabs;
    if (o.frozen && !o.dw && !o.db) {
        if (o.y) slope_all(o);
        return DONE;
    }
    o.sums = malloc(tasks * (columnar ? sizeof(column_slopes) : sizeof(slope)));
    if (!o.sums) return REFUSED;
    if (columnar)
        LAUNCH(column_slopes, tasks, larger(1, GRAIN / each), o);
    else
        LAUNCH(channel_slopes, tasks, larger(1, GRAIN / each), o);
    if (o.slabs > 1) {
        columnar ? column_slopes_finished(&o) : channel_slopes_finished(&o);
        if (o.y) slope_all(o);
    }
    free(o.sums);
    return DONE;
}

ENTRY(batch_norm_gradient)(array *g, array *x, array *w, array *m, array *r, array *dx, array *dw, array *db, int given) {
    return slopes((norm){0}, g, x, w, m, r, dx, dw, db, given);
}

ENTRY(frozen_norm_gradient)(array *g, array *x, array *w, array *m, array *r, array *dx, array *dw, array *db, int given) {
    return slopes((norm){.frozen = 1}, g, x, w, m, r, dx, dw, db, given);
}

/* -- running statistics ------------------------------------------------------------------------------------------- */
/* (1 - momentum) old + momentum new, of means and variances; the new variance is `unbiased` times v. Of a counter there is one, or m. */
ENTRY(running_statistics)(array *mean, array *var, array *counter, array *m, array *v, double momentum, double unbiased) {
    const float keep = (float)(1 - momentum), share = (float)momentum, wider = (float)unbiased;
    if (!is_ordered(mean, FLOAT32) || !is_ordered(var, FLOAT32) || !is_ordered(m, FLOAT32) || !is_ordered(v, FLOAT32)) return REFUSED;
    const long n = size(mean);
    if (size(var) != n || size(m) != n || size(v) != n || !(mean->flags & var->flags & WRITEABLE)) return REFUSED;
    if (counter != m) {
        if (!is(counter, INT64) || size(counter) != 1 || !(counter->flags & WRITEABLE)) return REFUSED;
        ++*(int64_t *)counter->data;
    }
    for (long i = 0; i < n; i++) {
        F32(mean)[i] = F32(mean)[i] * keep + F32(m)[i] * share;
        F32(var)[i] = F32(var)[i] * keep + F32(v)[i] * wider * share;
    }
    return DONE;
}

/* -- before the library is used for the first time, in a process of its own --------------------------------------- */
static int differs(float a, double b) { return !(fabs(a - b) <= 1e-4 * (1 + fabs(b))); }

/* x and g of (n, c, l) numbers with this many slabs, against sums in double precision. */
static int wrong(long n, long c, long l, long slabs) {
    float x[360], g[360], y[360], dx[360], stats[12], w[4] = {1, -2, 3, 0.5}, b[4] = {0, 1, 2, 3}, dw[4], db[4];
    for (int i = 0; i < 360; i++) x[i] = 3 + 0.01f * (i * i % 97), g[i] = 0.02f * (i * 7 % 53) - 0.5f;
    char sums[4 * sizeof(column_moments) + 16 * sizeof(moments)];
    norm o = {g, x, w, b, y, stats, stats + c, stats + 2 * c, dw, db, n, c, l, slabs, 1e-5, 0, sums};
    if (l == 1)
        LAUNCH(columns, blocks(c) * slabs, n, o);
    else
        LAUNCH(channels, c * slabs, n, o);
    if (slabs > 1) l == 1 ? columns_finished(&o) : channels_finished(&o), scale_all(o);
    o.y = dx;
    if (l == 1)
        LAUNCH(column_slopes, blocks(c) * slabs, n, o);
    else
        LAUNCH(channel_slopes, c * slabs, n, o);
    if (slabs > 1) l == 1 ? column_slopes_finished(&o) : channel_slopes_finished(&o), slope_all(o);
    for (long k = 0; k < c; k++) {
        double m = 0, v = 0, sg = 0, sgh = 0;
#define ALL(at) for (long i = 0; i < n; i++) for (long at = (i * c + k) * l; at < (i * c + k + 1) * l; at++)
        ALL(at) m += x[at] / (double)(n * l);
        ALL(at) v += (x[at] - m) * (x[at] - m) / (n * l);
        const double r = 1 / sqrt(v + 1e-5);
        ALL(at) sg += g[at], sgh += g[at] * (x[at] - m) * r;
        if (differs(stats[k], m) || differs(stats[c + k], v) || differs(stats[2 * c + k], r)) return 1;
        if (differs(dw[k], sgh) || differs(db[k], sg)) return 1;
        ALL(at) {
            const double h = (x[at] - m) * r;
            if (differs(y[at], h * w[k] + b[k]) || differs(dx[at], r * w[k] * (g[at] - (sg + h * sgh) / (n * l)))) return 1;
        }
    }
    return 0;
}

ENTRY(self_test)(void) { return wrong(90, 4, 1, 1) + 2 * wrong(90, 4, 1, 3) + 4 * wrong(5, 3, 24, 1) + 8 * wrong(5, 3, 24, 2); }
