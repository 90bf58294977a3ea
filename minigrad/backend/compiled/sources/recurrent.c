/* What a step of a recurrent net does between two products of matrices, float32: one pass over its gates and states, where NumPy
   makes ten to thirty. All matrices are dense, a row for each sequence. Logistic gates come halved, as their form in NumPy,
   tanh(u / 2) / 2 + 1/2, wants them. Where there is no `extra`, it is `d` a second time. */
#include "kernel.h"
#include "maths.h"

#include <math.h>
#define GRAIN 8192 /* units for which a second thread pays, though it may have to be woken up anew in each step */
#define UNITS _Pragma("omp simd") for (long j = 0; j < n; j++)
#define OF(matrix, width) (my.matrix + r * (width)*n)

static inline long grain(long n) { return n < GRAIN ? GRAIN / n : 1; } /* in rows */

/* Whether o is k rows of n numbers, one after the other. */
static int fits(const array *o, long k, long n) {
    return is_ordered(o, FLOAT32) && o->axes == 2 && o->shape[0] == k && o->shape[1] == n;
}

static int to_write(const array *o, long k, long n) { return fits(o, k, n) && o->flags & WRITEABLE; }

#define SIZES(o)                                                                                   \
    if (!is(o, FLOAT32) || o->axes != 2 || !o->shape[0] || !o->shape[1] || !is_ordered(o, FLOAT32)) return REFUSED; \
    const long k = o->shape[0], n = o->shape[1]

/* -- the plain net ------------------------------------------------------------------------------------------------ */
/* h = f(h + more) */
KERNEL(rnn_tanh, float *h; const float *more; long n;) {
    EACH(i, my.n) { my.h[i] = tanh_of(my.h[i] + my.more[i]); }
}

KERNEL(rnn_relu, float *h; const float *more; long n;) {
    EACH(i, my.n) {
        const float x = my.h[i] + my.more[i];
        my.h[i] = x <= 0 ? 0 : x; /* NaN is not below 0 */
    }
}

ENTRY(rnn_step)(array *h, array *more, long relu) {
    SIZES(more);
    if (!to_write(h, k, n)) return REFUSED;
    if (relu)
        LAUNCH(rnn_relu, k * n, 2 * GRAIN, F32(h), F32(more), k * n);
    else
        LAUNCH(rnn_tanh, k * n, GRAIN, F32(h), F32(more), k * n);
    return DONE;
}

KERNEL(rnn_slopes, float *s; const float *h, *d, *extra; long n, relu, more;) {
    if (my.relu) {
        EACH(i, my.n) { my.s[i] = my.h[i] > 0 ? my.more ? my.d[i] + my.extra[i] : my.d[i] : 0; }
    } else {
        EACH(i, my.n) { my.s[i] = (my.more ? my.d[i] + my.extra[i] : my.d[i]) * (1.0f - my.h[i] * my.h[i]); }
    }
}

ENTRY(rnn_step_gradient)(array *s, array *h, array *d, array *extra, long relu) {
    SIZES(h);
    if (!to_write(s, k, n) || !fits(d, k, n) || !fits(extra, k, n)) return REFUSED;
    LAUNCH(rnn_slopes, k * n, 2 * GRAIN, F32(s), F32(h), F32(d), F32(extra), k * n, relu, extra != d);
    return DONE;
}

/* -- LSTM: gates i, f, g, o --------------------------------------------------------------------------------------- */
KERNEL(lstm, float *gates; const float *more, *before; float *state, *out; long k, n;) {
    const long n = my.n;
    ROW(r, my.k) {
        float *restrict u = OF(gates, 4), *restrict c = OF(state, 1), *restrict h = OF(out, 1);
        const float *restrict v = OF(more, 4), *restrict b = OF(before, 1);
        UNITS {
            const float i = sigmoid_of(2.0f * (u[j] + v[j])), f = sigmoid_of(2.0f * (u[n + j] + v[n + j]));
            const float g = tanh_of(u[2 * n + j] + v[2 * n + j]), o = sigmoid_of(2.0f * (u[3 * n + j] + v[3 * n + j]));
            const float s = f * b[j] + i * g;
            u[j] = i, u[n + j] = f, u[2 * n + j] = g, u[3 * n + j] = o;
            c[j] = s;
            h[j] = o * tanh_of(s);
        }
    }
}

ENTRY(lstm_step)(array *gates, array *more, array *before, array *state, array *out) {
    SIZES(before);
    if (!to_write(gates, k, 4 * n) || !fits(more, k, 4 * n) || !to_write(state, k, n) || !to_write(out, k, n)) return REFUSED;
    LAUNCH(lstm, k, grain(n), F32(gates), F32(more), F32(before), F32(state), F32(out), k, n);
    return DONE;
}

/* The slopes of the gates, from what flows back to the output, d + extra, and to the state, flow; and the flow to the state before. */
KERNEL(lstm_slopes, float *s; const float *gates, *state, *before, *d, *extra; float *flow; long k, n, more;) {
    const long n = my.n;
    ROW(r, my.k) {
        float *restrict s = OF(s, 4), *restrict flow = OF(flow, 1);
        const float *restrict u = OF(gates, 4), *restrict c = OF(state, 1), *restrict b = OF(before, 1);
        const float *d = OF(d, 1), *extra = OF(extra, 1);
        UNITS {
            const float i = u[j], f = u[n + j], g = u[2 * n + j], o = u[3 * n + j], t = tanh_of(c[j]);
            const float dh = my.more ? d[j] + extra[j] : d[j], dc = flow[j] + (1.0f - t * t) * o * dh;
            s[j] = (i - i * i) * dc * g;
            s[n + j] = (f - f * f) * dc * b[j];
            s[2 * n + j] = (1.0f - g * g) * dc * i;
            s[3 * n + j] = (o - o * o) * dh * t;
            flow[j] = dc * f;
        }
    }
}

ENTRY(lstm_step_gradient)(array *s, array *gates, array *state, array *before, array *d, array *extra, array *flow) {
    SIZES(state);
    if (!to_write(s, k, 4 * n) || !fits(gates, k, 4 * n) || !fits(before, k, n) || !fits(d, k, n) || !fits(extra, k, n)) return REFUSED;
    if (!to_write(flow, k, n)) return REFUSED;
    LAUNCH(lstm_slopes, k, grain(n), F32(s), F32(gates), F32(state), F32(before), F32(d), F32(extra), F32(flow), k, n, extra != d);
    return DONE;
}

/* -- GRU: gates r, z, n; the inner part is q = h W_hn^T + b_hn ---------------------------------------------------- */
KERNEL(gru, float *gates; const float *more, *bias, *before; float *inner, *out; long k, n;) {
    const long n = my.n;
    ROW(r, my.k) {
        float *restrict u = OF(gates, 3), *restrict inner = OF(inner, 1), *restrict h = OF(out, 1);
        const float *restrict v = OF(more, 3), *restrict b = OF(before, 1), *restrict bias = my.bias;
        UNITS {
            const float reset = sigmoid_of(2.0f * (u[j] + v[j])), z = sigmoid_of(2.0f * (u[n + j] + v[n + j]));
            const float q = v[2 * n + j] + bias[j], new = tanh_of(u[2 * n + j] + reset * q);
            u[j] = reset, u[n + j] = z, u[2 * n + j] = new;
            inner[j] = q;
            h[j] = (b[j] - new) * z + new;
        }
    }
}

ENTRY(gru_step)(array *gates, array *more, array *bias, array *before, array *inner, array *out) {
    SIZES(before);
    if (!to_write(gates, k, 3 * n) || !fits(more, k, 3 * n) || !to_write(inner, k, n) || !to_write(out, k, n)) return REFUSED;
    if (!is_ordered(bias, FLOAT32) || bias->axes != 1 || bias->shape[0] != n) return REFUSED;
    LAUNCH(gru, k, grain(n), F32(gates), F32(more), F32(bias), F32(before), F32(inner), F32(out), k, n);
    return DONE;
}

/* The slopes of (n, r, z, q), from what flows back to the output, d + more + extra; d becomes the part of it that passes by the gates. */
KERNEL(gru_slopes, float *s; const float *gates, *inner, *before; float *d; const float *product, *extra; long k, n, more;) {
    const long n = my.n;
    ROW(r, my.k) {
        float *restrict s = OF(s, 4);
        float *d = OF(d, 1);
        const float *restrict u = OF(gates, 3), *restrict q = OF(inner, 1), *restrict b = OF(before, 1), *restrict p = OF(product, 1);
        const float *extra = OF(extra, 1);
        UNITS {
            const float reset = u[j], z = u[n + j], new = u[2 * n + j], sum = d[j] + p[j], dh = my.more ? sum + extra[j] : sum;
            const float slope = (1.0f - new * new) * ((1.0f - z) * dh);
            s[j] = slope;
            s[n + j] = (reset - reset * reset) * slope * q[j];
            s[2 * n + j] = (z - z * z) * ((b[j] - new) * dh);
            s[3 * n + j] = slope * reset;
            d[j] = dh * z;
        }
    }
}

ENTRY(gru_step_gradient)(array *s, array *gates, array *inner, array *before, array *d, array *product, array *extra) {
    SIZES(before);
    if (!to_write(s, k, 4 * n) || !fits(gates, k, 3 * n) || !fits(inner, k, n) || !to_write(d, k, n)) return REFUSED;
    if (!fits(product, k, n) || !fits(extra, k, n)) return REFUSED;
    LAUNCH(gru_slopes, k, grain(n), F32(s), F32(gates), F32(inner), F32(before), F32(d), F32(product), F32(extra), k, n, extra != d);
    return DONE;
}

/* -- before the library is used for the first time, in a process of its own --------------------------------------- */
#define WRONG(found, wanted) !(fabs((found) - (wanted)) <= 1e-5 * (1 + fabs(wanted)))
static double logistic(double x) { return 1 / (1 + exp(-x)); }

ENTRY(self_test)(void) {
    enum { K = 2, N = 19, ALL = K * N }; /* a whole vector, and some left */
    float u[4 * ALL], gates[4 * ALL], v[4 * ALL], b[ALL], c[ALL], h[ALL], d[ALL], e[ALL], flow[ALL], s[4 * ALL], inner[ALL], zero[ALL];
    for (int i = 0; i < 4 * ALL; i++) u[i] = gates[i] = 2 * sinf(i), v[i] = cosf(2 * i);
    for (int i = 0; i < ALL; i++) b[i] = sinf(3 * i), d[i] = cosf(i), e[i] = sinf(i), zero[i] = 0;
    memcpy(flow, b, sizeof b);
    LAUNCH(lstm, K, K, gates, v, b, c, h, K, N);
    LAUNCH(lstm_slopes, K, K, s, gates, c, b, d, e, flow, K, N, 1);
    for (int r = 0; r < K; r++)
        for (int j = 0; j < N; j++) {
            const int at = r * N + j;
            double x[4]; /* the gates' arguments */
            for (int g = 0; g < 4; g++) x[g] = (double)u[4 * r * N + g * N + j] + v[4 * r * N + g * N + j];
            const double i = logistic(2 * x[0]), f = logistic(2 * x[1]), g = tanh(x[2]), o = logistic(2 * x[3]);
            const double t = tanh(f * b[at] + i * g);
            const double dh = (double)d[at] + e[at];
            const double dc = b[at] + dh * o * (1 - t * t);
            const float *w = s + 4 * r * N + j;
            if (WRONG(c[at], f * b[at] + i * g) || WRONG(h[at], o * t) || WRONG(flow[at], dc * f)) return 1;
            if (WRONG(w[0], dc * g * i * (1 - i)) || WRONG(w[N], dc * b[at] * f * (1 - f))) return 2;
            if (WRONG(w[2 * N], dc * i * (1 - g * g))) return 2;
            if (WRONG(w[3 * N], dh * t * o * (1 - o))) return 3;
        }
    memcpy(gates, u, sizeof u);
    memcpy(flow, d, sizeof d);
    LAUNCH(gru, K, K, gates, v, d, b, inner, h, K, N);
    LAUNCH(gru_slopes, K, K, s, gates, inner, b, flow, zero, e, K, N, 1);
    for (int k = 0; k < K; k++)
        for (int j = 0; j < N; j++) {
            const int at = k * N + j, to = 3 * k * N + j;
            const double r = logistic(2 * ((double)u[to] + v[to])), z = logistic(2 * ((double)u[to + N] + v[to + N]));
            const double q = (double)v[to + 2 * N] + d[j], new = tanh(u[to + 2 * N] + r * q);
            const double dh = (double)d[at] + e[at], slope = (1 - new * new) * (1 - z) * dh;
            const float *w = s + 4 * k * N + j;
            if (WRONG(h[at], (1 - z) * new + z * b[at]) || WRONG(inner[at], q) || WRONG(flow[at], dh * z)) return 4;
            if (WRONG(w[0], slope) || WRONG(w[N], slope * q * r * (1 - r)) || WRONG(w[3 * N], slope * r)) return 5;
            if (WRONG(w[2 * N], dh * (b[at] - new) * z * (1 - z))) return 6;
        }
    for (int relu = 0; relu < 2; relu++) {
        memcpy(h, d, sizeof d);
        if (relu)
            LAUNCH(rnn_relu, ALL, ALL, h, e, ALL);
        else
            LAUNCH(rnn_tanh, ALL, ALL, h, e, ALL);
        LAUNCH(rnn_slopes, ALL, ALL, s, h, d, b, ALL, relu, 1);
        for (int i = 0; i < ALL; i++) {
            const double x = (double)d[i] + e[i], y = relu ? x > 0 ? x : 0 : tanh(x), slope = relu ? y > 0 : 1 - y * y;
            if (WRONG(h[i], y) || WRONG(s[i], slope * ((double)d[i] + b[i]))) return 7;
        }
    }
    return 0;
}
