/* The largest of many numbers, and the sum of e to each of them less that, found in one walk: when a larger number comes, what has been
   added up is scaled down. With d = x - high, one of both powers is e**-|d| times the other. */
#include "lines.h"

struct powers {
    WIDER high;
    TALLY sum;
};

/* A member begins with the lowest finite number, not with -inf, so that -inf counts as 0 before anything larger has come. */
#define NOTHING {(WIDER)-3.40282347e38, 0}

FUNCTION void add(struct powers *p, WIDER x) {
    const WIDER d = x - p->high, e = exp(-fabs(d));
    p->sum = d > 0 ? p->sum * e + 1 : p->sum + e;
    p->high = d > 0 ? x : p->high;
}

/* What the members found, brought together: where the largest is infinite, the sum becomes NaN. */
FUNCTION WIDER whole(struct member me, struct powers p, WIDER *top) {
    *top = TOP(me, p.high);
    return (WIDER)SUM(me, p.sum * exp(p.high - *top));
}
