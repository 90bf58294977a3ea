/* Steps of optimizers, and norms, over all parameters by one call: each array is read and written once, where it lies.

   Python gives a list of arrays as an array of their addresses. The numbers of a list are cut into pieces, the same ones whatever
   the number of threads, and the pieces are shared out. */
#include "kernel.h"
#include "updates.h"

enum { PIECE = 4096, GRAIN = 4, STRANDS = 64 }; /* numbers; pieces for which a second thread pays; sums that a norm is made of */
typedef array *const *list;

#define LIST(o) ((list)(o)->data)

/* Whether o holds addresses of n arrays, float32 in the order of C, as large as those of `as` and to be written to if need be. */
static int fits(const array *o, long n, list as, int flags) {
    if (!is_ordered(o, INT64) || size(o) != n) return 0;
    for (long k = 0; k < n; k++) {
        const array *a = LIST(o)[k];
        if (!is_ordered(a, FLOAT32) || (a->flags & flags) != flags || size(a) != size(as[k])) return 0;
    }
    return 1;
}

static inline long pieces_of(const array *o) { return (size(o) + PIECE - 1) / PIECE; }

static long pieces(list a, long n) {
    long total = 0;
    for (long k = 0; k < n; k++) total += pieces_of(a[k]);
    return total;
}

/* A walk over pieces: `count` numbers of array k from `first` on, and how many more there are to come, this one included. */
struct place {
    long k, first, count, left;
};

static inline struct place settled(struct place at, list a) {
    long n = size(a[at.k]) - at.first;
    at.count = n < PIECE ? n : PIECE;
    return at;
}

static inline struct place start(list a, long piece, long end) {
    struct place at = {0, 0, 0, end - piece};
    if (at.left <= 0) return at;
    for (; piece >= pieces_of(a[at.k]); at.k++) piece -= pieces_of(a[at.k]);
    at.first = piece * PIECE;
    return settled(at, a);
}

static inline struct place next(struct place at, list a) {
    if (--at.left <= 0) return at;
    at.first += PIECE;
    if (at.first >= size(a[at.k]))
        for (at.first = 0, at.k++; !size(a[at.k]);) at.k++;
    return settled(at, a);
}

#define WALK(a, n, part, parts) \
    for (struct place at = start(a, edge(n, 1, part, parts), edge(n, 1, (part) + 1, parts)); at.left > 0; at = next(at, a))
#define AT(list) (F32((list)[at.k]) + at.first)
#define NUMBERS(i) _Pragma("omp simd") for (long i = 0; i < n; i++)

/* -- gradient descent --------------------------------------------------------------------------------------------- */
static inline __attribute__((always_inline)) void sgd_piece(float *p, const float *g, float *v, long n, struct sgd s, const int kind) {
    NUMBERS(i) p[i] = sgd_moved(p[i], g[i], v + i, s, kind);
}

KERNEL(sgd_step, list p; list g; list v; long pieces; struct sgd s; int kind;) {
    WALK(my.p, my.pieces, part, parts) {
        float *p = AT(my.p), *v = my.kind & MOMENTUM ? AT(my.v) : 0;
        switch (my.kind) {
#define CASE(k) \
    case k: sgd_piece(p, AT(my.g), v, at.count, my.s, k); break;
            CASE(0)
            CASE(DECAY)
            CASE(MOMENTUM)
            CASE(MOMENTUM | DECAY)
            CASE(MOMENTUM | NESTEROV)
            CASE(MOMENTUM | NESTEROV | DECAY)
        }
    }
}

/* v: None but with momentum. */
ENTRY(sgd)(array *p, array *g, array *v, float lr, float decay, float mu, float share, float sign, int kind) {
    if (!is_ordered(p, INT64)) return REFUSED;
    long n = size(p);
    list all = LIST(p);
    if (!fits(p, n, all, WRITEABLE) || !fits(g, n, all, 0) || (kind & MOMENTUM && !fits(v, n, all, WRITEABLE))) return REFUSED;
    long m = pieces(all, n);
    LAUNCH(sgd_step, m, GRAIN, all, LIST(g), kind & MOMENTUM ? LIST(v) : 0, m, {lr, decay, mu, share, sign}, kind);
    return DONE;
}

/* -- Adam and its relatives --------------------------------------------------------------------------------------- */
static inline __attribute__((always_inline)) void adam_piece(
    float *p, const float *g, float *m, float *v, float *w, long n, struct adam s, const int kind) {
    NUMBERS(i) p[i] = adam_moved(p[i], g[i], m + i, v + i, w + i, s, kind);
}

KERNEL(adam_step, list p; list g; list m; list v; list w; long pieces; struct adam s; int kind;) {
    WALK(my.p, my.pieces, part, parts) {
        float *p = AT(my.p), *m = AT(my.m), *v = AT(my.v), *w = my.kind & LARGEST ? AT(my.w) : 0;
        switch (my.kind) {
#undef CASE
#define CASE(k) \
    case k: adam_piece(p, AT(my.g), m, v, w, at.count, my.s, k); break;
            CASE(0)
            CASE(DECAY)
            CASE(LARGEST)
            CASE(LARGEST | DECAY)
            CASE(AHEAD)
            CASE(AHEAD | DECAY)
            CASE(PLAIN)
            CASE(PLAIN | DECAY)
            CASE(FARTHEST)
            CASE(FARTHEST | DECAY)
        }
    }
}

/* w, the largest v so far, or None. */
ENTRY(adam)(array *p, array *g, array *m, array *v, array *w, float rate, float direct, float stay, float decay, float share1, float beta2,
            float share2, float debias, float eps, float sign, int kind) {
    if (!is_ordered(p, INT64)) return REFUSED;
    long n = size(p);
    list all = LIST(p);
    if (!fits(p, n, all, WRITEABLE) || !fits(g, n, all, 0) || !fits(m, n, all, WRITEABLE) || !fits(v, n, all, WRITEABLE)) return REFUSED;
    if (kind & LARGEST && !fits(w, n, all, WRITEABLE)) return REFUSED;
    long many = pieces(all, n);
    LAUNCH(adam_step, many, GRAIN, all, LIST(g), LIST(m), LIST(v), kind & LARGEST ? LIST(w) : 0, many,
           {rate, direct, stay, decay, share1, beta2, share2, debias, eps, sign}, kind);
    return DONE;
}

/* -- rates that adapt to the size of gradients -------------------------------------------------------------------- */
static inline __attribute__((always_inline)) void rms_piece(
    float *p, const float *g, float *v, float *m, float *b, long n, struct rms s, const int kind) {
    NUMBERS(i) p[i] = rms_moved(p[i], g[i], v + i, m + i, b + i, s, kind);
}

KERNEL(rms_step, list p; list g; list v; list m; list b; long pieces; struct rms s; int kind;) {
    WALK(my.p, my.pieces, part, parts) {
        float *p = AT(my.p), *v = AT(my.v), *m = my.kind & CENTERED ? AT(my.m) : 0, *b = my.kind & MOMENTUM ? AT(my.b) : 0;
        switch (my.kind) {
#undef CASE
#define CASE(k) \
    case k: rms_piece(p, AT(my.g), v, m, b, at.count, my.s, k); break;
            CASE(0)
            CASE(DECAY)
            CASE(MOMENTUM)
            CASE(MOMENTUM | DECAY)
            CASE(CENTERED)
            CASE(CENTERED | DECAY)
            CASE(CENTERED | MOMENTUM)
            CASE(CENTERED | MOMENTUM | DECAY)
        }
    }
}

/* m, the gradients' means, and b, the momenta, or None. With alpha = share = 1 it is Adagrad. */
ENTRY(rms)(array *p, array *g, array *v, array *m, array *b, float lr, float decay, float alpha, float share, float eps, float mu, float sign,
           int kind) {
    if (!is_ordered(p, INT64)) return REFUSED;
    long n = size(p);
    list all = LIST(p);
    if (!fits(p, n, all, WRITEABLE) || !fits(g, n, all, 0) || !fits(v, n, all, WRITEABLE)) return REFUSED;
    if ((kind & CENTERED && !fits(m, n, all, WRITEABLE)) || (kind & MOMENTUM && !fits(b, n, all, WRITEABLE))) return REFUSED;
    long many = pieces(all, n);
    LAUNCH(rms_step, many, GRAIN, all, LIST(g), LIST(v), kind & CENTERED ? LIST(m) : 0, kind & MOMENTUM ? LIST(b) : 0, many,
           {lr, decay, alpha, share, eps, mu, sign}, kind);
    return DONE;
}

/* -- averages ----------------------------------------------------------------------------------------------------- */
KERNEL(approach, float *a; const float *p; float share; long n;) {
    float *a = my.a;
    const float *p = my.p, share = my.share;
    EACH(i, my.n) { a[i] += (p[i] - a[i]) * share; }
}

ENTRY(averaged)(array *a, array *p, float share) {
    if (!is_ordered(a, FLOAT32) || !is_ordered(p, FLOAT32) || !(a->flags & WRITEABLE) || size(a) != size(p)) return REFUSED;
    LAUNCH(approach, size(a), GRAIN * PIECE, F32(a), F32(p), share, size(a));
    return DONE;
}

/* -- norms -------------------------------------------------------------------------------------------------------- */
static inline double squares(const float *a, long n) {
    double s = 0;
    _Pragma("omp simd reduction(+ : s)") for (long i = 0; i < n; i++) s += (double)a[i] * a[i];
    return s;
}

/* A strand is a run of pieces, added up in its order. */
KERNEL(strands, list a; long pieces; double *sums;) {
    ROW(r, STRANDS) {
        double s = 0;
        WALK(my.a, my.pieces, r, STRANDS) s += squares(AT(my.a), at.count);
        my.sums[r] = s;
    }
}

/* y: the square root of the sum of the squares of all numbers of a, which is accumulated in double precision. */
ENTRY(norm)(array *a, array *y) {
    double sums[STRANDS], total = 0;
    if (!is_ordered(a, INT64) || !fits(a, size(a), LIST(a), 0) || !is_ordered(y, FLOAT32) || size(y) != 1) return REFUSED;
    long n = pieces(LIST(a), size(a));
    LAUNCH(strands, STRANDS, STRANDS * GRAIN / (n + 1) + 1, LIST(a), n, sums);
    for (int r = 0; r < STRANDS; r++) total += sums[r];
    *F32(y) = (float)sqrt(total);
    return DONE;
}

KERNEL(times, list a; long pieces; float by;) {
    WALK(my.a, my.pieces, part, parts) {
        float *a = AT(my.a);
        const long n = at.count;
        const float by = my.by;
        NUMBERS(i) a[i] *= by;
    }
}

/* All numbers of a times the number in `by`, in place. */
ENTRY(scale)(array *a, array *by) {
    if (!is_ordered(a, INT64) || !fits(a, size(a), LIST(a), WRITEABLE) || !is_ordered(by, FLOAT32) || size(by) != 1) return REFUSED;
    long n = pieces(LIST(a), size(a));
    if (*F32(by) != 1) LAUNCH(times, n, GRAIN, LIST(a), n, *F32(by));
    return DONE;
}

/* -- before the library is used for the first time ---------------------------------------------------------------- */
enum { LONG = 2 * PIECE + 75, MANY = 3 };

/* An array around these numbers. */
static array around(float *data, long *shape, struct dtype *dtype) {
    array o = {.data = (char *)data, .axes = 1, .shape = shape, .dtype = dtype, .flags = ORDERED | ALIGNED | WRITEABLE};
    return o;
}

static int differs(float got, double want) { return !(fabs(got - want) <= 1e-5 * (1 + fabs(want))); }

ENTRY(self_test)(void) {
    static float numbers[5][2 * LONG]; /* p, g, m, v, w */
    array arrays[5][MANY], lists[5], total, many;
    array *pointers[5][MANY];
    struct dtype real = {.order = '=', .number = FLOAT32}, whole = {.order = '=', .number = INT64};
    long shapes[MANY] = {LONG, 0, LONG}, three = MANY, one = 1;
    float y = 0, half = 0.5f;
    for (int j = 0; j < 5; j++) {
        for (int k = 0; k < MANY; k++) {
            arrays[j][k] = around(numbers[j] + (k == 2) * LONG, &shapes[k], &real);
            pointers[j][k] = &arrays[j][k];
        }
        lists[j] = around((float *)pointers[j], &three, &whole);
    }
    for (int i = 0; i < 2 * LONG; i++)
        for (int j = 0; j < 5; j++) numbers[j][i] = 0.01f * (float)((i + 37 * j) % 101) + (j < 3 ? -0.5f : 0.1f);
    total = around(&y, &one, &real), many = around(&half, &one, &real);
    if (mg_norm(&lists[1], &total)) return 1;
    double squared = 0;
    for (int i = 0; i < 2 * LONG; i++) squared += (double)numbers[1][i] * numbers[1][i];
    if (differs(y, sqrt(squared))) return 2;
    static float before[5][2 * LONG];
    memcpy(before, numbers, sizeof before);
    if (mg_adam(&lists[0], &lists[1], &lists[2], &lists[3], &lists[4], 0.1f, 0, 0.9f, 0.2f, 0.1f, 0.99f, 0.01f, 1.5f, 0.01f, -1,
                LARGEST | DECAY))
        return 3;
    for (int i = 0; i < 2 * LONG; i++) {
        double p = before[0][i], g = 0.2 * p - before[1][i], m = before[2][i] + 0.1 * (g - before[2][i]);
        double v = 0.99 * before[3][i] + 0.01 * g * g, w = v > before[4][i] ? v : before[4][i];
        if (differs(numbers[2][i], m) || differs(numbers[3][i], v) || differs(numbers[4][i], w)) return 4;
        if (differs(numbers[0][i], 0.9 * p - 0.1 * m / (sqrt(w) * 1.5 + 0.01))) return 5;
    }
    memcpy(before, numbers, sizeof before);
    if (mg_rms(&lists[0], &lists[1], &lists[3], &lists[2], &lists[4], 0.1f, 0.2f, 0.9f, 0.1f, 0.01f, 0.5f, -1, CENTERED | MOMENTUM | DECAY))
        return 10;
    for (int i = 0; i < 2 * LONG; i++) {
        double p = before[0][i], g = 0.2 * p - before[1][i], m = before[2][i] + 0.1 * (g - before[2][i]), v = 0.9 * before[3][i] + 0.1 * g * g;
        double u = v > m * m ? v - m * m : 0, b = 0.5 * before[4][i] + g / (sqrt(u) + 0.01);
        if (differs(numbers[2][i], m) || differs(numbers[3][i], v)) return 11;
        if (u > 1e-3 && (differs(numbers[4][i], b) || differs(numbers[0][i], p - 0.1 * b))) return 12;
    }
    memcpy(before, numbers, sizeof before);
    if (mg_sgd(&lists[0], &lists[1], &lists[2], 0.1f, 0.2f, 0.9f, 0.5f, 1, MOMENTUM | NESTEROV | DECAY)) return 6;
    for (int i = 0; i < 2 * LONG; i++) {
        double p = before[0][i], g = before[1][i] + 0.2 * p, v = 0.9 * before[2][i] + 0.5 * g;
        if (differs(numbers[2][i], v) || differs(numbers[0][i], p - 0.1 * (g + 0.9 * v))) return 7;
    }
    if (mg_scale(&lists[1], &many)) return 8;
    for (int i = 0; i < 2 * LONG; i++)
        if (numbers[1][i] != 0.5f * before[1][i]) return 9;
    return 0;
}
