/* Losses of two float32 arrays, number by number: value and sum in one pass, gradient in another, and nothing of their size between. */
#include "kernel.h"
#include "maths.h"

#include <math.h>
enum { GRAIN = 16384, PIECES = 256, RUN = 512 }; /* GRAIN: numbers for which a second thread pays; RUN: those that are added in float32 */

static inline long piece_of(long n) { return n > PIECES * 8192L ? (n + PIECES - 1) / PIECES : 8192; } /* by the length alone */

/* The value in terms of x, the input, t, the target, and p; and the slopes in x and in t. */
#define LOSS(name, value, slope_x, slope_t)                                                           \
    KERNEL(name##_each, const float *x, *t; float *y; float p; long n;) {                             \
        EACH(i, my.n) {                                                                               \
            const float x = my.x[i], t = my.t[i], p = my.p;                                           \
            (void)p, my.y[i] = value;                                                                 \
        }                                                                                             \
    }                                                                                                 \
    KERNEL(name##_sum, const float *x, *t; double *sums; float p; long n, piece, pieces;) {           \
        ROW(r, my.pieces) {                                                                           \
            const long end = (r + 1) * my.piece < my.n ? (r + 1) * my.piece : my.n;                   \
            double sum = 0;                                                                           \
            for (long at = r * my.piece, to; at < end; at = to) {                                     \
                float some = 0;                                                                       \
                to = at + RUN < end ? at + RUN : end;                                                 \
                _Pragma("omp simd reduction(+:some)") for (long i = at; i < to; i++) {                \
                    const float x = my.x[i], t = my.t[i], p = my.p;                                   \
                    (void)p, some += value;                                                           \
                }                                                                                     \
                sum += some;                                                                          \
            }                                                                                         \
            my.sums[r] = sum;                                                                         \
        }                                                                                             \
    }                                                                                                 \
    SLOPE(name##_x, slope_x)                                                                          \
    SLOPE(name##_t, slope_t)                                                                          \
    /* over > 0: the sum is divided by it */                                                          \
    ENTRY(name)(array *x, array *t, array *y, float p, double over) {                                 \
        if (!is(x, FLOAT32) || !is(t, FLOAT32) || !is(y, FLOAT32) || !like(x, t)) return REFUSED;     \
        if (!(over > 0)) {                                                                            \
            if (!like(x, y)) return REFUSED;                                                          \
            LAUNCH(name##_each, size(x), GRAIN, F32(x), F32(t), F32(y), p, size(x));                  \
            return DONE;                                                                              \
        }                                                                                             \
        double sums[PIECES], sum = 0;                                                                 \
        const long n = size(x), piece = piece_of(n), pieces = (n + piece - 1) / piece;                \
        if (size(y) != 1 || !is_dense(x, n)) return REFUSED;                                          \
        LAUNCH(name##_sum, pieces, 2, F32(x), F32(t), sums, p, n, piece, pieces);                     \
        for (long i = 0; i < pieces; i++) sum += sums[i];                                             \
        *F32(y) = (float)(sum / over);                                                                \
        return DONE;                                                                                  \
    }                                                                                                 \
    ENTRY(name##_gradient)(array *g, array *x, array *t, array *y, float p, double over, long of_t) { \
        if (!is(g, FLOAT32) || !is(x, FLOAT32) || !is(t, FLOAT32) || !like(x, t) || !like(x, y)) return REFUSED; \
        if (over > 0 ? size(g) != 1 : !like(g, y)) return REFUSED;                                    \
        const float *each = over > 0 ? NULL : F32(g), all = over > 0 ? (float)(*F32(g) / over) : 0;   \
        if (of_t)                                                                                     \
            LAUNCH(name##_t, size(x), GRAIN, each, F32(x), F32(t), F32(y), all, p, size(x));          \
        else                                                                                          \
            LAUNCH(name##_x, size(x), GRAIN, each, F32(x), F32(t), F32(y), all, p, size(x));          \
        return DONE;                                                                                  \
    }
/* A slope times the gradient of each number, or of them all. */
#define SLOPE(name, slope)                                                                            \
    KERNEL(name, const float *g, *x, *t; float *y; float all, p; long n;) {                           \
        if (my.g) {                                                                                   \
            EACH(i, my.n) {                                                                           \
                const float x = my.x[i], t = my.t[i], p = my.p;                                       \
                (void)x, (void)t, (void)p, my.y[i] = my.g[i] * (slope);                               \
            }                                                                                         \
        } else {                                                                                      \
            EACH(i, my.n) {                                                                           \
                const float x = my.x[i], t = my.t[i], p = my.p;                                       \
                (void)x, (void)t, (void)p, my.y[i] = my.all * (slope);                                \
            }                                                                                         \
        }                                                                                             \
    }

/* Whether there are no gaps between the numbers: strides are those of the axes in some order. */
static inline int is_dense(const array *o, long n) {
    long last = 0;
    for (int i = 0; i < o->axes; i++) {
        if (o->shape[i] > 1 && o->strides[i] < 4) return 0;
        last += (o->shape[i] - 1) * o->strides[i];
    }
    return last == 4 * (n - 1);
}

FUNCTION float sign(float d) { return d > 0.0f ? 1.0f : d < 0.0f ? -1.0f : d; }

/* Logarithms of p and of 1 - p, which is exact from 1/2 on; cut off at -100. */
FUNCTION float log_in(float p) { return most(log_of(p), -100.0f); }
FUNCTION float log_out(float p) { return p < 0.5f ? log_beyond(most(-p, -0.5f)) : most(log_of(1.0f - p), -100.0f); }

FUNCTION float huber_of(float a, float delta) {
    float m = least(a, delta);
    return m * (a - 0.5f * m);
}

/* sigmoid(x) - t without cancellation on either side */
FUNCTION float surplus(float x, float t) {
    float z = decay_of(-magnitude(x)), q = z / (1.0f + z);
    return x > 0.0f ? 1.0f - t - q : q - t;
}

LOSS(squared_error, (x - t) * (x - t), 2.0f * (x - t), 2.0f * (t - x))
LOSS(absolute_error, magnitude(x - t), sign(x - t), sign(t - x))
LOSS(huber_error, huber_of(magnitude(x - t), p), most(least(x - t, p), -p), most(least(t - x, p), -p))
LOSS(logistic_error, (1.0f - t) * x - (least(x, 0.0f) - log_beyond(decay_of(-magnitude(x)))), surplus(x, t), -x)
LOSS(binary_error, -(t * log_in(x) + (1.0f - t) * log_out(x)), (x - t) / most(x * (1.0f - x), 1e-12f), log_out(x) - log_in(x))

/* -- before the library is used for the first time, in a process of its own --------------------------------------- */
#define CHECK(name, truth)                                                     \
    sum = 0;                                                                   \
    LAUNCH(name##_each, n, n, b, a, y, 0.7f, n);                               \
    for (int i = 0; i < n; i++) {                                              \
        const double t = a[i], x = b[i], want = truth;                         \
        sum += want;                                                           \
        if (!(fabs(y[i] - want) <= 1e-5 * (1 + fabs(want)))) return 1;         \
    }                                                                          \
    LAUNCH(name##_sum, 1, 1, b, a, sums, 0.7f, n, 8192, 1);                    \
    if (!(fabs(sums[0] - sum) <= 1e-5 * (1 + fabs(sum)))) return 2;

ENTRY(self_test)(void) {
    enum { n = 611 };
    float a[n], b[n], y[n];
    double sums[1], sum;
    for (int i = 0; i < n; i++) a[i] = (float)(i % 17) / 16, b[i] = (float)(i + 1) / (n + 1);
    CHECK(squared_error, (x - t) * (x - t))
    CHECK(absolute_error, fabs(x - t))
    CHECK(logistic_error, (1 - t) * x + log1p(exp(-x)))
    CHECK(binary_error, -(t * log(x) + (1 - t) * log1p(-x)))
    LAUNCH(logistic_error_x, n, n, NULL, b, a, y, 2, 0, n);
    for (int i = 0; i < n; i++)
        if (!(fabs(y[i] - 2 * (1 / (1 + exp(-b[i])) - a[i])) <= 1e-5)) return 3;
    return 0;
}
