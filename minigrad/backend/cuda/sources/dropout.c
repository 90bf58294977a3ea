/* Dropout: random bits by position (see philox.py, which says what they are), compared and applied where they are made.

   Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011. Entry i is dropped if word i % 4 of counter
   i / 4 is below the threshold: each thread has a counter and the four entries of its words. */
#include "kernel.h"

struct words {
    uint32_t at[4];
};

FUNCTION struct words drawn(uint64_t key, uint64_t counter) {
    uint32_t a = (uint32_t)counter, b = (uint32_t)(counter >> 32), c = 0, d = 0, left = (uint32_t)key, right = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t p = (uint64_t)a * 0xD2511F53u, q = (uint64_t)c * 0xCD9E8D57u;
        a = (uint32_t)(q >> 32) ^ b ^ left, b = (uint32_t)q;
        c = (uint32_t)(p >> 32) ^ d ^ right, d = (uint32_t)p;
        left += 0x9E3779B9u, right += 0xBB67AE85u;
    }
    struct words w = {{a, b, c, d}};
    return w;
}

/* Entry i of the four that belong to counter c, of n in all. */
#define FOUR(i, k, c, n) for (long i = 4 * (c), k = 0; k < 4 && i < (n); i++, k++)

KERNEL(dropped, const NUMBER *x; NUMBER *y; uint64_t key; uint32_t threshold; float gain; long n;) {
    const NUMBER *APART x = my.x;
    NUMBER *APART y = my.y;
    ROW(c, (my.n + 3) / 4) {
        const struct words w = drawn(my.key, c);
        FOUR(i, k, c, my.n) y[i] = DOWN(UP(x[i]) * (w.at[k] >= my.threshold ? my.gain : 0.0f));
    }
}

KERNEL(kept, uint8_t *y; uint64_t key; uint32_t threshold; long n;) {
    ROW(c, (my.n + 3) / 4) {
        const struct words w = drawn(my.key, c);
        FOUR(i, k, c, my.n) my.y[i] = w.at[k] >= my.threshold;
    }
}
