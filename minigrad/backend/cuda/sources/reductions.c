/* Sums, means and extremes over some axes. x has three axes, (a, b, c); the middle one is reduced, or the outer two. Each result is made
   of pieces of a size that depends on the shape alone, and added up in the same order each time. */
#include "lines.h"

/* Where in x the first number of a result is, and the j-th one of it from there. */
FUNCTION long base(long r, long b, long c, long middle) { return middle ? r / c * b * c + r % c : r * c; }
FUNCTION long place(long j, long b, long c, long middle) {
    if (middle) return j * c;
    const long row = quotient(j, c);
    return row * b * c + (j - row * c);
}

/* NaN, if there is one. */
FUNCTION WIDER higher(WIDER a, WIDER b) { return a > b || a != a ? a : b; }

/* A reduction is two kernels: the first reduces the numbers of a result in pieces, whose results are `partial`, (pieces, results), or y
   itself where there is one piece; the second reduces those. `join` takes one number more, ALL brings the members together. */
#define REDUCTION(name, first, join, ALL)                                                                                \
    KERNEL(name, const NUMBER *x; NUMBER *y; WIDER *partial; long lines, results, n, size, b, c, middle, alone; WIDER by;) { \
        LINE(me, i, my.lines, my.alone) {                                                                                \
            const long r = i % my.results, from = i / my.results * my.size;                                              \
            const long end = from + my.size < my.n ? from + my.size : my.n;                                              \
            const NUMBER *x = my.x + base(r, my.b, my.c, my.middle);                                                     \
            TALLY all = first;                                                                                           \
            SHARE(me, j, end - from) {                                                                                   \
                const WIDER one = UP(x[place(from + j, my.b, my.c, my.middle)]);                                         \
                all = join(all, one);                                                                                    \
            }                                                                                                            \
            const WIDER found = (WIDER)ALL(me, all);                                                                     \
            if (FIRST(me) && my.partial) my.partial[i] = found;                                                          \
            if (FIRST(me) && !my.partial) my.y[r] = DOWN(found / my.by);                                                 \
        }                                                                                                                \
    }                                                                                                                    \
    KERNEL(name##_of_pieces, const WIDER *partial; NUMBER *y; long results, pieces, alone; WIDER by;) {                  \
        LINE(me, r, my.results, my.alone) {                                                                              \
            TALLY all = first;                                                                                           \
            SHARE(me, p, my.pieces) all = join(all, my.partial[p * my.results + r]);                                     \
            const WIDER found = (WIDER)ALL(me, all);                                                                     \
            if (FIRST(me)) my.y[r] = DOWN(found / my.by);                                                                \
        }                                                                                                                \
    }

#define PLUS(a, b) ((a) + (b))
#define LESSER(a, b) (-higher(-(a), -(b)))
#define BOTTOM(me, x) (-TOP(me, -(x)))
REDUCTION(sum, 0, PLUS, SUM)
REDUCTION(max, -INFINITY, higher, TOP)
REDUCTION(min, INFINITY, LESSER, BOTTOM)
