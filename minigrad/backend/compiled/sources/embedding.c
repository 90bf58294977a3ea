/* Lookups of rows of float32 in a table, and additions to them. */
#include "kernel.h"

#define GRAIN 16384 /* numbers for which a second thread pays */

/* Whether these are whole numbers that count rows of a table. */
static inline int are_rows(const array *ids, long rows) {
    if (!is_ordered(ids, INT64)) return 0;
    const int64_t *id = (const int64_t *)ids->data;
    int good = 1;
    for (long i = 0, n = size(ids); i < n; i++) good &= (id[i] >= 0) & (id[i] < rows);
    return good;
}

KERNEL(look_up, const float *table; const int64_t *id; float *y; long n, d;) {
    ROW(i, my.n) memcpy(my.y + i * my.d, my.table + my.id[i] * my.d, sizeof(float) * (size_t)my.d);
}

ENTRY(embedding)(array *ids, array *table, array *y) {
    if (!is_ordered(table, FLOAT32) || !is_ordered(y, FLOAT32) || table->axes != 2) return REFUSED;
    const long rows = table->shape[0], d = table->shape[1], n = size(ids);
    if (!are_rows(ids, rows) || size(y) != n * d) return REFUSED;
    LAUNCH(look_up, n, 1 + GRAIN / (d + 1), F32(table), (int64_t *)ids->data, F32(y), n, d);
    return DONE;
}

/* Threads share the columns out, so that each number of the table is the sum of its terms in the order in which they come. */
KERNEL(add_up, const float *g; const int64_t *id; float *y; long n, d;) {
    const long from = edge(my.d, 16, part, parts), end = edge(my.d, 16, part + 1, parts);
    for (long i = 0; i < my.n; i++) {
        const float *restrict g = my.g + i * my.d;
        float *restrict y = my.y + my.id[i] * my.d;
        _Pragma("omp simd") for (long j = from; j < end; j++) y[j] += g[j];
    }
}

/* y is zero; what belongs to the row `padding` of it stays so. */
ENTRY(embedding_gradient)(array *g, array *ids, array *y, long padding) {
    if (!is_ordered(g, FLOAT32) || !is_ordered(y, FLOAT32) || y->axes != 2) return REFUSED;
    const long rows = y->shape[0], d = y->shape[1], n = size(ids);
    if (!are_rows(ids, rows) || size(g) != n * d) return REFUSED;
    LAUNCH(add_up, d, 32 + GRAIN / (n + 1), F32(g), (int64_t *)ids->data, F32(y), n, d);
    if (padding >= 0 && padding < rows) memset(F32(y) + padding * d, 0, sizeof(float) * (size_t)d);
    return DONE;
}

ENTRY(self_test)(void) {
    enum { n = 7, d = 37 };
    const int64_t id[n] = {2, 0, 2, 1, 2, 0, 2};
    float table[3 * d], y[n * d], sum[3 * d] = {0};
    for (int i = 0; i < 3 * d; i++) table[i] = (float)i;
    LAUNCH(look_up, n, n, table, id, y, n, d);
    LAUNCH(add_up, d, d, y, id, sum, n, d);
    for (int j = 0; j < d; j++)
        if (y[j] != table[2 * d + j] || sum[j] != 2 * table[j] || sum[2 * d + j] != 4 * table[2 * d + j]) return 1;
    return 0;
}
