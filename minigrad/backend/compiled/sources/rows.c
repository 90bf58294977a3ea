/* Softmax, its logarithm, cross entropy and their slopes, float32, along the middle axis of (outer, n, inner). Where inner is 1, a row is
   read from the first cache while it is worked on; else columns are taken BLOCK at a time, and n of them lie apart. */
#include "kernel.h"
#include "maths.h"
#include "moments.h"

enum { BLOCK = 64, CHUNK = 512, COSTLY = GRAIN / 4 };

typedef struct {
    const float *x, *g, *hit, *total;
    const uint8_t *valid;
    const array *labels;
    float *y;
    long outer, n, inner;
    float every_hit, every_total;
} problem;

enum { STEP = 16 }; /* numbers that are taken at a time, in one vector or some; the last few of a longer row are taken with some before */
#define STEPS(j, n) for (long j = 0, last = (n) - STEP; j >= 0; j = j == last ? -1 : smaller(j + STEP, last))

static inline void larger_of(float *a, const float *b) {
#pragma omp simd
    for (int k = 0; k < STEP; k++) a[k] = b[k] > a[k] ? b[k] : a[k];
}

static inline float largest_of(float *a) {
    for (int half = STEP / 2; half; half /= 2)
        for (int k = 0; k < half; k++) a[k] = a[k + half] > a[k] ? a[k + half] : a[k];
    return a[0];
}

/* e to a number that is not above 0, as exp_of, but that what is smaller than all normal numbers is 0: nothing beside the largest, 1. */
FUNCTION float exp_below(float x) {
    const float big = 12582912.0f;
    float z = most(x, -87.0f), shifted = z * 1.44269504f + big, n = shifted - big;
    float r = z - n * 0.693359375f + n * 2.12194440e-4f;
    float q = 0.00138142197f;
    q = q * r + 0.0083688989f;
    q = q * r + 0.0416684058f;
    q = q * r + 0.166665191f;
    q = q * r + 0.499999933f;
    float y = (q * r * r + r + 1.0f) * real((bits(shifted) - 0x4b400000 + 127) << 23);
    return x < -87.0f ? 0.0f : y;
}

static inline void powers_of(const float *x, float *e, float m) {
#pragma omp simd
    for (int k = 0; k < STEP; k++) e[k] = exp_below(x[k] - m);
}

static inline float added(const float *e, long n) {
    float s1 = 0, s2 = 0;
#define ITSELF_ONLY(T, j, u, v) u = AT(T, e, j), v = u
    SUMS(n, s1, s2, ITSELF_ONLY);
    return s1;
}

/* The largest of a row, which is any number where there is NaN, for then all that follows becomes NaN; the sum of e to the numbers less
   it; and these in y unless it is null. */
static inline double powers(const float *x, float *y, long n, float *m) {
    float some[STEP], e[CHUNK + STEP];
    if (n < STEP) {
        for (int k = 0; k < STEP; k++) some[k] = x[k < n ? k : 0];
        memcpy(e, some, sizeof some);
        *m = largest_of(e);
        powers_of(some, e, *m);
        for (long j = 0; y && j < n; j++) y[j] = e[j];
        return added(e, n);
    }
    memcpy(some, x, sizeof some);
    STEPS(j, n) larger_of(some, x + j);
    *m = largest_of(some);
    double sum = 0;
    for (long first = 0; first < n; first += CHUNK) { /* what is left of a row is no chunk of less than a step */
        const long length = n - first < CHUNK + STEP ? n - first : CHUNK;
        float *to = y ? y + first : e;
        STEPS(j, length) powers_of(x + first + j, to + j, *m);
        sum += added(to, length);
        if (length != CHUNK) break;
    }
    return sum;
}

/* The same of w columns: the largest and the sums, each in an array. */
static void powers_of_columns(const float *x, float *y, long n, long stride, long w, float *m, float *sum) {
    for (long j = 0; j < w; j++) m[j] = -__builtin_inff(), sum[j] = 0;
    for (long c = 0; c < n; c++)
#pragma omp simd
        for (long j = 0; j < w; j++) m[j] = x[c * stride + j] > m[j] ? x[c * stride + j] : m[j];
    for (long c = 0; c < n; c++) {
#pragma omp simd
        for (long j = 0; j < w; j++) {
            const float e = exp_below(x[c * stride + j] - m[j]);
            sum[j] += e;
            if (y) y[c * stride + j] = e;
        }
    }
}

/* -- how the work is shared out ------------------------------------------------------------------------------------------ */
/* What lies as (outer, n, inner), where inner is 1 and n small, is turned into columns. */
static inline int is_turned(const problem *p) { return p->inner == 1 && p->n < STEP; }
static inline long tasks(const problem *p) {
    return is_turned(p) ? (p->outer + BLOCK - 1) / BLOCK : p->inner == 1 ? p->outer : p->outer * ((p->inner + BLOCK - 1) / BLOCK);
}

static inline void turned(const float *x, float *y, long n, long w) {
    for (long j = 0; j < w; j++)
        for (long c = 0; c < n; c++) y[c * BLOCK + j] = x[j * n + c];
}

static inline void turned_back(const float *x, float *y, long n, long w) {
    for (long j = 0; j < w; j++)
        for (long c = 0; c < n; c++) y[j * n + c] = x[c * BLOCK + j];
}

/* A kernel from name_row(problem, where in x the row is, its number), and name_columns(problem, where in x the first of w columns is, its
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
            } else if (p->inner == 1)                                                                        \
                name##_row(p, i * p->n, i);                                                                  \
            else {                                                                                           \
                const long column = i % per * BLOCK, w = smaller(BLOCK, p->inner - column);                  \
                name##_columns(p, i / per * p->n * p->inner + column, i / per * p->inner + column, w);       \
            }                                                                                                \
        }                                                                                                    \
    }

/* -- softmax ------------------------------------------------------------------------------------------------------------ */
static void softmax_row(const problem *p, long at, long row) {
    float m;
    const float by = (float)(1 / powers(p->x + at, p->y + at, p->n, &m));
    times(p->y + at, p->y + at, p->n, by);
    (void)row;
}

static void softmax_columns(const problem *p, long at, long row, long w) {
    float m[BLOCK], s[BLOCK];
    powers_of_columns(p->x + at, p->y + at, p->n, p->inner, w, m, s);
    for (long j = 0; j < w; j++) s[j] = 1 / s[j];
    for (long c = 0; c < p->n; c++)
        for (long j = 0; j < w; j++) p->y[at + c * p->inner + j] *= s[j];
    (void)row;
}

static void log_softmax_row(const problem *p, long at, long row) {
    const float *x = p->x + at;
    float *y = p->y + at, m;
    const float l = log_of((float)powers(x, 0, p->n, &m));
#pragma omp simd
    for (long j = 0; j < p->n; j++) y[j] = (x[j] - m) - l;
    (void)row;
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
static inline int valid(const problem *p, long row) { return !p->valid || p->valid[row]; }

static void cross_entropy_row(const problem *p, long at, long row) {
    const float *x = p->x + at;
    float m;
    const float l = log_of((float)powers(x, 0, p->n, &m));
    p->y[row] = valid(p, row) ? total(p, row) * l - hit(p, row) * (x[label(p, row)] - m) : 0;
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
    const float *x = p->x + at, g = p->g[row];
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
        const float by = total(p, row + j) / s[j], g = p->g[row + j];
        mine[j] = (p->y[at + label(p, row + j) * p->inner + j] * by - hit(p, row + j)) * g;
        s[j] = by * g;
    }
    for (long c = 0; c < p->n; c++)
        for (long j = 0; j < w; j++) p->y[at + c * p->inner + j] *= s[j];
    for (long j = 0; j < w; j++)
        if (valid(p, row + j))
            p->y[at + label(p, row + j) * p->inner + j] = mine[j];
        else
            for (long c = 0; c < p->n; c++) p->y[at + c * p->inner + j] = 0 * p->g[row + j];
}

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

enum { HITS = 1, TOTALS = 2, VALID = 4 };

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
                              float total, int given) {
    problem p = {.every_hit = hit, .every_total = total};
    if (!labelled(&p, x, labels, hits, totals, valids, given) || !is(y, FLOAT32) || !like(x, y)) return REFUSED;
    if (!is_ordered(g, FLOAT32) || size(g) != p.outer * p.inner) return REFUSED;
    p.g = F32(g), p.y = F32(y);
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
