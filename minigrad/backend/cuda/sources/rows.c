/* Softmax, its logarithm, cross entropy and their slopes, along the middle axis of (outer, n, apart): line r has n numbers, which are
   `apart` from one another. Each line is read twice, and nothing is kept but the result. */
#include "softmax.h"

FUNCTION long start(long r, long n, long apart) { return apart == 1 ? r * n : r / apart * n * apart + r % apart; }

FUNCTION WIDER powers(struct member me, const NUMBER *x, long n, long apart, WIDER *top) {
    struct powers p = NOTHING;
    SHARE(me, j, n) add(&p, UP(x[j * apart]));
    return whole(me, p, top);
}

/* -- softmax ------------------------------------------------------------------------------------------------------ */
KERNEL(softmax, const NUMBER *x; NUMBER *y; long lines, n, apart, alone;) {
    LINE(me, r, my.lines, my.alone) {
        const NUMBER *x = my.x + start(r, my.n, my.apart);
        NUMBER *y = my.y + (x - my.x);
        WIDER top;
        const WIDER by = 1 / powers(me, x, my.n, my.apart, &top);
        SHARE(me, j, my.n) y[j * my.apart] = DOWN(exp(UP(x[j * my.apart]) - top) * by);
    }
}

KERNEL(log_softmax, const NUMBER *x; NUMBER *y; long lines, n, apart, alone;) {
    LINE(me, r, my.lines, my.alone) {
        const NUMBER *x = my.x + start(r, my.n, my.apart);
        NUMBER *y = my.y + (x - my.x);
        WIDER top;
        const WIDER rest = log(powers(me, x, my.n, my.apart, &top));
        SHARE(me, j, my.n) y[j * my.apart] = DOWN(UP(x[j * my.apart]) - top - rest);
    }
}

/* p is what softmax gave; log_softmax gave q. */
KERNEL(softmax_gradient, const NUMBER *g, *p; NUMBER *y; long lines, n, apart, alone;) {
    LINE(me, r, my.lines, my.alone) {
        const long at = start(r, my.n, my.apart);
        TALLY sum = 0;
        SHARE(me, j, my.n) sum += UP(my.g[at + j * my.apart]) * UP(my.p[at + j * my.apart]);
        const WIDER all = (WIDER)SUM(me, sum);
        SHARE(me, j, my.n) {
            const long i = at + j * my.apart;
            my.y[i] = DOWN(UP(my.p[i]) * UP(my.g[i]) - UP(my.p[i]) * all);
        }
    }
}

KERNEL(log_softmax_gradient, const NUMBER *g, *q; NUMBER *y; long lines, n, apart, alone;) {
    LINE(me, r, my.lines, my.alone) {
        const long at = start(r, my.n, my.apart);
        TALLY sum = 0;
        SHARE(me, j, my.n) sum += UP(my.g[at + j * my.apart]);
        const WIDER all = (WIDER)SUM(me, sum);
        SHARE(me, j, my.n) {
            const long i = at + j * my.apart;
            my.y[i] = DOWN(UP(my.g[i]) - exp(UP(my.q[i])) * all);
        }
    }
}

/* -- cross entropy ------------------------------------------------------------------------------------------------
   With e[c] = x[c] - top, the loss of a line is  total log(sum) - hit e[label] - sum_c rest[c] e[c],  and 0 where it is not valid. Its
   slope is  total softmax(x) - rest,  less hit at the label. `hit` and `total` are one number for all lines where no array is given. */
#define EITHER(array, number, r) (array ? array[r] : number)

KERNEL(cross_entropy, const NUMBER *x; const int64_t *label; const WIDER *hits, *rest, *totals; const uint8_t *valid; WIDER *y;
       long lines, n, apart, alone; WIDER hit, total;) {
    LINE(me, r, my.lines, my.alone) {
        const NUMBER *x = my.x + start(r, my.n, my.apart);
        WIDER top;
        const WIDER sum = powers(me, x, my.n, my.apart, &top);
        TALLY spread = 0;
        if (my.rest) {
            SHARE(me, j, my.n) spread += my.rest[j] * (UP(x[j * my.apart]) - top);
            spread = SUM(me, spread);
        }
        if (FIRST(me)) {
            const WIDER mine = UP(x[my.label[r] * my.apart]) - top;
            const WIDER loss = EITHER(my.totals, my.total, r) * log(sum) - (EITHER(my.hits, my.hit, r) * mine + (WIDER)spread);
            my.y[r] = EITHER(my.valid, 1, r) ? loss : 0;
        }
    }
}

/* g is one number, or one each (`several`); it is divided by `over`, a number or (`overs`) on the device. */
KERNEL(cross_entropy_gradient, const NUMBER *x; const WIDER *g; const int64_t *label; const WIDER *hits, *rest, *totals;
       const uint8_t *valid; const WIDER *overs; NUMBER *y; long lines, n, apart, alone, several; WIDER slope, hit, total, over;) {
    LINE(me, r, my.lines, my.alone) {
        const NUMBER *x = my.x + start(r, my.n, my.apart);
        NUMBER *y = my.y + (x - my.x);
        WIDER top;
        const WIDER by = EITHER(my.totals, my.total, r) / powers(me, x, my.n, my.apart, &top);
        const WIDER g = EITHER(my.g, my.slope, my.several * r) / EITHER(my.overs, my.over, 0), hit = EITHER(my.hits, my.hit, r);
        const long label = my.label[r];
        const int counts = EITHER(my.valid, 1, r);
        SHARE(me, j, my.n) {
            WIDER p = exp(UP(x[j * my.apart]) - top) * by - EITHER(my.rest, 0, j);
            if (j == label) p -= hit;
            y[j * my.apart] = DOWN((counts ? p : 0) * g);
        }
    }
}
