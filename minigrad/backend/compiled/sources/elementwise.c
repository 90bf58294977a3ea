/* Functions of one number and slopes of two, float32 (relu and its slope: float64 too), on arrays that lie alike in memory. */
#include "kernel.h"
#include "maths.h"

#include <math.h>
#define GRAIN 16384 /* numbers for which a second thread pays */

#define LOOP1(name, type, formula)                                  \
    KERNEL(name, const type *a; type *y; long n;) {                 \
        EACH(i, my.n) {                                             \
            const type x = my.a[i];                                 \
            my.y[i] = formula;                                      \
        }                                                           \
    }
#define LOOP2(name, type, formula)                                  \
    KERNEL(name, const type *a, *b; type *y; long n;) {             \
        EACH(i, my.n) {                                             \
            const type g = my.a[i], x = my.b[i];                    \
            my.y[i] = formula;                                      \
        }                                                           \
    }
/* y in terms of x */
#define ONE(name, formula)                                          \
    LOOP1(name, float, formula)                                     \
    ENTRY(name)(array *x, array *y) {                               \
        if (!is(x, FLOAT32) || !like(x, y)) return REFUSED;         \
        LAUNCH(name, size(x), GRAIN, F32(x), F32(y), size(x));      \
        return DONE;                                                \
    }
/* y in terms of g, the gradient of the output, and of x, which is the input or the output */
#define TWO(name, formula)                                                              \
    LOOP2(name, float, formula)                                                         \
    ENTRY(name)(array *g, array *x, array *y) {                                         \
        if (!is(g, FLOAT32) || !is(x, FLOAT32) || !like(g, y) || !like(x, y)) return REFUSED; \
        LAUNCH(name, size(y), GRAIN, F32(g), F32(x), F32(y), size(y));                  \
        return DONE;                                                                    \
    }

/* -- with a kink -------------------------------------------------------------------------------------------------- */
LOOP1(relu32, float, x <= 0 ? 0 : x) /* NaN is not below 0 */
LOOP1(relu64, double, x <= 0 ? 0 : x)
LOOP2(gated32, float, x > 0 ? g : 0)
LOOP2(gated64, double, x > 0 ? g : 0)

ENTRY(relu)(array *x, array *y) {
    if (is(x, FLOAT32) && like(x, y))
        LAUNCH(relu32, size(x), 2 * GRAIN, F32(x), F32(y), size(x));
    else if (is(x, FLOAT64) && like(x, y))
        LAUNCH(relu64, size(x), GRAIN, F64(x), F64(y), size(x));
    else
        return REFUSED;
    return DONE;
}

ENTRY(gated)(array *g, array *x, array *y) {
    if (is(g, FLOAT32) && is(x, FLOAT32) && like(g, y) && like(x, y))
        LAUNCH(gated32, size(y), 2 * GRAIN, F32(g), F32(x), F32(y), size(y));
    else if (is(g, FLOAT64) && is(x, FLOAT64) && like(g, y) && like(x, y))
        LAUNCH(gated64, size(y), GRAIN, F64(g), F64(x), F64(y), size(y));
    else
        return REFUSED;
    return DONE;
}

KERNEL(leaky, const float *a, *b; float *y; float slope; long n;) {
    EACH(i, my.n) { my.y[i] = my.b[i] > 0 ? my.a[i] : my.a[i] * my.slope; }
}

ENTRY(leaky_relu)(array *x, array *y, float slope) {
    if (!is(x, FLOAT32) || !like(x, y)) return REFUSED;
    LAUNCH(leaky, size(x), 2 * GRAIN, F32(x), F32(x), F32(y), slope, size(x));
    return DONE;
}

ENTRY(leaky_relu_gradient)(array *g, array *x, array *y, float slope) {
    if (!is(g, FLOAT32) || !is(x, FLOAT32) || !like(g, y) || !like(x, y)) return REFUSED;
    LAUNCH(leaky, size(y), 2 * GRAIN, F32(g), F32(x), F32(y), slope, size(y));
    return DONE;
}

/* -- smooth ------------------------------------------------------------------------------------------------------- */
FUNCTION float gelu_slope(float x) {
    float e = gauss(within(x));
    return normal(x, e) + x * (e * (0.39894228f * UNBIASED));
}

/* (1 + tanh(u))/2 is the logistic function of this, 2u. */
FUNCTION float gelu_tanh_argument(float x) { return x * (x * x * 0.044715f + 1.0f) * 1.59576912f; }

/* With s = z/(1 + z) or 1/(1 + z), 1 - s is the other of the two: nothing is subtracted from 1. */
FUNCTION float gelu_tanh_slope(float x) {
    float w = gelu_tanh_argument(x), z = decay_of(-magnitude(w)), q = 1.0f / (1.0f + z);
    return (w < 0.0f ? z : 1.0f) * q + x * (z * q * q) * ((x * x * 0.134145f + 1.0f) * 1.59576912f);
}

FUNCTION float silu_slope(float x) {
    float z = decay_of(-magnitude(x)), q = 1.0f / (1.0f + z);
    return (x < 0.0f ? z : 1.0f) * q * (x * ((x < 0.0f ? 1.0f : z) * q) + 1.0f);
}

ONE(exp, exp_of(x))
ONE(log, log_of(x))
ONE(tanh, tanh_of(x))
ONE(erf, erf_of(x))
ONE(sigmoid, sigmoid_of(x))
ONE(silu, x * sigmoid_of(x))
ONE(gelu, x * normal(x, gauss(within(x))))
ONE(gelu_tanh, x * sigmoid_of(gelu_tanh_argument(x)))
TWO(tanh_gradient, g * (1.0f - x * x))
TWO(sigmoid_gradient, g * (x * (1.0f - x)))
TWO(silu_gradient, g * silu_slope(x))
TWO(gelu_gradient, g * gelu_slope(x))
TWO(gelu_tanh_gradient, g * gelu_tanh_slope(x))

/* -- before the library is used for the first time, in a process of its own --------------------------------------- */
#define CHECK(name, truth, ...)                                           \
    LAUNCH(name, n, n, __VA_ARGS__, y, n);                                \
    for (int i = 0; i < n; i++) {                                         \
        const double g = a[i], x = b[i], want = truth;                    \
        (void)g, (void)x;                                                 \
        if (!(fabs(y[i] - want) <= 1e-5 * (1 + fabs(want)))) return 1;    \
    }

ENTRY(self_test)(void) {
    enum { n = 75 }; /* some whole vectors, and some left */
    float a[n], b[n], c[n], y[n];
    for (int i = 0; i < n; i++) a[i] = 2 - 0.05f * i, b[i] = 0.2f * (i - 37), c[i] = a[i] * a[i] + 0.1f;
    CHECK(relu32, x > 0 ? x : 0, b)
    CHECK(gated32, x > 0 ? g : 0, a, b)
    LAUNCH(leaky, n, n, a, b, y, 0.5f, n);
    for (int i = 0; i < n; i++)
        if (y[i] != (b[i] > 0 ? a[i] : a[i] * 0.5f)) return REFUSED;
    CHECK(exp, exp(x), b)
    CHECK(tanh, tanh(x), b)
    CHECK(erf, erf(x), b)
    CHECK(sigmoid, 1 / (1 + exp(-x)), b)
    CHECK(silu, x / (1 + exp(-x)), b)
    CHECK(gelu, x * 0.5 * erfc(-x * sqrt(0.5)), b)
    CHECK(gelu_gradient, g * (0.5 * erfc(-x * sqrt(0.5)) + x * exp(-x * x / 2) * 0.3989422804014327), a, b)
    CHECK(tanh_gradient, g * (1 - x * x), a, b)
    CHECK(log, log(g * g + 0.1), c)
    return 0;
}
