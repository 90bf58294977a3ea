/* Functions of one number and slopes of two, float32 (relu and its slope: float64 too), on arrays that lie alike in memory. */
#include "elementwise.h"

/* -- with a kink -------------------------------------------------------------------------------------------------- */
LOOP1(relu, NUMBER, WIDER, x <= 0 ? 0 : x, ) /* NaN is not below 0 */
LOOP2(gated, NUMBER, WIDER, x > 0 ? g : 0, )

#ifdef ENTRY
LOOP1(relu64, double, double, x <= 0 ? 0 : x, )
LOOP2(gated64, double, double, x > 0 ? g : 0, )

ENTRY(relu)(array *x, array *y) {
    if (is(x, FLOAT32) && like(x, y))
        LAUNCH(relu, size(x), 2 * GRAIN, F32(x), F32(y), size(x));
    else if (is(x, FLOAT64) && like(x, y))
        LAUNCH(relu64, size(x), GRAIN, F64(x), F64(y), size(x));
    else
        return REFUSED;
    return DONE;
}

ENTRY(gated)(array *g, array *x, array *y) {
    if (is(g, FLOAT32) && is(x, FLOAT32) && like(g, y) && like(x, y))
        LAUNCH(gated, size(y), 2 * GRAIN, F32(g), F32(x), F32(y), size(y));
    else if (is(g, FLOAT64) && is(x, FLOAT64) && like(g, y) && like(x, y))
        LAUNCH(gated64, size(y), GRAIN, F64(g), F64(x), F64(y), size(y));
    else
        return REFUSED;
    return DONE;
}
#endif

ONE_OF(leaky_relu, x > 0 ? x : x * my.slope, slope)
TWO_OF(leaky_relu_gradient, x > 0 ? g : g * my.slope, slope)

/* -- smooth ------------------------------------------------------------------------------------------------------- */
ONE(exp, exp_of(x))
ONE(log, log_of(x))
ONE(rsqrt, 1.0f / sqrtf(x))
ONE(tanh, tanh_of(x))
ONE(erf, erf_of(x))
ONE(sigmoid, sigmoid_of(x))
ONE(silu, x * sigmoid_of(x))
ONE(gelu, gelu_of(x))
ONE(gelu_tanh, x * sigmoid_of(gelu_tanh_argument(x)))
TWO(add, g + x)
TWO(tanh_gradient, g * (1.0f - x * x))
TWO(sigmoid_gradient, g * (x * (1.0f - x)))
TWO(silu_gradient, g * silu_slope(x))
TWO(gelu_gradient, g * gelu_slope(x))
TWO(gelu_tanh_gradient, g * gelu_tanh_slope(x))

#ifdef ENTRY
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
    CHECK(relu, x > 0 ? x : 0, b)
    CHECK(gated, x > 0 ? g : 0, a, b)
    LAUNCH(leaky_relu_gradient, n, n, a, b, y, n, 0.5f);
    for (int i = 0; i < n; i++)
        if (y[i] != (b[i] > 0 ? a[i] : a[i] * 0.5f)) return REFUSED;
    CHECK(add, g + x, a, b)
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
#endif
