/* Losses of two float32 arrays, number by number: value and sum in one pass, gradient in another, and nothing of their size between. */
#include "kernel.h"
#include "maths.h"

/* Inputs, targets and results; the numbers of a pair, as they are called in what follows. */
#define ARRAYS                                                                                        \
    const NUMBER *APART xs = my.x, *APART ts = my.t;                                                  \
    NUMBER *APART ys = my.y;
#define PAIR(i)                                                                                       \
    const float x = UP(xs[i]), t = UP(ts[i]), p = my.p;                                               \
    (void)x, (void)t, (void)p;

#ifdef ENTRY
enum { GRAIN = 16384, PIECES = 256, RUN = 512 }; /* GRAIN: numbers for which a second thread pays; RUN: those that are added in float32 */

static inline long piece_of(long n) { return n > PIECES * 8192L ? (n + PIECES - 1) / PIECES : 8192; } /* by the length alone */

#define ADD_UP(sum, value, first, end)                                                                \
    for (long at = first, to; at < end; at = to) {                                                    \
        float some = 0;                                                                               \
        to = at + RUN < end ? at + RUN : end;                                                         \
        _Pragma("omp simd reduction(+:some)") for (long i = at; i < to; i++) {                        \
            PAIR(i)                                                                                   \
            some += value;                                                                            \
        }                                                                                             \
        sum += some;                                                                                  \
    }
#else
#define ADD_UP(sum, value, first, end)                                                                \
    ALONG(j, end - first) {                                                                           \
        PAIR(first + j)                                                                               \
        sum += value;                                                                                 \
    }
#endif

/* The value in terms of x, the input, t, the target, and p; and the slopes in x and in t. */
#define LOSS(name, value, slope_x, slope_t)                                                           \
    KERNEL(name##_each, const NUMBER *x, *t; NUMBER *y; float p; long n;) {                           \
        ARRAYS                                                                                        \
        EACH(i, my.n) {                                                                               \
            PAIR(i)                                                                                   \
            ys[i] = DOWN(value);                                                                      \
        }                                                                                             \
    }                                                                                                 \
    KERNEL(name##_sum, const NUMBER *x, *t; double *sums; float p; long n, piece, pieces;) {          \
        const NUMBER *APART xs = my.x, *APART ts = my.t;                                              \
        TEAM(r, my.pieces) {                                                                          \
            const long first = r * my.piece, end = first + my.piece < my.n ? first + my.piece : my.n; \
            double sum = 0;                                                                           \
            ADD_UP(sum, value, first, end)                                                            \
            sum = TOTAL(sum);                                                                         \
            if (LEADER) my.sums[r] = sum;                                                             \
        }                                                                                             \
    }                                                                                                 \
    SLOPE(name##_x, slope_x)                                                                          \
    SLOPE(name##_t, slope_t)                                                                          \
    LOSS_TAKES(name)
/* A slope times the gradient of each number; over > 0: times that of them all, divided by it. */
#define SLOPE(name, slope)                                                                            \
    KERNEL(name, const NUMBER *g, *x, *t; NUMBER *y; double over; float p; long n;) {                 \
        const NUMBER *APART gs = my.g;                                                                \
        ARRAYS                                                                                        \
        if (my.over > 0) {                                                                            \
            const float all = (float)(UP(*my.g) / my.over);                                           \
            EACH(i, my.n) {                                                                           \
                PAIR(i)                                                                               \
                ys[i] = DOWN(all * (slope));                                                          \
            }                                                                                         \
        } else {                                                                                      \
            EACH(i, my.n) {                                                                           \
                PAIR(i)                                                                               \
                ys[i] = DOWN(UP(gs[i]) * (slope));                                                    \
            }                                                                                         \
        }                                                                                             \
    }

#ifdef ENTRY
/* over > 0: the sum is divided by it */
#define LOSS_TAKES(name)                                                                              \
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
        if (of_t)                                                                                     \
            LAUNCH(name##_t, size(x), GRAIN, F32(g), F32(x), F32(t), F32(y), over, p, size(x));       \
        else                                                                                          \
            LAUNCH(name##_x, size(x), GRAIN, F32(g), F32(x), F32(t), F32(y), over, p, size(x));       \
        return DONE;                                                                                  \
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
#else
#define LOSS_TAKES(name)

/* The sums of the pieces, added up and divided by `over`. */
KERNEL(whole, NUMBER *y; const double *sums; double over; long pieces;) {
    TEAM(r, 1) {
        double sum = 0;
        ALONG(j, my.pieces) sum += my.sums[j];
        sum = TOTAL(sum);
        if (LEADER) my.y[r] = DOWN(sum / my.over);
    }
}
#endif

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

#ifdef ENTRY
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
    LAUNCH(logistic_error_x, n, n, (float[]){2}, b, a, y, 1, 0, n);
    for (int i = 0; i < n; i++)
        if (!(fabs(y[i] - 2 * (1 / (1 + exp(-b[i])) - a[i])) <= 1e-5)) return 3;
    return 0;
}
#endif
