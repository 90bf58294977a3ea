/* Between the two products of attention, float32: scores become weights in place, row by row, while a row is in the nearest cache;
   and the way back. The sums of rows are made of blocks, whose sums are added in double precision. */
#include "kernel.h"
#include "maths.h"

#include <math.h>
#define GRAIN 16384 /* scores for which a second thread pays */
enum { BLOCK = 1024, AXES = 8, LANES = 16, ROWS = 64 };
#define COLUMNS(j, from, to) _Pragma("omp simd") for (long j = from; j < to; j++)

/* What scores are multiplied by; how many keys each query sees, if it must not look ahead; and the rows of an array that goes with the
   scores, whose axes may have length 1. */
struct rows {
    const char *data;
    long strides[AXES];
    int number;
};
struct scores {
    float scale, gain;
    long columns, first, axes, shape[AXES];
    struct rows mask, keep;
};

/* Whether o, of these dtypes, goes with the scores, one number after the other in a row. If it is the scores themselves, there is none. */
static int follows(struct rows *to, const array *o, const array *s, int one, int other) {
    *to = (struct rows){0};
    if (o == s) return 1;
    if (!is(o, one) && !is(o, other)) return 0;
    to->data = o->data, to->number = o->dtype->number;
    if (o->axes != s->axes) return 0;
    for (int i = 0; i < o->axes; i++) {
        if (o->shape[i] != s->shape[i] && o->shape[i] != 1) return 0;
        to->strides[i] = o->shape[i] == 1 ? 0 : o->strides[i];
    }
    const int last = o->axes - 1;
    return o->shape[last] == s->shape[last] && (o->shape[last] == 1 || o->strides[last] == (to->number == BOOL ? 1 : 4));
}

static inline const void *row_of(const struct rows *o, const struct scores *my, long r) {
    const char *p = o->data;
    for (long i = my->axes - 2; i >= 0; r /= my->shape[i], i--) p += r % my->shape[i] * o->strides[i];
    return p;
}

/* How many keys the query of row r sees. */
static inline long seen(const struct scores *my, long r) {
    if (my->first < 0) return my->columns;
    const long w = my->first + r % my->shape[my->axes - 2] + 1;
    return w < my->columns ? w : my->columns;
}

/* As many and some more, so that the instructions' lanes are full. */
static inline long filled(const struct scores *my, long w) {
    w = (w + LANES - 1) / LANES * LANES;
    return w < my->columns ? w : my->columns;
}

static int described(struct scores *to, const array *s, const array *mask, const array *keep, const array *z, double scale, double gain,
                     long first) {
    if (!is_ordered(s, FLOAT32) || s->axes < 2 || s->axes > AXES || !(s->flags & WRITEABLE) || !size(s)) return 0;
    to->scale = (float)scale, to->gain = (float)gain, to->first = first, to->axes = s->axes, to->columns = s->shape[s->axes - 1];
    for (int i = 0; i < s->axes; i++) to->shape[i] = s->shape[i];
    return follows(&to->mask, mask, s, BOOL, FLOAT32) && follows(&to->keep, keep, s, BOOL, BOOL) && is_ordered(z, FLOAT32) &&
           size(z) * to->columns == size(s);
}

/* The first w scores of a row, scaled and masked; -inf from there to `end`. */
static inline void finish(float *restrict s, const struct scores *my, long r, long w, long end) {
    const float scale = my->scale;
    if (!my->mask.data) {
        COLUMNS(j, 0, w) s[j] *= scale;
    } else if (my->mask.number == BOOL) {
        const unsigned char *restrict m = row_of(&my->mask, my, r);
        COLUMNS(j, 0, w) s[j] = m[j] ? s[j] * scale : -__builtin_inff();
    } else {
        const float *restrict m = row_of(&my->mask, my, r);
        COLUMNS(j, 0, w) s[j] = s[j] * scale + m[j];
    }
    for (long j = w; j < end; j++) s[j] = -__builtin_inff();
}

/* -- forward ------------------------------------------------------------------------------------------------------ */
KERNEL(weights, struct scores my; float *s, *z; long rows;) {
    const struct scores *at = &my.my;
    const long n = at->columns;
    float tops[ROWS], totals[ROWS];
    long done = 0;
    ROW(r, my.rows) {
        float *restrict s = my.s + r * n;
        const long w = seen(at, r), end = filled(at, w);
        finish(s, at, r, w, end);
        float top = -__builtin_inff();
        _Pragma("omp simd reduction(max : top)") for (long j = 0; j < end; j++) top = s[j] > top ? s[j] : top;
        if (top == -__builtin_inff()) top = 0.0f; /* it sees nothing */
        double sum = 0;
        for (long b = 0; b < end; b += BLOCK) {
            const long to = b + BLOCK < end ? b + BLOCK : end;
            float part = 0;
            _Pragma("omp simd reduction(+ : part)") for (long j = b; j < to; j++) {
                s[j] = exp_of(s[j] - top);
                part += s[j];
            }
            sum += part;
        }
        const float total = sum == 0 ? 1.0f : (float)sum, by = at->gain / total;
        if (at->keep.data) {
            const unsigned char *restrict k = row_of(&at->keep, at, r);
            COLUMNS(j, 0, end) s[j] *= k[j] ? by : 0.0f;
        } else {
            COLUMNS(j, 0, end) s[j] *= by;
        }
        for (long j = end; j < n; j++) s[j] = 0.0f * by; /* NaN, if the sum is */
        tops[done] = top, totals[done++] = total;
        if (done == ROWS || r + 1 == r_end) { /* so many logarithms at a time */
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

/* -- backward ----------------------------------------------------------------------------------------------------- */
/* d, the gradient of the weights, becomes that of the scores, times `by`; s, the scores, the weights as they were used. */
KERNEL(slopes, struct scores my; float *s, *d; const float *z; float by; long rows;) {
    const struct scores *at = &my.my;
    const long n = at->columns;
    const float gain = at->gain, by = my.by;
    ROW(r, my.rows) {
        float *restrict s = my.s + r * n, *restrict d = my.d + r * n;
        const unsigned char *restrict k = at->keep.data ? row_of(&at->keep, at, r) : 0;
        const long w = seen(at, r), end = filled(at, w);
        const float z = my.z[r];
        finish(s, at, r, w, end);
        for (long j = w; j < end; j++) d[j] = 0.0f;
        if (k) COLUMNS(j, 0, w) d[j] *= k[j] ? gain : 0.0f;
        double sum = 0;
        for (long b = 0; b < end; b += BLOCK) {
            const long to = b + BLOCK < end ? b + BLOCK : end;
            float part = 0;
            _Pragma("omp simd reduction(+ : part)") for (long j = b; j < to; j++) {
                s[j] = exp_of(s[j] - z);
                part += s[j] * d[j];
            }
            sum += part;
        }
        const float mean = (float)sum;
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

/* -- before the library is used for the first time, in a process of its own --------------------------------------- */
#define WRONG(found, wanted) !(fabs((found) - (wanted)) <= 1e-5 * (1 + fabs(wanted)))

ENTRY(self_test)(void) {
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
