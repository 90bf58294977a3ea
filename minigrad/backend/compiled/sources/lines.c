/* Along lines of a float32 array: the extremes and the length of rows, and running sums. */
#include "kernel.h"

#include <math.h>
enum { GRAIN = 32768, RUN = 512, PIECES = 64, TILE = 256 }; /* RUN: squares that are added in float32, the rest in double precision */

/* -- extremes of rows; NaN wins ----------------------------------------------------------------------------------- */
#define PRAGMA(...) _Pragma(#__VA_ARGS__)
#define EXTREME(name, reduced, worst, better)                                                              \
    KERNEL(name, const float *x; float *y; long rows, n;) {                                                \
        ROW(r, my.rows) {                                                                                  \
            const float *restrict x = my.x + r * my.n;                                                     \
            float best = worst;                                                                            \
            int strange = 0;                                                                               \
            PRAGMA(omp simd reduction(reduced:best) reduction(|:strange)) for (long i = 0; i < my.n; i++) {    \
                best = x[i] better best ? x[i] : best;                                                     \
                strange |= x[i] != x[i];                                                                   \
            }                                                                                              \
            my.y[r] = strange ? __builtin_nanf("") : best;                                                 \
        }                                                                                                  \
    }                                                                                                      \
    ENTRY(name)(array *x, array *y, long rows, long n) {                                                   \
        if (!is_ordered(x, FLOAT32) || !is_ordered(y, FLOAT32) || n < 1 || size(x) != rows * n || size(y) != rows) return REFUSED; \
        LAUNCH(name, rows, 1 + GRAIN / n, F32(x), F32(y), rows, n);                                        \
        return DONE;                                                                                       \
    }
EXTREME(max, max, -__builtin_inff(), >)
EXTREME(min, min, __builtin_inff(), <)

/* -- lengths of rows ---------------------------------------------------------------------------------------------- */
/* The unit of work is one of the `pieces` of a row. */
KERNEL(squares, const float *x; double *sums; float *y; long rows, n, pieces;) {
    ROW(i, my.rows * my.pieces) {
        const long row = i / my.pieces, piece = i % my.pieces, end = my.n * (piece + 1) / my.pieces;
        const float *x = my.x + row * my.n;
        double sum = 0;
        for (long at = my.n * piece / my.pieces, to; at < end; at = to) {
            float some = 0;
            to = at + RUN < end ? at + RUN : end;
            _Pragma("omp simd reduction(+:some)") for (long j = at; j < to; j++) some += x[j] * x[j];
            sum += some;
        }
        if (my.pieces > 1)
            my.sums[i] = sum;
        else
            my.y[row] = (float)sqrt(sum);
    }
}

ENTRY(vector_norm)(array *x, array *y, long rows, long n) {
    if (!is_ordered(x, FLOAT32) || !is_ordered(y, FLOAT32) || n < 1 || size(x) != rows * n || size(y) != rows) return REFUSED;
    double sums[PIECES], sum = 0;
    const long pieces = rows > 1 || n < GRAIN ? 1 : PIECES; /* by the shape alone */
    LAUNCH(squares, rows * pieces, pieces > 1 ? 1 + GRAIN / (n / pieces) : 1 + GRAIN / n, F32(x), sums, F32(y), rows, n, pieces);
    for (long i = 0; pieces > 1 && i < pieces; i++) sum += sums[i];
    if (pieces > 1) *F32(y) = (float)sqrt(sum);
    return DONE;
}

/* -- running sums ------------------------------------------------------------------------------------------------- */
/* The middle one of three axes, from either end, in double precision. The unit of work is a tile of the last axis. */
KERNEL(running, const float *x; float *y; long tiles, n, inner, back;) {
    ROW(i, my.tiles) {
        const long each = (my.inner + TILE - 1) / TILE, from = i % each * TILE, wide = my.inner - from < TILE ? my.inner - from : TILE;
        const long first = my.back ? my.n - 1 : 0, step = my.back ? -my.inner : my.inner;
        const float *restrict x = my.x + (i / each * my.n + first) * my.inner + from;
        float *restrict y = my.y + (i / each * my.n + first) * my.inner + from;
        double sum[TILE] = {0};
        for (long k = 0; k < my.n; k++, x += step, y += step)
            _Pragma("omp simd") for (long j = 0; j < wide; j++) {
                sum[j] += x[j];
                y[j] = (float)sum[j];
            }
    }
}

/* The same of rows: four at once, as each number waits for the one before. */
KERNEL(running_rows, const float *x; float *y; long rows, n, back;) {
    for (long r = edge(my.rows, 4, part, parts), end = edge(my.rows, 4, part + 1, parts); r < end; r += 4) {
        const long many = end - r < 4 ? end - r : 4, first = my.back ? my.n - 1 : 0, step = my.back ? -1 : 1;
        const float *x[4];
        float *y[4];
        double sum[4] = {0};
        for (long j = 0; j < 4; j++) {
            const long row = r + (j < many ? j : 0); /* where there are fewer, the first is done again, alike */
            x[j] = my.x + row * my.n, y[j] = my.y + row * my.n;
        }
        for (long k = 0, i = first; k < my.n; k++, i += step)
            for (int j = 0; j < 4; j++) y[j][i] = (float)(sum[j] += x[j][i]);
    }
}

ENTRY(cumsum)(array *x, array *y, long outer, long n, long inner, long back) {
    if (!is_ordered(x, FLOAT32) || !is_ordered(y, FLOAT32) || size(x) != outer * n * inner || size(y) != size(x)) return REFUSED;
    const long tiles = outer * ((inner + TILE - 1) / TILE);
    if (inner == 1)
        LAUNCH(running_rows, outer, 1 + GRAIN / n, F32(x), F32(y), outer, n, back);
    else
        LAUNCH(running, tiles, 1 + GRAIN * tiles / size(x), F32(x), F32(y), tiles, n, inner, back);
    return DONE;
}

ENTRY(self_test)(void) {
    enum { rows = 5, n = 75 };
    float x[rows * n], y[rows * n];
    for (int i = 0; i < rows * n; i++) x[i] = (float)(i * 37 % 101 - 50);
    LAUNCH(max, rows, 1, x, y, rows, n);
    for (int i = 0; i < rows * n; i++)
        if (y[i / n] < x[i]) return 1;
    LAUNCH(min, rows, 1, x, y, rows, n);
    for (int i = 0; i < rows * n; i++)
        if (y[i / n] > x[i]) return 2;
    LAUNCH(squares, rows, 1, x, NULL, y, rows, n, 1);
    for (int r = 0; r < rows; r++) {
        double sum = 0;
        for (int i = 0; i < n; i++) sum += x[r * n + i] * x[r * n + i];
        if (fabs(y[r] - sqrt(sum)) > 1e-5 * sqrt(sum)) return 3;
    }
    LAUNCH(running_rows, rows, rows, x, y, rows, n, 0);
    for (int i = 0; i < rows * n; i++)
        if (y[i] - (i % n ? y[i - 1] : 0) != x[i]) return 4;
    LAUNCH(running, 1, 1, x, y, 1, rows, n, 1);
    for (int i = 0; i < rows * n; i++)
        if (y[i] - (i < rows * n - n ? y[i + n] : 0) != x[i]) return 5;
    return 0;
}
