/* The way back from a lookup: rows of g, (n, d), added to those rows of a table that their ids name, in the same order each time.

   Additions by many threads at once would come in any order. So the places of g are sorted by their ids first, and then each row of the
   table adds up the run of places that are its own. A key is an id and, below it, a place: no two are alike, and equal ids keep their
   order. Runs are cut at every BLOCK keys, so that an id that comes thousands of times is not left to one thread. */
#include "lines.h"

enum { BLOCK = 64 };
FUNCTION long row_of(uint64_t key) { return (long)(key >> 32); }
FUNCTION long place_of(uint64_t key) { return (long)(key & 0xffffffff); }

/* The id counted from the front; one outside the table, which nobody has looked at, is that of a row within. */
FUNCTION uint64_t key_of(const int64_t *id, long place, long rows) {
    long row = id[place];
    if (row < 0 || row >= rows) row = (row % rows + rows) % rows;
    return (uint64_t)row << 32 | (uint64_t)place;
}

/* Keys in order within each BLOCK: each goes where there are as many before it as are smaller. */
KERNEL(sort_blocks, const int64_t *id; uint64_t *to; long n, rows;) {
    ROW(i, my.n) {
        const long from = i / BLOCK * BLOCK, end = from + BLOCK < my.n ? from + BLOCK : my.n;
        const uint64_t key = key_of(my.id, i, my.rows);
        long before = 0;
        for (long j = from; j < end; j++) before += key_of(my.id, j, my.rows) < key;
        my.to[from + before] = key;
    }
}

/* Of runs of `width` keys that are in order, every two become one: a key goes as far into it as there are smaller ones in both. */
KERNEL(merge, const uint64_t *from; uint64_t *to; long n, width;) {
    ROW(i, my.n) {
        const uint64_t key = my.from[i];
        const long own = i / my.width * my.width, both = own / (2 * my.width) * 2 * my.width;
        const long other = own == both ? own + my.width : both;
        long low = other < my.n ? other : my.n, high = other + my.width < my.n ? other + my.width : my.n;
        const long first = low;
        while (low < high) {
            const long middle = (low + high) / 2;
            if (my.from[middle] < key)
                low = middle + 1;
            else
                high = middle;
        }
        my.to[both + (i - own) + (low - first)] = key;
    }
}

/* The sum, in a column of g, of those places from `at` to the end of its block whose id is that of the first. */
FUNCTION WIDER sum_of_run(const NUMBER *g, const uint64_t *key, long at, long n, long d, long column) {
    const long row = row_of(key[at]), end = at / BLOCK * BLOCK + BLOCK < n ? at / BLOCK * BLOCK + BLOCK : n;
    TALLY sum = 0;
    for (; at < end && row_of(key[at]) == row; at++) sum += UP(g[place_of(key[at]) * d + column]);
    return (WIDER)sum;
}

/* Blocks that begin in the middle of a run: what of it they hold. */
KERNEL(continued_runs, const NUMBER *g; const uint64_t *key; WIDER *partial; long n, d;) {
    const long blocks = (my.n + BLOCK - 1) / BLOCK;
    ROW(i, blocks * my.d) {
        const long at = i / my.d * BLOCK;
        if (at > 0 && row_of(my.key[at]) == row_of(my.key[at - 1])) my.partial[i] = sum_of_run(my.g, my.key, at, my.n, my.d, i % my.d);
    }
}

/* Where a run begins: all of it, into y, which is zero. The row `padding` stays so. */
KERNEL(runs, const NUMBER *g; const uint64_t *key; const WIDER *partial; NUMBER *y; long n, d, padding;) {
    ROW(i, my.n * my.d) {
        const long at = i / my.d, column = i % my.d, row = row_of(my.key[at]);
        if (row == my.padding || (at > 0 && row_of(my.key[at - 1]) == row)) continue;
        TALLY sum = sum_of_run(my.g, my.key, at, my.n, my.d, column);
        for (long block = at / BLOCK + 1; block * BLOCK < my.n && row_of(my.key[block * BLOCK]) == row; block++)
            sum += my.partial[block * my.d + column];
        my.y[row * my.d + column] = DOWN((WIDER)sum);
    }
}
