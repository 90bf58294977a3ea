/* Pooling by the maximum and by the mean, of images or (with one row) of signals, and the ways back. A thread makes one number of the
   result; on the way back, too: it looks for the windows that its number was in, so that nobody else writes there. */
#include "lines.h"

/* An axis of length n, lengthened by `lo` at both ends, of which `out` windows of k numbers, d apart, are taken, one every s. */
struct axis {
    long n, out, k, s, lo, d;
};

/* Where number i of window o is on the axis, or outside; and in which window p is number i: -1 if in none. */
FUNCTION long inside(struct axis a, long o, long i) { return o * a.s - a.lo + i * a.d; }
FUNCTION long window(struct axis a, long p, long i) {
    const long far = p + a.lo - i * a.d, o = far < 0 ? -1 : quotient(far, a.s);
    return o < a.out && o * a.s == far ? o : -1;
}

/* The place i in planes of so many rows and columns. */
struct spot {
    long plane, row, column;
};
FUNCTION struct spot spot_of(long i, long rows, long columns) {
    const long line = quotient(i, columns), plane = quotient(line, rows);
    const struct spot s = {plane, line - plane * rows, i - line * columns};
    return s;
}

/* The largest numbers, NaN above all, and which they are in their window: the first of equal ones. */
KERNEL(max_pool_search, const NUMBER *x; NUMBER *y; uint8_t *index; long planes; struct axis v, h;) {
    ROW(i, my.planes * my.v.out * my.h.out) {
        const struct spot s = spot_of(i, my.v.out, my.h.out);
        const NUMBER *x = my.x + s.plane * my.v.n * my.h.n;
        WIDER top = -INFINITY;
        long chosen = -1;
        for (long a = 0; a < my.v.k; a++) {
            const long row = inside(my.v, s.row, a);
            if (row < 0 || row >= my.v.n) continue;
            for (long b = 0; b < my.h.k; b++) {
                const long column = inside(my.h, s.column, b);
                if (column < 0 || column >= my.h.n) continue;
                const WIDER one = UP(x[row * my.h.n + column]);
                if (chosen < 0 || one > top || one != one) top = one, chosen = a * my.h.k + b;
            }
        }
        my.y[i] = DOWN(top);
        if (my.index) my.index[i] = (uint8_t)(chosen < 0 ? 0 : chosen);
    }
}

KERNEL(max_pool_gradient, const NUMBER *g; const uint8_t *index; NUMBER *y; long planes; struct axis v, h;) {
    ROW(i, my.planes * my.v.n * my.h.n) {
        const struct spot s = spot_of(i, my.v.n, my.h.n);
        TALLY sum = 0;
        for (long a = 0; a < my.v.k; a++) {
            const long row = window(my.v, s.row, a);
            if (row < 0) continue;
            for (long b = 0; b < my.h.k; b++) {
                const long column = window(my.h, s.column, b), at = (s.plane * my.v.out + row) * my.h.out + column;
                if (column >= 0 && my.index[at] == a * my.h.k + b) sum += UP(my.g[at]);
            }
        }
        my.y[i] = DOWN((WIDER)sum);
    }
}

/* How many numbers of window o count, with those of the padding or without them. */
FUNCTION long width(struct axis a, long o, long padded) {
    const long from = inside(a, o, 0), end = from + a.k, last = padded ? a.n + a.lo : a.n;
    return (end < last ? end : last) - (padded || from > 0 ? from : 0);
}

/* What the sum of a window is divided by: a number that is given, or 0: how many there are. */
#define DIVISOR(row, column) \
    (my.divisor != 0 ? my.divisor : (WIDER)(width(my.v, row, my.padded) * width(my.h, column, my.padded)))

KERNEL(avg_pool, const NUMBER *x; NUMBER *y; long planes; struct axis v, h; long padded; WIDER divisor;) {
    ROW(i, my.planes * my.v.out * my.h.out) {
        const struct spot s = spot_of(i, my.v.out, my.h.out);
        const NUMBER *x = my.x + s.plane * my.v.n * my.h.n;
        TALLY sum = 0;
        for (long a = 0; a < my.v.k; a++) {
            const long row = inside(my.v, s.row, a);
            if (row < 0 || row >= my.v.n) continue;
            for (long b = 0; b < my.h.k; b++) {
                const long column = inside(my.h, s.column, b);
                if (column >= 0 && column < my.h.n) sum += UP(x[row * my.h.n + column]);
            }
        }
        my.y[i] = DOWN((WIDER)sum / DIVISOR(s.row, s.column));
    }
}

KERNEL(avg_pool_gradient, const NUMBER *g; NUMBER *y; long planes; struct axis v, h; long padded; WIDER divisor;) {
    ROW(i, my.planes * my.v.n * my.h.n) {
        const struct spot s = spot_of(i, my.v.n, my.h.n);
        TALLY sum = 0;
        for (long a = 0; a < my.v.k; a++) {
            const long row = window(my.v, s.row, a);
            if (row < 0) continue;
            for (long b = 0; b < my.h.k; b++) {
                const long column = window(my.h, s.column, b);
                if (column >= 0) sum += UP(my.g[(s.plane * my.v.out + row) * my.h.out + column]) / DIVISOR(row, column);
            }
        }
        my.y[i] = DOWN((WIDER)sum);
    }
}
