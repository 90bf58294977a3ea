/* Activations that are no part of everyday networks, with their slopes, and the choice between two arrays by a mask. */
#include "elementwise.h"

/* -- of straight pieces ------------------------------------------------------------------------------------------- */
FUNCTION float ramp(float x) { return most(least((x + 3.0f) * 0.166666667f, 1.0f), 0.0f); }

ONE(hardsigmoid, ramp(x))
TWO(hardsigmoid_gradient, x > 0.0f && x < 1.0f ? g * 0.166666667f : 0.0f)
ONE(hardswish, x * ramp(x))
TWO(hardswish_gradient, g * (x > -3.0f && x < 3.0f ? x * 0.333333333f + 0.5f : ramp(x)))
ONE_OF(hardtanh, least(most(x, my.low), my.high), low, high)
TWO_OF(hardtanh_gradient, x > my.low && x < my.high ? g : 0.0f, low, high)
ONE_OF(softshrink, x - least(most(x, -my.lambd), my.lambd), lambd)
ONE_OF(hardshrink, magnitude(x) <= my.lambd ? 0.0f : x, lambd)
TWO_OF(shrink_gradient, magnitude(x) <= my.lambd ? 0.0f : g, lambd)
ONE_OF(threshold, x > my.bound ? x : my.value, bound, value)
TWO_OF(threshold_gradient, x > my.bound ? g : 0.0f, bound)

/* -- of exponential functions ------------------------------------------------------------------------------------- */
ONE_OF(elu, x > 0.0f ? x * my.scale : fall_of((x >= 0.0f ? 0.0f : x) * my.rate) * (my.alpha * my.scale), alpha, scale, rate)
TWO_OF(elu_gradient, g * (x > 0.0f ? my.scale : (x + my.alpha * my.scale) * my.rate), alpha, scale, rate) /* x: the output */

FUNCTION float bend(float x) { return most(x, 0.0f) + log_beyond(decay_of(-magnitude(x))); }

ONE(logsigmoid, least(x, 0.0f) - log_beyond(decay_of(-magnitude(x))))
TWO(logsigmoid_gradient, -(g * fall_of(x))) /* x: the output */
ONE_OF(softplus, x * my.beta > my.threshold ? x : bend(x * my.beta) / my.beta, beta, threshold)
TWO_OF(softplus_gradient, x * my.beta > my.threshold ? g : g * sigmoid_of(x * my.beta), beta, threshold)

/* With z = e**-|x|, tanh(log(1 + e**x)) is top/(top + rest): nothing is subtracted. */
#define MISH                                                                                          \
    const float z = decay_of(-magnitude(x)), top = x < 0.0f ? z * (z + 2.0f) : 2.0f * z + 1.0f;       \
    const float rest = x < 0.0f ? 2.0f : 2.0f * z * z, all = top + rest;

FUNCTION float mish_of(float x) {
    MISH
    return x * (top / all);
}

FUNCTION float mish_slope(float x) {
    MISH
    return (top + x * (rest * (top + all)) * (x < 0.0f ? z : 1.0f) / (all * (1.0f + z))) / all;
}

ONE(mish, mish_of(x))
TWO(mish_gradient, g * mish_slope(x))

/* -- one half of the channels times a function of the other ------------------------------------------------------- */
/* x is seen as (rows, 2, half): of a in the one half and b in the other come the value, and the parts of the gradient. */
#define GATE(name, value, part_a, part_b)                                                         \
    KERNEL(name, const NUMBER *x; NUMBER *y; long rows, half;) {                                  \
        TEAM(r, my.rows) {                                                                        \
            const NUMBER *restrict former = my.x + 2 * r * my.half, *restrict latter = former + my.half; \
            NUMBER *restrict y = my.y + r * my.half;                                              \
            ALONG(i, my.half) {                                                                   \
                const float a = UP(former[i]), b = UP(latter[i]);                                 \
                y[i] = DOWN(value);                                                               \
            }                                                                                     \
        }                                                                                         \
    }                                                                                             \
    KERNEL(name##_gradient, const NUMBER *g, *x; NUMBER *y; long rows, half;) {                   \
        TEAM(r, my.rows) {                                                                        \
            const NUMBER *restrict former = my.x + 2 * r * my.half, *restrict latter = former + my.half, *restrict by = my.g + r * my.half; \
            NUMBER *restrict y = my.y + 2 * r * my.half, *restrict z = y + my.half;               \
            ALONG(i, my.half) {                                                                   \
                const float a = UP(former[i]), b = UP(latter[i]), g = UP(by[i]);                  \
                y[i] = DOWN(part_a);                                                              \
                z[i] = DOWN(part_b);                                                              \
            }                                                                                     \
        }                                                                                         \
    }                                                                                             \
    GATE_TAKES(name)
#ifndef ENTRY
#define GATE_TAKES(name)
#else
#define GATE_TAKES(name)                                                                          \
    ENTRY(name)(array *x, array *y, long rows, long half) {                                       \
        if (!is_ordered(x, FLOAT32) || !is_ordered(y, FLOAT32) || size(x) != 2 * rows * half || size(y) != rows * half) return REFUSED; \
        LAUNCH(name, rows, GRAIN / half + 1, F32(x), F32(y), rows, half);                         \
        return DONE;                                                                              \
    }                                                                                             \
    ENTRY(name##_gradient)(array *g, array *x, array *y, long rows, long half) {                  \
        if (!is_ordered(g, FLOAT32) || !is_ordered(x, FLOAT32) || !is_ordered(y, FLOAT32)) return REFUSED; \
        if (size(x) != 2 * rows * half || size(g) != rows * half || size(y) != size(x)) return REFUSED; \
        LAUNCH(name##_gradient, rows, GRAIN / half + 1, F32(g), F32(x), F32(y), rows, half);      \
        return DONE;                                                                              \
    }
#endif

FUNCTION float sigmoid_slope(float x) {
    float z = decay_of(-magnitude(x)), q = 1.0f / (1.0f + z);
    return z * q * q;
}

FUNCTION float positive(float x) { return x <= 0.0f ? 0.0f : x; }

GATE(glu, a * sigmoid_of(b), g * sigmoid_of(b), g * a * sigmoid_slope(b))
GATE(swiglu, a * sigmoid_of(a) * b, g * b * silu_slope(a), g * (a * sigmoid_of(a)))
GATE(geglu, gelu_of(a) * b, g * b * gelu_slope(a), g * gelu_of(a))
GATE(reglu, positive(a) * b, a > 0.0f ? g * b : 0.0f, g * positive(a))

/* -- a slope for each channel ------------------------------------------------------------------------------------- */
FUNCTION float bent(float x, float slope) { return x > 0.0f ? x : slope * x; }

KERNEL(single, const float *x; float *y; float weight; long n;) {
    EACH(i, my.n) { my.y[i] = bent(my.x[i], my.weight); }
}

/* x seen as (rows, channels, inner). */
KERNEL(rectified, const NUMBER *x, *weight; NUMBER *y; long rows, channels, inner;) {
    if (my.inner == 1)
        TEAM(r, my.rows) {
            const NUMBER *restrict x = my.x + r * my.channels;
            NUMBER *restrict y = my.y + r * my.channels;
            ALONG(j, my.channels) y[j] = DOWN(bent(UP(x[j]), UP(my.weight[j])));
        }
    else
        TEAM(r, my.rows * my.channels) {
            const NUMBER *restrict x = my.x + r * my.inner;
            const float slope = UP(my.weight[r % my.channels]);
            NUMBER *restrict y = my.y + r * my.inner;
            ALONG(j, my.inner) y[j] = DOWN(bent(UP(x[j]), slope));
        }
}

#ifdef ENTRY
ENTRY(prelu)(array *x, array *weight, array *y, long rows, long channels, long inner) {
    if (!is_ordered(x, FLOAT32) || !is_ordered(weight, FLOAT32) || !is_ordered(y, FLOAT32)) return REFUSED;
    if (size(x) != rows * channels * inner || size(y) != size(x) || size(weight) != channels) return REFUSED;
    if (channels == 1)
        LAUNCH(single, size(x), GRAIN, F32(x), F32(y), F32(weight)[0], size(x));
    else
        LAUNCH(rectified, rows * (inner == 1 ? 1 : channels), GRAIN / (inner == 1 ? channels : inner) + 1, F32(x), F32(weight), F32(y), rows,
               channels, inner);
    return DONE;
}
#endif

/* -- by a mask ---------------------------------------------------------------------------------------------------- */
#define CHOICE(name, a, b, ...)                                                      \
    KERNEL(name, const uint8_t *mask; NUMBER *y; long n; __VA_ARGS__) {              \
        const uint8_t *APART mask = my.mask;                                         \
        NUMBER *APART y = my.y;                                                      \
        EACH(i, my.n) { y[i] = mask[i] ? a : b; }                                    \
    }
CHOICE(either, my.p[i], my.q[i], const NUMBER *p, *q;)
CHOICE(former, my.p[i], DOWN(my.b), const NUMBER *p; float b;)
CHOICE(latter, DOWN(my.a), my.q[i], float a; const NUMBER *q;)

#ifdef ENTRY
/* p and q are arrays; where one of them is the mask itself, its number stands in its place. */
ENTRY(where)(array *mask, array *p, array *q, array *y, float a, float b) {
    const int first = p != mask, second = q != mask;
    if (!is_ordered(mask, BOOL) || !is_ordered(y, FLOAT32) || size(y) != size(mask)) return REFUSED;
    if ((first && (!is_ordered(p, FLOAT32) || size(p) != size(mask))) || (second && (!is_ordered(q, FLOAT32) || size(q) != size(mask))))
        return REFUSED;
    const uint8_t *chosen = (const uint8_t *)mask->data;
    if (first && second)
        LAUNCH(either, size(y), GRAIN, chosen, F32(y), size(y), F32(p), F32(q));
    else if (first)
        LAUNCH(former, size(y), GRAIN, chosen, F32(y), size(y), F32(p), b);
    else if (second)
        LAUNCH(latter, size(y), GRAIN, chosen, F32(y), size(y), a, F32(q));
    else
        return REFUSED;
    return DONE;
}

ENTRY(masked)(array *x, array *mask, array *y) { return mg_where(mask, x, mask, y, 0.0f, 0.0f); }

/* -- before the library is used for the first time, in a process of its own --------------------------------------- */
#define CHECK(truth, name, ...)                                                \
    LAUNCH(name, n, n, __VA_ARGS__);                                           \
    for (int i = 0; i < n; i++) {                                              \
        const double g = a[i], x = b[i], want = truth;                         \
        (void)g;                                                               \
        if (!(fabs(y[i] - want) <= 1e-5 * (1 + fabs(want)))) return 1;         \
    }

ENTRY(self_test)(void) {
    enum { n = 75 }; /* some whole vectors, and some left */
    float a[n], b[n], y[n];
    uint8_t mask[n];
    for (int i = 0; i < n; i++) a[i] = 2 - 0.05f * i, b[i] = 0.2f * (i - 37), mask[i] = i % 3 == 0;
    CHECK(x > 0 ? x : 0.7 * expm1(x), elu, b, y, n, 0.7f, 1, 1)
    CHECK(log1p(exp(x)), softplus, b, y, n, 1, 20)
    CHECK(g / (1 + exp(-x)), softplus_gradient, a, b, y, n, 1, 20)
    CHECK(-log1p(exp(-x)), logsigmoid, b, y, n)
    CHECK(x * tanh(log1p(exp(x))), mish, b, y, n)
    CHECK(x * fmin(fmax(x + 3, 0), 6) / 6, hardswish, b, y, n)
    CHECK(fabs(x) <= 0.5 ? 0 : g, shrink_gradient, a, b, y, n, 0.5f)
    CHECK(x > 0 ? x : 0.5 * x, rectified, b, (float[]){0.5f, 0.5f, 0.5f}, y, 5, 3, 5)
    CHECK(i % 3 ? x : g, either, mask, y, n, a, b)
    LAUNCH(glu, 5, 5, b, y, 5, 7);
    for (int i = 0; i < 35; i++)
        if (!(fabs(y[i] - b[i / 7 * 14 + i % 7] / (1 + exp(-b[i / 7 * 14 + 7 + i % 7]))) < 1e-4)) return 2;
    return 0;
}
#endif
