/* Norms of single samples, float32: x is rows of which each has statistics of its own, a row is k stretches of l numbers, and row i has
   the weights from (i mod groups) k on, one for each stretch. So layer norm has groups = 1, l = 1, group norm k channels of l positions. */
#include "kernel.h"
#include "moments.h"

typedef struct {
    const float *g, *x, *w, *b;
    float *y, *m, *v, *r, *dw, *db;
    long rows, groups, k, l, slabs;
    double eps;
    int centred;
    float *sums;
} norm;

static inline void settled(const norm *o, long i) {
    const long n = o->k * o->l;
    const float *x = o->x + i * n;
    if (o->centred) {
        const moments a = measured(x, 1, 0, n);
        settle(a.mean, a.squares / a.n, o->eps, o->m + i, o->v + i, o->r + i);
    } else
        settle(0, squared(x, n) / n, o->eps, o->m + i, o->v + i, o->r + i);
}

/* A row of which each number has its own weight. */
static void scaled_each(const float *x, float *y, long n, float m, float r, const float *w, const float *b) {
    if (w && b) {
#pragma omp simd
        for (long j = 0; j < n; j++) y[j] = (x[j] - m) * r * w[j] + b[j];
    } else if (w) {
#pragma omp simd
        for (long j = 0; j < n; j++) y[j] = (x[j] - m) * r * w[j];
    } else {
#pragma omp simd
        for (long j = 0; j < n; j++) y[j] = (x[j] - m) * r + b[j];
    }
}

KERNEL(rows, norm of;) {
    ROW(i, my.of.rows) {
        const norm *o = &my.of;
        const long n = o->k * o->l, at = i % o->groups * o->k;
        const float *x = o->x + i * n, *w = o->w ? o->w + at : 0, *b = o->b ? o->b + at : 0;
        float *y = o->y + i * n;
        settled(o, i);
        const float m = o->m[i], r = o->r[i];
        if (!w && !b)
            scaled(x, y, n, m, r, NOTHING);
        else if (o->l == 1)
            scaled_each(x, y, n, m, r, w, b);
        else
            for (long j = 0; j < o->k; j++) scaled(x + j * o->l, y + j * o->l, o->l, m, w ? r * w[j] : r, b ? b[j] : NOTHING);
    }
}

/* -- slopes, where each number has its own weight: rows in slabs, whose sums for the weights are then added up --------- */
/* Sums of u = g w and of u (x - m). */
static slope weighed(const float *g, const float *x, const float *w, long length, float m) {
    slope s = {0, 0};
    for (long first = 0; first < length; first += PIECE) {
        const long n = smaller(length - first, PIECE);
        const float *p = g + first, *q = x + first, *f = w + first;
        float s1 = 0, s2 = 0;
#define WEIGHED(T, j, u, v) u = AT(T, p, j) * AT(T, f, j), v = u * (AT(T, q, j) - m)
        SUMS(n, s1, s2, WEIGHED);
        s.g += s1, s.gx += s2;
    }
    return s;
}

static void each_to(const float *g, const float *x, const float *w, float *dx, long n, float m, float a, float q, float r) {
#pragma omp simd
    for (long j = 0; j < n; j++) dx[j] = (g[j] * w[j] - a - (x[j] - m) * q) * r;
}

static void added(const float *g, const float *x, long n, float m, float r, float *dw, float *db) {
    if (dw) {
#pragma omp simd
        for (long j = 0; j < n; j++) dw[j] += g[j] * ((x[j] - m) * r);
    }
    if (db) {
#pragma omp simd
        for (long j = 0; j < n; j++) db[j] += g[j];
    }
}

KERNEL(each_slopes, norm of;) {
    ROW(s, my.of.slabs) {
        const norm *o = &my.of;
        const long n = o->k, width = n * o->groups, samples = o->rows / o->groups;
        float *dw = o->dw ? o->sums + 2 * s * width : 0, *db = o->db ? o->sums + (2 * s + 1) * width : 0;
        if (o->sums) memset(o->sums + 2 * s * width, 0, 2 * width * sizeof(float));
        for (long i = edge(samples, 1, s, o->slabs) * o->groups; i < edge(samples, 1, s + 1, o->slabs) * o->groups; i++) {
            const float *g = o->g + i * n, *x = o->x + i * n, m = o->centred ? o->m[i] : 0, r = o->r[i];
            const long at = i % o->groups * n;
            if (o->y) {
                const slope t = o->w ? weighed(g, x, o->w + at, n, m) : sloped(g, x, 1, 0, n, m);
                const float a = o->centred ? (float)(t.g / n) : 0, q = (float)t.gx * r * r / n;
                if (o->w)
                    each_to(g, x, o->w + at, o->y + i * n, n, m, a, q, r);
                else
                    sloped_to(g, x, o->y + i * n, n, m, a, q, r);
            }
            added(g, x, n, m, r, dw ? dw + at : 0, db ? db + at : 0);
        }
    }
}

KERNEL(added_up, norm of;) {
    const long width = my.of.k * my.of.groups;
    ROW(j, width) {
        double dw = 0, db = 0;
        for (long s = 0; s < my.of.slabs; s++) dw += my.of.sums[2 * s * width + j], db += my.of.sums[(2 * s + 1) * width + j];
        if (my.of.dw) my.of.dw[j] = (float)dw;
        if (my.of.db) my.of.db[j] = (float)db;
    }
}

/* -- slopes, where a weight is that of a stretch --------------------------------------------------------------------- */
KERNEL(stretch_slopes, norm of;) {
    ROW(i, my.of.rows) {
        const norm *o = &my.of;
        const long n = o->k * o->l;
        const float *g = o->g + i * n, *x = o->x + i * n, *w = o->w ? o->w + i % o->groups * o->k : 0;
        const float m = o->centred ? o->m[i] : 0, r = o->r[i];
        double u = 0, ux = 0;
        for (long j = 0; j < o->k; j++) {
            const slope s = sloped(g + j * o->l, x + j * o->l, 1, 0, o->l, m);
            u += w ? w[j] * s.g : s.g;
            ux += w ? w[j] * s.gx : s.gx;
            if (o->sums) o->sums[2 * (i * o->k + j)] = (float)s.g, o->sums[2 * (i * o->k + j) + 1] = (float)(s.gx * r);
        }
        if (!o->y) continue;
        const float q = (float)ux * r * r / n;
        for (long j = 0; j < o->k; j++) {
            const float by = w ? w[j] : 1;
            const float *p = g + j * o->l, *z = x + j * o->l, a = o->centred ? (float)(u / n) : 0;
            float *dx = o->y + i * n + j * o->l;
#pragma omp simd
            for (long t = 0; t < o->l; t++) dx[t] = (p[t] * by - a - (z[t] - m) * q) * r;
        }
    }
}

static void stretches_added_up(const norm *o) {
    const long width = o->k * o->groups, samples = o->rows / o->groups;
    for (long c = 0; c < width; c++) {
        double dw = 0, db = 0;
        for (long i = 0; i < samples; i++) db += o->sums[2 * (i * width + c)], dw += o->sums[2 * (i * width + c) + 1];
        if (o->dw) o->dw[c] = (float)dw;
        if (o->db) o->db[c] = (float)db;
    }
}

/* -- what Python calls ------------------------------------------------------------------------------------------------- */
/* x as rows, given the weights' shape in two numbers: how many groups of rows there are, and how many weights in a row. Rows of one
   number, whose slope is 0 exactly, are not for here, where products are not rounded before they are subtracted. */
static int laid(const array *x, long rows, long groups, long k, norm *o) {
    const long all = is_ordered(x, FLOAT32) ? size(x) : 0;
    if (all < 2 * rows || rows < 1 || groups < 1 || k < 1 || all % rows || rows % groups || all / rows % k) return 0;
    o->rows = rows, o->groups = groups, o->k = k, o->l = all / rows / k;
    return 1;
}

static int forward(array *x, array *w, array *b, array *y, array *stats, long rows, long groups, long k, double eps, int given) {
    norm o = {.eps = eps, .centred = given & CENTER};
    if (!laid(x, rows, groups, k, &o) || !is(y, FLOAT32) || !like(x, y) || !fits(stats, 1, 3 * rows, &o.m)) return REFUSED;
    if (!fits(w, given & WEIGHT, groups * k, (float **)&o.w) || !fits(b, given & BIAS, groups * k, (float **)&o.b)) return REFUSED;
    o.x = F32(x), o.y = F32(y), o.v = o.m + rows, o.r = o.v + rows;
    LAUNCH(rows, rows, larger(1, GRAIN / (k * o.l)), o);
    return DONE;
}

static int sloped_rows(norm o) {
    const long width = o.k * o.groups, samples = o.rows / o.groups;
    const int sums = o.dw || o.db;
    /* slabs of 16 to 256 samples: so many that all threads have some, and so few that their sums are small beside x */
    o.slabs = o.l > 1 ? samples : larger(1, smaller(samples / 16, larger(32, samples / 256)));
    if (sums && !(o.sums = malloc(2 * o.slabs * width * sizeof(float)))) return REFUSED;
    if (o.l == 1) {
        LAUNCH(each_slopes, o.slabs, larger(1, GRAIN * o.slabs / (samples * width)), o);
        if (sums) LAUNCH(added_up, width, larger(1, GRAIN / o.slabs), o);
    } else {
        LAUNCH(stretch_slopes, o.rows, larger(1, GRAIN / (o.k * o.l)), o);
        if (sums) stretches_added_up(&o);
    }
    free(o.sums);
    return DONE;
}

static int backward(array *g, array *x, array *w, array *m, array *r, array *dx, array *dw, array *db, long rows, long groups, long k,
                    int given) {
    norm o = {.centred = given & CENTER};
    if (!laid(x, rows, groups, k, &o) || !is(g, FLOAT32) || !like(g, x) || !fits(r, 1, rows, &o.r)) return REFUSED;
    if (!fits(m, given & CENTER, rows, &o.m) || !fits(w, given & WEIGHT, groups * k, (float **)&o.w)) return REFUSED;
    if (!fits(dw, given & FOR_WEIGHT, groups * k, &o.dw) || !fits(db, given & FOR_BIAS, groups * k, &o.db)) return REFUSED;
    if (given & FOR_INPUT && (!is(dx, FLOAT32) || !like(x, dx))) return REFUSED;
    o.g = F32(g), o.x = F32(x), o.y = given & FOR_INPUT ? F32(dx) : 0;
    return sloped_rows(o);
}

#define NORM(name)                                                                                                             \
    ENTRY(name)(array *x, array *w, array *b, array *y, array *stats, long rows, long groups, long k, double eps, int given) { \
        return forward(x, w, b, y, stats, rows, groups, k, eps, given);                                                        \
    }                                                                                                                          \
    ENTRY(name##_gradient)(array *g, array *x, array *w, array *m, array *r, array *dx, array *dw, array *db, long rows,       \
                           long groups, long k, int given) {                                                                   \
        return backward(g, x, w, m, r, dx, dw, db, rows, groups, k, given);                                                    \
    }
NORM(layer_norm)
NORM(rms_norm)
NORM(group_norm)
NORM(instance_norm)

/* -- before the library is used for the first time, in a process of its own --------------------------------------- */
static int differs(float a, double b) { return !(fabs(a - b) <= 1e-4 * (1 + fabs(b))); }

static int wrong(long rows, long groups, long k, long l, int centred) {
    float x[360], g[360], y[360], dx[360], stats[120], w[40], b[40], dw[40], db[40];
    double want_dw[40] = {0}, want_db[40] = {0};
    for (int i = 0; i < 360; i++) x[i] = 3 + 0.01f * (i * i % 97), g[i] = 0.02f * (i * 7 % 53) - 0.5f;
    for (int i = 0; i < 40; i++) w[i] = 1 - 0.1f * i, b[i] = 0.3f * i;
    const norm o = {g, x, w, b, y, stats, stats + rows, stats + 2 * rows, dw, db, rows, groups, k, l, 0, 1e-5, centred, 0};
    LAUNCH(rows, rows, rows, o);
    norm p = o;
    p.y = dx;
    if (sloped_rows(p)) return 1;
    for (long i = 0; i < rows; i++) {
        const long n = k * l, at = i % groups * k;
        double m = 0, v = 0, u = 0, uh = 0;
        for (long j = 0; j < n && centred; j++) m += x[i * n + j] / (double)n;
        for (long j = 0; j < n; j++) v += (x[i * n + j] - m) * (x[i * n + j] - m) / n;
        const double r = 1 / sqrt(v + 1e-5);
        for (long j = 0; j < n; j++) {
            const double h = (x[i * n + j] - m) * r, d = g[i * n + j];
            u += d * w[at + j / l], uh += d * w[at + j / l] * h;
            want_dw[at + j / l] += d * h, want_db[at + j / l] += d;
            if (differs(y[i * n + j], h * w[at + j / l] + b[at + j / l])) return 1;
        }
        for (long j = 0; j < n; j++) {
            const double h = (x[i * n + j] - m) * r;
            if (differs(dx[i * n + j], r * (g[i * n + j] * w[at + j / l] - ((centred ? u : 0) + h * uh) / n))) return 1;
        }
    }
    for (long j = 0; j < groups * k; j++)
        if (differs(dw[j], want_dw[j]) || differs(db[j], want_db[j])) return 1;
    return 0;
}

ENTRY(self_test)(void) {
    return wrong(9, 1, 40, 1, 1) + 2 * wrong(9, 1, 40, 1, 0) + 4 * wrong(6, 3, 2, 30, 1) + 8 * wrong(40, 2, 3, 1, 1);
}
