/* Products of matrices of float32, one or many. */
#include "kernel.h"
#include "gemm.h"

static struct matrix last_two(const array *o) {
    const long *step = o->strides + o->axes - 2;
    return (struct matrix){F32(o), step[0] / 4, step[1] / 4};
}

/* y = a b; the leading axes of a and b broadcast to those of y. */
ENTRY(matmul)(array *a, array *b, array *y) {
    enum { MOST = 16 };
    if (!is(a, FLOAT32) || !is(b, FLOAT32) || !is_ordered(y, FLOAT32) || a->axes < 2 || b->axes < 2 || y->axes > MOST) return REFUSED;
    const long *of_a = a->shape + a->axes - 2, *of_b = b->shape + b->axes - 2, m = of_a[0], k = of_a[1], n = of_b[1];
    if (k != of_b[0] || y->axes < a->axes || y->axes < b->axes || y->axes < 2 || y->shape[y->axes - 2] != m || y->shape[y->axes - 1] != n) return REFUSED;
    if (!size(y) || !k) return REFUSED;
    const struct product p = {m, n, k, last_two(a), last_two(b), F32(y), n, NULL, 0, 0};
    const long count = size(y) / (m * n), outer = y->axes - 2;
    const array *both[2] = {a, b};
    for (int o = 0; o < 2; o++)
        for (long axis = 0; axis < both[o]->axes - 2; axis++) {
            const long of = both[o]->shape[axis];
            if (of != 1 && of != y->shape[y->axes - both[o]->axes + axis]) return REFUSED;
        }
    if (count == 1) return multiplied(p, 1, NULL);
    long *at = malloc(3 * (size_t)count * sizeof(long));
    if (!at) return REFUSED;
    for (long i = 0; i < count; i++) {
        at[3 * i] = at[3 * i + 1] = 0, at[3 * i + 2] = i * m * n;
        for (long axis = outer - 1, rest = i; axis >= 0; rest /= y->shape[axis--])
            for (int o = 0; o < 2; o++) {
                const long own = axis - (y->axes - both[o]->axes);
                if (own >= 0 && both[o]->shape[own] > 1) at[3 * i + o] += rest % y->shape[axis] * (both[o]->strides[own] / 4);
            }
    }
    const int answer = multiplied(p, count, at);
    free(at);
    return answer;
}

/* y (m, n) = x (m, k) w' (n, k), plus the bias (n) if it is not y itself. */
ENTRY(linear)(array *x, array *w, array *bias, array *y) {
    if (!is(x, FLOAT32) || !is(w, FLOAT32) || !is_ordered(y, FLOAT32) || x->axes != 2 || w->axes != 2 || y->axes != 2) return REFUSED;
    const long m = x->shape[0], k = x->shape[1], n = w->shape[0];
    if (w->shape[1] != k || y->shape[0] != m || y->shape[1] != n || !m || !n || !k) return REFUSED;
    if (bias != y && (!is_ordered(bias, FLOAT32) || bias->axes != 1 || bias->shape[0] != n)) return REFUSED;
    const struct matrix right = last_two(w);
    return multiplied((struct product){m, n, k, last_two(x), {right.at, right.column, right.row}, F32(y), n, bias == y ? NULL : F32(bias), 0, 0}, 1, NULL);
}

ENTRY(self_test)(void) {
    enum { m = 29, n = 71, k = 37 };
    static float a[m * k], b[k * n], turned[n * k], y[m * n], z[m * n], bias[n];
    for (int i = 0; i < m * k; i++) a[i] = (float)(i * 7 % 11 - 5);
    for (int i = 0; i < n; i++) bias[i] = (float)i;
    for (int i = 0; i < k * n; i++) b[i] = turned[i % n * k + i / n] = (float)(i * 5 % 13 - 6);
    if (multiplied((struct product){m, n, k, {a, k, 1}, {b, n, 1}, y, n, bias, 0, 0}, 1, NULL)) return 1;
    if (multiplied((struct product){m, n, k, {a, k, 1}, {turned, 1, k}, z, n, NULL, 0, 0}, 1, NULL)) return 1;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int l = 0; l < k; l++) sum += a[i * k + l] * b[l * n + j];
            if (y[i * n + j] != sum + bias[j] || z[i * n + j] != sum) return 1;
        }
    return 0;
}
