/* Sums of many float32 numbers over some axes: eight numbers at a time are added as a tree, and these in double precision, so that
   errors do not grow with the length and no result depends on how the work is shared out. */
#include "kernel.h"

#include <math.h>
#define GRAIN 32768 /* numbers for which a second thread pays */
enum { TILE = 256, PIECES = 16 };

#define TREE(x, i, step)                                                                                          \
    (((x[i] + x[(i) + (step)]) + (x[(i) + 2 * (step)] + x[(i) + 3 * (step)])) +                                   \
     ((x[(i) + 4 * (step)] + x[(i) + 5 * (step)]) + (x[(i) + 6 * (step)] + x[(i) + 7 * (step)])))

static inline long lesser(long a, long b) { return a < b ? a : b; }

/* The middle one of three axes is summed, and divided by a number. The unit of work is a tile of columns of one of the `a` blocks,
   or, where there are few of them, one of `pieces` of its rows, whose sums go to `partial`. */
KERNEL(columns, const float *x; float *y; double *partial; long a, r, k, tiles, pieces; double by;) {
    ROW(i, my.a * my.tiles * my.pieces) {
        const long piece = i % my.pieces, tile = i / my.pieces % my.tiles, block = i / my.pieces / my.tiles, k = my.k;
        const long from = tile * TILE, wide = lesser(TILE, k - from), end = my.r * (piece + 1) / my.pieces;
        const float *x = my.x + block * my.r * k + from;
        double sum[TILE] = {0};
        long r = my.r * piece / my.pieces;
        for (; r + 8 <= end; r += 8) {
            const float *restrict p = x + r * k;
            _Pragma("omp simd") for (long j = 0; j < wide; j++) sum[j] += TREE(p, j, k);
        }
        for (; r < end; r++)
            _Pragma("omp simd") for (long j = 0; j < wide; j++) sum[j] += x[r * k + j];
        if (my.pieces > 1)
            memcpy(my.partial + i * TILE, sum, sizeof sum);
        else
            for (long j = 0; j < wide; j++) my.y[block * k + from + j] = (float)(sum[j] / my.by);
    }
}

static inline double lane_sum(const double *lanes) {
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

/* The outer two of three axes are summed. The unit of work is one of the `b` results, or one of the `pieces` of its numbers. */
KERNEL(sides, const float *x; float *y; double *partial; long a, b, c, pieces; double by;) {
    ROW(i, my.b * my.pieces) {
        const long piece = i % my.pieces, b = i / my.pieces, n = my.a * my.c, end = n * (piece + 1) / my.pieces;
        double lanes[8] = {0};
        for (long at = n * piece / my.pieces; at < end;) {
            const long row = at / my.c, off = at % my.c, many = lesser(my.c - off, end - at);
            const float *restrict x = my.x + (row * my.b + b) * my.c + off;
            long j = 0;
            at += many;
            for (; j + 64 <= many; j += 64)
                _Pragma("omp simd") for (int l = 0; l < 8; l++) lanes[l] += TREE(x, j + l, 8);
            for (; j + 8 <= many; j += 8)
                _Pragma("omp simd") for (int l = 0; l < 8; l++) lanes[l] += x[j + l];
            for (; j < many; j++) lanes[j & 7] += x[j];
        }
        if (my.pieces > 1)
            my.partial[i] = lane_sum(lanes);
        else
            my.y[b] = (float)(lane_sum(lanes) / my.by);
    }
}

static inline void sum_columns(const float *x, float *y, long a, long r, long k, double by) {
    double partial[PIECES * TILE];
    const long tiles = (k + TILE - 1) / TILE, many = a * tiles;
    const long pieces = many > PIECES / 2 ? 1 : lesser(PIECES / many, 1 + r / 128); /* by the shape alone */
    LAUNCH(columns, many * pieces, 1 + GRAIN * many * pieces / (a * r * k + 1), x, y, partial, a, r, k, tiles, pieces, by);
    if (pieces == 1) return;
    for (long i = 0; i < many; i++) {
        const long block = i / tiles, from = i % tiles * TILE;
        for (long j = 0; j < lesser(TILE, k - from); j++) {
            double sum = 0;
            for (long p = 0; p < pieces; p++) sum += partial[(i * pieces + p) * TILE + j];
            y[block * k + from + j] = (float)(sum / by);
        }
    }
}

static inline void sum_sides(const float *x, float *y, long a, long b, long c, double by) {
    double partial[8 * PIECES];
    const long n = a * b * c, pieces = b > PIECES / 2 ? 1 : lesser(8 * PIECES / b, 1 + n / b / 8192);
    LAUNCH(sides, b * pieces, 1 + GRAIN * b * pieces / (n + 1), x, y, partial, a, b, c, pieces, by);
    if (pieces == 1) return;
    for (long i = 0; i < b; i++) {
        double sum = 0;
        for (long p = 0; p < pieces; p++) sum += partial[i * pieces + p];
        y[i] = (float)(sum / by);
    }
}

/* x of lengths (a, b, c), summed over the middle axis or over the other two, and divided by a number. */
static inline int reduced(array *x, array *y, long middle, long a, long b, long c, double by) {
    if (!is_ordered(x, FLOAT32) || !is_ordered(y, FLOAT32) || a < 1 || b < 1 || c < 1) return REFUSED;
    if (size(x) != a * b * c || size(y) != (middle ? a * c : b)) return REFUSED;
    if (middle)
        sum_columns(F32(x), F32(y), a, b, c, by);
    else
        sum_sides(F32(x), F32(y), a, b, c, by);
    return DONE;
}

#define REDUCED(name) \
    ENTRY(name)(array *x, array *y, long middle, long a, long b, long c, double by) { return reduced(x, y, middle, a, b, c, by); }
REDUCED(sum)
REDUCED(sum_to)
REDUCED(mean)

ENTRY(self_test)(void) {
    enum { a = 3, b = 37, c = 75 };
    static float x[a * b * c], y[a * c], z[b];
    double rows[b] = {0}, tops[a * c] = {0};
    for (int i = 0; i < a * b * c; i++) {
        x[i] = (float)(i * 37 % 101);
        rows[i / c % b] += x[i];
        tops[i / c / b * c + i % c] += x[i];
    }
    sum_columns(x, y, a, b, c, 1);
    sum_sides(x, z, a, b, c, 1);
    for (int i = 0; i < a * c; i++)
        if (y[i] != (float)tops[i]) return 1;
    for (int i = 0; i < b; i++)
        if (z[i] != (float)rows[i]) return 1;
    return 0;
}
