/* Norms by mean and variance, float32, in one reading for the statistics and one for the result, without anything of the input's size
   in between.

   The variance: numbers less a number near their mean, in pieces of PIECE, of which each is merged into those before it in double
   precision (Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983). The number is the mean of the first piece,
   for the second and later ones of all before, so that what cancels is no larger than the variance that there is. */
#include "kernel.h"

#include <math.h>
#include <stdlib.h>

enum { PIECE = 2048, GRAIN = 16384, BLOCK = 64, LEVEL = 128, FEW = 65536 };
enum { WEIGHT = 1, BIAS = 2, CENTER = 4, GIVEN = 8 }; /* what an entry is told of its arguments */

static inline long smaller(long a, long b) { return a < b ? a : b; }
static inline long larger(long a, long b) { return a > b ? a : b; }

/* -- sums over stretches that lie in a row, or apart by a stride ---------------------------------------------------- */
typedef struct {
    double n, mean, squares;
} moments;

static inline void merge(moments *a, double n, double mean, double squares) {
    const double both = a->n + n, apart = mean - a->mean, share = n / both;
    a->squares += squares + apart * apart * (a->n * share);
    a->mean += apart * share;
    a->n = both;
}

static float sum(const float *x, long n) {
    float s = 0;
#pragma omp simd reduction(+ : s)
    for (long i = 0; i < n; i++) s += x[i];
    return s;
}

static moments measured(const float *x, long stretches, long stride, long length) {
    float near = 0, s1 = 0, s2 = 0;
    long held = 0;
    for (long i = 0; i < stretches && held < PIECE; i++) {
        const long n = smaller(length, PIECE - held);
        near += sum(x + i * stride, n);
        held += n;
    }
    near /= held;
    held = 0;
    moments a = {0, 0, 0};
    for (long i = 0; i < stretches; i++)
        for (long first = 0; first < length; first += PIECE) {
            const long n = smaller(length - first, PIECE);
            const float *p = x + i * stride + first;
            float t1 = 0, t2 = 0;
#pragma omp simd reduction(+ : t1, t2)
            for (long j = 0; j < n; j++) {
                const float d = p[j] - near;
                t1 += d;
                t2 += d * d;
            }
            s1 += t1, s2 += t2, held += n;
            if (held >= PIECE || (i == stretches - 1 && first + n == length)) {
                merge(&a, held, near + (double)s1 / held, s2 - (double)s1 * s1 / held);
                near = a.mean, s1 = s2 = 0, held = 0;
            }
        }
    return a;
}

static double squared(const float *x, long n) {
    double s = 0;
    for (long first = 0; first < n; first += PIECE) {
        const long end = smaller(n, first + PIECE);
        float t = 0;
#pragma omp simd reduction(+ : t)
        for (long j = first; j < end; j++) t += x[j] * x[j];
        s += t;
    }
    return s;
}

typedef struct {
    double g, gx;
} slope;

/* Sums of g and of g (x - m). */
static slope sloped(const float *g, const float *x, long stretches, long stride, long length, float m) {
    slope s = {0, 0};
    for (long i = 0; i < stretches; i++)
        for (long first = 0; first < length; first += PIECE) {
            const long n = smaller(length - first, PIECE), at = i * stride + first;
            const float *p = g + at, *q = x + at;
            float t1 = 0, t2 = 0;
#pragma omp simd reduction(+ : t1, t2)
            for (long j = 0; j < n; j++) {
                t1 += p[j];
                t2 += p[j] * (q[j] - m);
            }
            s.g += t1, s.gx += t2;
        }
    return s;
}

/* -- what is done to a stretch ------------------------------------------------------------------------------------ */
static void scaled(const float *x, float *y, long n, float m, float scale, float b) {
#pragma omp simd
    for (long j = 0; j < n; j++) y[j] = (x[j] - m) * scale + b;
}

static void sloped_to(const float *g, const float *x, float *dx, long n, float m, float a, float q, float scale) {
#pragma omp simd
    for (long j = 0; j < n; j++) dx[j] = (g[j] - a - (x[j] - m) * q) * scale;
}

static void times(const float *g, float *dx, long n, float scale) {
#pragma omp simd
    for (long j = 0; j < n; j++) dx[j] = g[j] * scale;
}

/* What is added where there is no bias: it keeps the sign of zeros. */
static const float NOTHING = -0.0f;

static inline void settle(double mean, double variance, double eps, float *m, float *v, float *r) {
    variance = variance < 0 ? 0 : variance; /* NaN is not below 0 */
    *m = (float)mean;
    *v = (float)variance;
    *r = (float)(1 / sqrt(variance + eps));
}

/* -- by channel: statistics over the first axis of (n, c, l) and the last -------------------------------------------- */
typedef struct {
    const float *g, *x, *w, *b;
    float *y, *m, *v, *r, *dw, *db;
    long n, c, l, slabs;
    double eps;
    int given;
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
        if (my->given & GIVEN)
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
    ROW(i, my.of.c * my.of.n) channel_slopes_to(&my.of, i % my.of.c, i / my.of.c, i / my.of.c + 1, ((slope *)my.of.sums)[i % my.of.c]);
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
        if (my->given & GIVEN)
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
    ROW(i, (my.of.n + LEVEL - 1) / LEVEL) for (long c = 0; c < my.of.c; c += BLOCK)
        columns_sloped_to(&my.of, c, smaller(BLOCK, my.of.c - c), i * LEVEL, smaller(my.of.n, (i + 1) * LEVEL),
                          (column_slopes *)my.of.sums + c / BLOCK);
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

/* The parameters of each of c channels: an array that was given, or none. */
static inline int fits(const array *o, int given, long c, float **to) {
    *to = 0;
    if (!given) return 1;
    if (!is_ordered(o, FLOAT32) || size(o) != c) return 0;
    *to = F32(o);
    return 1;
}

ENTRY(batch_norm)(array *x, array *w, array *b, array *y, array *stats, double eps, int given) {
    norm o = {.eps = eps, .given = given};
    if (!laid(x, &o) || !like(x, y) || !is(y, FLOAT32) || !is_ordered(stats, FLOAT32) || size(stats) != 3 * o.c) return REFUSED;
    if (!fits(w, given & WEIGHT, o.c, (float **)&o.w) || !fits(b, given & BIAS, o.c, (float **)&o.b)) return REFUSED;
    o.x = F32(x), o.y = F32(y), o.m = F32(stats), o.v = o.m + o.c, o.r = o.v + o.c;
    const long n = o.n * o.l;
    if (o.l == 1) {
        column_moments *all = o.sums = malloc(sizeof(column_moments) * blocks(o.c) * o.slabs);
        if (!all) return REFUSED;
        LAUNCH(columns, blocks(o.c) * o.slabs, larger(1, GRAIN * o.slabs / (n * BLOCK)), o);
        if (o.slabs > 1) {
            for (long i = 0; i < blocks(o.c); i++) {
                const long c = i * BLOCK, width = smaller(BLOCK, o.c - c);
                column_moments *a = all + i * o.slabs;
                for (long s = 1; s < o.slabs; s++) columns_merged(a, a[s].n, a[s].mean, a[s].squares, width);
                columns_settled(&o, c, width, a);
            }
            LAUNCH(columns_to, (o.n + LEVEL - 1) / LEVEL, larger(1, GRAIN / (LEVEL * o.c)), o);
        }
    } else {
        moments *all = o.sums = malloc(sizeof(moments) * o.c * o.slabs);
        if (!all) return REFUSED;
        LAUNCH(channels, o.c * o.slabs, larger(1, GRAIN * o.slabs / n), o);
        if (o.slabs > 1) {
            for (long c = 0; c < o.c; c++) {
                moments a = all[c * o.slabs];
                for (long s = 1; s < o.slabs; s++) merge(&a, all[c * o.slabs + s].n, all[c * o.slabs + s].mean, all[c * o.slabs + s].squares);
                settle(a.mean, a.squares / a.n, eps, o.m + c, o.v + c, o.r + c);
            }
            LAUNCH(channels_to, o.n * o.c, larger(1, GRAIN / o.l), o);
        }
    }
    free(o.sums);
    return DONE;
}
