/* Softmax, its logarithm, cross entropy and their slopes, float32, along the middle axis of (outer, n, inner). Where inner is 1, a row is
   read from the first cache while it is worked on; else columns are taken BLOCK at a time, and n of them lie apart. */
#include "kernel.h"
#include "maths.h"
#include "moments.h"
#include "powers.h"

enum { BLOCK = 64, COSTLY = GRAIN / 4 };

typedef struct {
    const float *x, *g, *hit, *total;
    const uint8_t *valid;
    const array *labels;
    float *y;
    long outer, n, inner;
    float every_hit, every_total, every_g;
} problem;

/* -- how the work is shared out ------------------------------------------------------------------------------------------ */
/* What lies as (outer, n, inner), where inner is 1 and n small, is turned into columns. */
static inline int is_turned(const problem *p) { return p->inner == 1 && p->n < STEP; }
/* Rows are taken STEP at a time, so that one call computes all their logarithms; but long ones one by one. */
static inline long together(const problem *p) { return p->n < CHUNK ? STEP : 1; }
static inline long tasks(const problem *p) {
    if (is_turned(p)) return (p->outer + BLOCK - 1) / BLOCK;
    return p->inner == 1 ? (p->outer + together(p) - 1) / together(p) : p->outer * ((p->inner + BLOCK - 1) / BLOCK);
}

static inline void turned(const float *x, float *y, long n, long w) {
    for (long j = 0; j < w; j++)
        for (long c = 0; c < n; c++) y[c * BLOCK + j] = x[j * n + c];
}

static inline void turned_back(const float *x, float *y, long n, long w) {
    for (long j = 0; j < w; j++)
        for (long c = 0; c < n; c++) y[j * n + c] = x[c * BLOCK + j];
}

/* A kernel from name_rows(problem, the number of the first of w rows, w), and name_columns(problem, where in x the first of w columns is, its
   number, w). `writes` and `reads` say whether y and g are like x, and are turned with it. */
#define SOFT(name, writes, reads)                                                                            \
    KERNEL(name, problem of;) {                                                                              \
        const problem *p = &my.of;                                                                           \
        const long per = (p->inner + BLOCK - 1) / BLOCK, all = tasks(p);                                     \
        ROW(i, all) {                                                                                        \
            if (is_turned(p)) {                                                                              \
                const long row = i * BLOCK, w = smaller(BLOCK, p->outer - row), at = row * p->n;             \
                float x[STEP * BLOCK], g[STEP * BLOCK], y[STEP * BLOCK];                                     \
                problem q = *p;                                                                              \
                q.x = x, q.inner = BLOCK;                                                                    \
                turned(p->x + at, x, p->n, w);                                                               \
                if (reads) turned(p->g + at, g, p->n, w), q.g = g;                                           \
                if (writes) q.y = y;                                                                         \
                name##_columns(&q, 0, row, w);                                                               \
                if (writes) turned_back(y, p->y + at, p->n, w);                                              \
            } else if (p->inner == 1) {                                                                      \
                const long row = i * together(p);                                                            \
                name##_rows(p, row, smaller(together(p), p->outer - row));                                   \
            } else {                                                                                           \
                const long column = i % per * BLOCK, w = smaller(BLOCK, p->inner - column);                  \
                name##_columns(p, i / per * p->n * p->inner + column, i / per * p->inner + column, w);       \
            }                                                                                                \
        }                                                                                                    \
    }

/* -- softmax ------------------------------------------------------------------------------------------------------------ */
static void softmax_rows(const problem *p, long row, long w) {
    for (long at = row * p->n; at < (row + w) * p->n; at += p->n) {
        float m;
        const float by = (float)(1 / powers(p->x + at, p->y + at, p->n, &m));
        times(p->y + at, p->y + at, p->n, by);
    }
}

static void softmax_columns(const problem *p, long at, long row, long w) {
    float m[BLOCK], s[BLOCK];
    powers_of_columns(p->x + at, p->y + at, p->n, p->inner, w, m, s);
    for (long j = 0; j < w; j++) s[j] = 1 / s[j];
    for (long c = 0; c < p->n; c++)
        for (long j = 0; j < w; j++) p->y[at + c * p->inner + j] *= s[j];
    (void)row;
}

/* Of each of w rows the largest number, and the logarithm of the sum of e to its numbers less that. */
static void logarithms(const problem *p, long row, long w, float *m, float *l) {
    float sum[STEP] = {0};
    for (long r = 0; r < w; r++) sum[r] = (float)powers(p->x + (row + r) * p->n, 0, p->n, m + r);
#pragma omp simd
    for (int r = 0; r < STEP; r++) l[r] = log_of(sum[r]);
}

static void log_softmax_rows(const problem *p, long row, long w) {
    float m[STEP], l[STEP];
    logarithms(p, row, w, m, l);
    for (long r = 0; r < w; r++) {
        const float *x = p->x + (row + r) * p->n;
        float *y = p->y + (row + r) * p->n;
#pragma omp simd
        for (long j = 0; j < p->n; j++) y[j] = (x[j] - m[r]) - l[r];
    }
}

static void log_softmax_columns(const problem *p, long at, long row, long w) {
    float m[BLOCK], s[BLOCK];
    powers_of_columns(p->x + at, 0, p->n, p->inner, w, m, s);
    for (long j = 0; j < w; j++) s[j] = log_of(s[j]);
    for (long c = 0; c < p->n; c++)
        for (long j = 0; j < w; j++) p->y[at + c * p->inner + j] = (p->x[at + c * p->inner + j] - m[j]) - s[j];
    (void)row;
}

/* x is the output of softmax. */
static void softmax_gradient_row(const problem *p, long at, long row) {
    const float *g = p->g + at, *x = p->x + at;
    float *y = p->y + at;
    double sum = 0;
    for (long first = 0; first < p->n; first += CHUNK) {
        const long n = smaller(p->n - first, CHUNK);
        const float *a = g + first, *b = x + first;
        float s1 = 0, s2 = 0;
#define PRODUCT(T, j, u, v) u = AT(T, a, j) * AT(T, b, j), v = u
        SUMS(n, s1, s2, PRODUCT);
        sum += s1;
    }
    const float s = (float)sum;
#pragma omp simd
    for (long j = 0; j < p->n; j++) y[j] = g[j] * x[j] - x[j] * s;
    (void)row;
}

static void softmax_gradient_columns(const problem *p, long at, long row, long w) {
    float s[BLOCK] = {0};
    for (long c = 0; c < p->n; c++)
        for (long j = 0; j < w; j++) s[j] += p->g[at + c * p->inner + j] * p->x[at + c * p->inner + j];
    for (long c = 0; c < p->n; c++)
        for (long j = 0; j < w; j++) {
            const float g = p->g[at + c * p->inner + j], x = p->x[at + c * p->inner + j];
            p->y[at + c * p->inner + j] = g * x - x * s[j];
        }
    (void)row;
}

static void log_softmax_gradient_row(const problem *p, long at, long row) {
    const float *g = p->g + at, *x = p->x + at;
    float *y = p->y + at;
    double sum = 0;
    for (long first = 0; first < p->n; first += CHUNK) {
        const long n = smaller(p->n - first, CHUNK);
        const float *a = g + first;
        float s1 = 0, s2 = 0;
#define GRADIENT(T, j, u, v) u = AT(T, a, j), v = u
        SUMS(n, s1, s2, GRADIENT);
        sum += s1;
    }
    const float s = (float)sum;
#pragma omp simd
    for (long j = 0; j < p->n; j++) y[j] = g[j] - exp_of(x[j]) * s;
    (void)row;
}

static void log_softmax_gradient_columns(const problem *p, long at, long row, long w) {
    float s[BLOCK] = {0};
    for (long c = 0; c < p->n; c++)
        for (long j = 0; j < w; j++) s[j] += p->g[at + c * p->inner + j];
    for (long c = 0; c < p->n; c++)
#pragma omp simd
        for (long j = 0; j < w; j++) p->y[at + c * p->inner + j] = p->g[at + c * p->inner + j] - exp_of(p->x[at + c * p->inner + j]) * s[j];
    (void)row;
}

/* -- cross entropy: hit (log sum - x[label]) + (total - hit) log sum, and 0 where a row is not valid -------------------- */
static inline long label(const problem *p, long row) {
    return p->labels->dtype->number == INT32 ? ((const int32_t *)p->labels->data)[row] : ((const int64_t *)p->labels->data)[row];
}
static inline float hit(const problem *p, long row) { return p->hit ? p->hit[row] : p->every_hit; }
static inline float total(const problem *p, long row) { return p->total ? p->total[row] : p->every_total; }
static inline float incoming(const problem *p, long row) { return p->g ? p->g[row] : p->every_g; }
static inline int valid(const problem *p, long row) { return !p->valid || p->valid[row]; }

static void cross_entropy_rows(const problem *p, long row, long w) {
    float m[STEP], l[STEP];
    logarithms(p, row, w, m, l);
    for (long r = 0; r < w; r++) {
        const long i = row + r;
        p->y[i] = valid(p, i) ? total(p, i) * l[r] - hit(p, i) * (p->x[i * p->n + label(p, i)] - m[r]) : 0;
    }
}

static void cross_entropy_columns(const problem *p, long at, long row, long w) {
    float m[BLOCK], s[BLOCK];
    powers_of_columns(p->x + at, 0, p->n, p->inner, w, m, s);
    for (long j = 0; j < w; j++) {
        const float mine = p->x[at + label(p, row + j) * p->inner + j] - m[j];
        p->y[row + j] = valid(p, row + j) ? total(p, row + j) * log_of(s[j]) - hit(p, row + j) * mine : 0;
    }
}

static void cross_entropy_gradient_row(const problem *p, long at, long row) {
    const float *x = p->x + at, g = incoming(p, row);
    float *y = p->y + at, m;
    if (!valid(p, row)) {
        for (long j = 0; j < p->n; j++) y[j] = 0 * g;
        return;
    }
    const float by = (float)(total(p, row) / powers(x, y, p->n, &m));
    const long c = label(p, row);
    const float mine = (y[c] * by - hit(p, row)) * g;
    times(y, y, p->n, by * g);
    y[c] = mine;
}

static void cross_entropy_gradient_columns(const problem *p, long at, long row, long w) {
    float m[BLOCK], s[BLOCK], mine[BLOCK];
    powers_of_columns(p->x + at, p->y + at, p->n, p->inner, w, m, s);
    for (long j = 0; j < w; j++) {
        const float by = total(p, row + j) / s[j], g = incoming(p, row + j);
        mine[j] = (p->y[at + label(p, row + j) * p->inner + j] * by - hit(p, row + j)) * g;
        s[j] = by * g;
    }
    for (long c = 0; c < p->n; c++)
        for (long j = 0; j < w; j++) p->y[at + c * p->inner + j] *= s[j];
    for (long j = 0; j < w; j++)
        if (valid(p, row + j))
            p->y[at + label(p, row + j) * p->inner + j] = mine[j];
        else
            for (long c = 0; c < p->n; c++) p->y[at + c * p->inner + j] = 0 * incoming(p, row + j);
}

#define ROW_BY_ROW(name)                                                   \
    static void name##_rows(const problem *p, long row, long w) {          \
        for (long r = row; r < row + w; r++) name##_row(p, r * p->n, r);   \
    }
ROW_BY_ROW(softmax_gradient)
ROW_BY_ROW(log_softmax_gradient)
ROW_BY_ROW(cross_entropy_gradient)
SOFT(softmax, 1, 0)
SOFT(log_softmax, 1, 0)
SOFT(softmax_gradient, 1, 1)
SOFT(log_softmax_gradient, 1, 1)
SOFT(cross_entropy, 0, 0)
SOFT(cross_entropy_gradient, 1, 0)
#define RUN(name, p, grain) LAUNCH(name, tasks(&(p)), larger(1, (grain) * tasks(&(p)) / ((p).outer * (p).n * (p).inner)), p)

/* -- what Python calls -------------------------------------------------------------------------------------------------- */
static int laid(const array *x, const array *y, long n, long inner, problem *p) {
    if (!is_ordered(x, FLOAT32) || !is(y, FLOAT32) || !like(x, y) || n < 1 || inner < 1 || size(x) < 1 || size(x) % (n * inner)) return 0;
    p->x = F32(x), p->y = F32(y), p->n = n, p->inner = inner, p->outer = size(x) / n / inner;
    return 1;
}

#define ONE(name)                                               \
    ENTRY(name)(array *x, array *y, long n, long inner) {       \
        problem p = {0};                                        \
        if (!laid(x, y, n, inner, &p)) return REFUSED;          \
        RUN(name, p, COSTLY);                                   \
        return DONE;                                            \
    }                                                           \
    ENTRY(name##_gradient)(array *g, array *x, array *y, long n, long inner) {                         \
        problem p = {0};                                                                               \
        if (!laid(x, y, n, inner, &p) || !is_ordered(g, FLOAT32) || !like(g, x)) return REFUSED;       \
        p.g = F32(g);                                                                                  \
        RUN(name##_gradient, p, COSTLY);                                                               \
        return DONE;                                                                                   \
    }
ONE(softmax)
ONE(log_softmax)

/* One per row, or given as a number. */
static int each(const array *o, int number, int given, long rows, const void **to) {
    if (!given) return 1;
    if (!is_ordered(o, number) || size(o) != rows) return 0;
    *to = o->data;
    return 1;
}

enum { HITS = 1, TOTALS = 2, VALID = 4, SLOPES = 8 };

static int labelled(problem *p, const array *x, const array *labels, const array *hits, const array *totals, const array *valids,
                    int given) {
    if (!is(x, FLOAT32) || x->axes < 2) return 0;
    p->outer = x->shape[0], p->n = x->shape[1], p->inner = 1;
    for (int i = 2; i < x->axes; i++) p->inner *= x->shape[i];
    const long rows = p->outer * p->inner;
    if (!is_ordered(x, FLOAT32) || rows < 1 || p->n < 1) return 0;
    if ((!is_ordered(labels, INT64) && !is_ordered(labels, INT32)) || size(labels) != rows) return 0;
    if (!each(hits, FLOAT32, given & HITS, rows, (const void **)&p->hit)) return 0;
    if (!each(totals, FLOAT32, given & TOTALS, rows, (const void **)&p->total)) return 0;
    if (!each(valids, BOOL, given & VALID, rows, (const void **)&p->valid)) return 0;
    p->x = F32(x), p->labels = labels;
    for (long i = 0; i < rows; i++)
        if (label(p, i) < 0 || label(p, i) >= p->n) return 0;
    return 1;
}

ENTRY(cross_entropy)(array *x, array *labels, array *hits, array *totals, array *valids, array *y, float hit, float total, int given) {
    problem p = {.every_hit = hit, .every_total = total};
    if (!labelled(&p, x, labels, hits, totals, valids, given) || !is_ordered(y, FLOAT32) || size(y) != p.outer * p.inner) return REFUSED;
    p.y = F32(y);
    RUN(cross_entropy, p, COSTLY);
    return DONE;
}

ENTRY(cross_entropy_gradient)(array *x, array *g, array *labels, array *hits, array *totals, array *valids, array *y, float hit,
                              float total, float slope, int given) {
    problem p = {.every_hit = hit, .every_total = total, .every_g = slope};
    if (!labelled(&p, x, labels, hits, totals, valids, given) || !is(y, FLOAT32) || !like(x, y)) return REFUSED;
    if (!each(g, FLOAT32, given & SLOPES, p.outer * p.inner, (const void **)&p.g)) return REFUSED;
    p.y = F32(y);
    RUN(cross_entropy_gradient, p, COSTLY);
    return DONE;
}

/* -- before the library is used for the first time, in a process of its own --------------------------------------- */
static int wrong(long outer, long n, long inner) {
    float x[300], g[300], y[300], dx[300], l[300], dl[300], loss[100], slope_[300];
    int64_t labels[100];
    struct dtype wide = {.number = INT64};
    array number = {.data = (char *)labels, .dtype = &wide};
    for (int i = 0; i < 300; i++) x[i] = 0.1f * (i * i % 97), g[i] = 0.02f * (i * 7 % 53) - 0.5f;
    for (int i = 0; i < 100; i++) labels[i] = i % n;
    problem p = {.x = x, .g = g, .labels = &number, .y = y, .outer = outer, .n = n, .inner = inner, .every_hit = 1, .every_total = 1};
    RUN(softmax, p, 1000);
    p.y = l;
    RUN(log_softmax, p, 1000);
    p.y = loss;
    RUN(cross_entropy, p, 1000);
    p.y = slope_;
    RUN(cross_entropy_gradient, p, 1000);
    p.x = y, p.y = dx;
    RUN(softmax_gradient, p, 1000);
    p.x = l, p.y = dl;
    RUN(log_softmax_gradient, p, 1000);
    for (long row = 0; row < outer * inner; row++) {
        const long at = row / inner * n * inner + row % inner;
        double s = 0, sg = 0, sgy = 0;
        for (long c = 0; c < n; c++) s += exp(x[at + c * inner]);
        for (long c = 0; c < n; c++) sg += g[at + c * inner], sgy += g[at + c * inner] * exp(x[at + c * inner]) / s;
        double worst = fabs(loss[row] - log(s) + x[at + labels[row] * inner]);
        for (long c = 0; c < n; c++) {
            const long i = at + c * inner;
            const double q = exp(x[i]) / s;
            worst = fmax(worst, fmax(fabs(y[i] - q), fabs(l[i] - x[i] + log(s))));
            worst = fmax(worst, fmax(fabs(dx[i] - q * (g[i] - sgy)), fabs(dl[i] - g[i] + q * sg)));
            worst = fmax(worst, fabs(slope_[i] - g[row] * (q - (c == labels[row]))));
        }
        if (!(worst < 1e-5)) return 1;
    }
    return 0;
}

ENTRY(self_test)(void) { return wrong(4, 75, 1) + 2 * wrong(30, 10, 1) + 4 * wrong(1, 3, 100) + 8 * wrong(2, 30, 5); }
