/* What lies between the two products of attention: scores become weights, in place, and on the way back their gradients. A line is what
   one query has to do with n keys; lines are numbered by batch, head and query. */
#include "softmax.h"

/* An array of flags or of numbers that goes with the scores: how far apart its batches, heads, queries and keys are, 0 where it has one
   for all; neither, if there is none. */
struct beside {
    const uint8_t *flags;
    const WIDER *numbers;
    long batch, head, query, key;
};

FUNCTION long start(struct beside o, long r, long heads, long queries) {
    return r / queries / heads * o.batch + r / queries % heads * o.head + r % queries * o.query;
}

/* A score, scaled and masked: -inf, which weighs nothing, where the query must not look. */
FUNCTION WIDER finished(WIDER s, WIDER scale, struct beside mask, long i) {
    if (mask.flags && !mask.flags[i]) return -INFINITY;
    return mask.numbers ? s * scale + mask.numbers[i] : s * scale;
}

/* What a weight is multiplied by: 0 where it is dropped. */
FUNCTION WIDER share(struct beside keep, long i, WIDER gain) { return !keep.flags || keep.flags[i] ? gain : 0; }

/* How many keys a query sees: all, or, if `first` is not -1, as many as the number of the query, of which the first line's is `first`. */
FUNCTION long sees(long n, long first, long query) { return first < 0 || n < first + query + 1 ? n : first + query + 1; }

/* A query that may look at nothing has no weights. z keeps what weights can be made of again: the logarithm of their sum. */
KERNEL(attention_weights, WIDER *s, *z; struct beside mask, keep; long lines, n, heads, queries, first, alone; WIDER scale, gain;) {
    LINE(me, r, my.lines, my.alone) {
        WIDER *s = my.s + r * my.n, top;
        const long seen = sees(my.n, my.first, r % my.queries);
        const long mask = start(my.mask, r, my.heads, my.queries), keep = start(my.keep, r, my.heads, my.queries);
        struct powers p = NOTHING;
        SHARE(me, j, seen) add(&p, finished(s[j], my.scale, my.mask, mask + j * my.mask.key));
        WIDER sum = whole(me, p, &top);
        if (sum == 0) top = 0, sum = 1;
        if (FIRST(me)) my.z[r] = top + log(sum);
        const WIDER by = 1 / sum;
        SHARE(me, j, my.n) {
            const WIDER w = j < seen ? exp(finished(s[j], my.scale, my.mask, mask + j * my.mask.key) - top) * by : 0;
            s[j] = w * share(my.keep, keep + j * my.keep.key, my.gain);
        }
    }
}

/* d, the gradient of the weights, becomes that of the scores, times `by`; s, the scores, becomes the weights as they were used. */
KERNEL(attention_weights_gradient, WIDER *s, *d; const WIDER *z; struct beside mask, keep;
       long lines, n, heads, queries, first, alone; WIDER scale, by, gain;) {
    LINE(me, r, my.lines, my.alone) {
        WIDER *s = my.s + r * my.n, *d = my.d + r * my.n;
        const WIDER z = my.z[r];
        const long seen = sees(my.n, my.first, r % my.queries);
        const long mask = start(my.mask, r, my.heads, my.queries), keep = start(my.keep, r, my.heads, my.queries);
        TALLY sum = 0;
        SHARE(me, j, seen) {
            const WIDER w = exp(finished(s[j], my.scale, my.mask, mask + j * my.mask.key) - z);
            sum += w * share(my.keep, keep + j * my.keep.key, my.gain) * d[j];
        }
        const WIDER mean = (WIDER)SUM(me, sum);
        SHARE(me, j, my.n) {
            const WIDER w = j < seen ? exp(finished(s[j], my.scale, my.mask, mask + j * my.mask.key) - z) : 0;
            const WIDER gain = share(my.keep, keep + j * my.keep.key, my.gain);
            d[j] = j < seen ? w * (gain * d[j] - mean) * my.by : 0;
            s[j] = w * gain;
        }
    }
}
