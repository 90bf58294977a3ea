/* Norms, y = (x - m) r w + b with r = 1 / sqrt(v + eps), and their slopes: of the lines of each sample on its own, or of channels, whose
   numbers are those of all samples. x is read twice, and nothing of its size is kept.

   Mean and variance are found in one walk, by the updates of Welford (1962): no square is as large as that of a number far from 0. Each
   member takes its first number out of all others before, so that numbers near one another lose no digits. */
#include "lines.h"

struct walk {
    WIDER first, count;
    TALLY mean, squares; /* of numbers less the first */
};

FUNCTION void pass(struct walk *w, WIDER x) {
    if (w->count == 0) w->first = x;
    const TALLY d = x - w->first - w->mean;
    w->count += 1, w->mean += d / w->count, w->squares += d * (x - w->first - w->mean);
}

/* The mean of n numbers and the sum of their squared distances from it, of what the members found (Chan, Golub and LeVeque, 1983). The
   mean is found from some number of theirs, the same for all members, and corrected by the mean of what is then left. */
FUNCTION void together(struct member me, long n, WIDER near, struct walk w, WIDER *mean, WIDER *squares) {
    const WIDER about = near + (WIDER)SUM(me, w.count * ((TALLY)w.first - near + w.mean)) / n;
    const TALLY d = (TALLY)w.first - about + w.mean;
    const WIDER rest = (WIDER)SUM(me, w.count * d) / n;
    *mean = about + rest;
    *squares = (WIDER)SUM(me, w.squares + w.count * d * d) - n * rest * rest;
}

/* -- of lines: samples, or groups of their channels --------------------------------------------------------------------
   Line i has k stretches of `stretch` numbers; each stretch has a weight and a bias, and every `groups` lines they begin anew. */
KERNEL(norm, const NUMBER *x; const WIDER *w, *b; NUMBER *y; WIDER *stats; long lines, groups, k, stretch, alone, centred; WIDER eps;) {
    const long n = my.k * my.stretch;
    LINE(me, i, my.lines, my.alone) {
        const NUMBER *x = my.x + i * n;
        NUMBER *y = my.y + i * n;
        const long first = i % my.groups * my.k;
        WIDER m = 0, v;
        if (my.centred) {
            struct walk w = {0};
            SHARE(me, j, n) pass(&w, UP(x[j]));
            together(me, n, UP(x[0]), w, &m, &v);
        } else {
            TALLY squares = 0;
            SHARE(me, j, n) squares += UP(x[j]) * UP(x[j]);
            v = (WIDER)SUM(me, squares);
        }
        v /= n;
        const WIDER r = 1 / sqrt(v + my.eps);
        if (FIRST(me)) my.stats[i] = m, my.stats[i + my.lines] = v, my.stats[i + 2 * my.lines] = r;
        SHARE(me, j, n) {
            const long at = first + quotient(j, my.stretch);
            y[j] = DOWN((UP(x[j]) - m) * r * (my.w ? my.w[at] : 1) + (my.b ? my.b[at] : 0));
        }
    }
}

/* With h = (x - m) r and u = g w: r (u - mean(u) - h mean(u h)), where mean(u) is left out unless centred. */
KERNEL(norm_slopes, const NUMBER *g, *x; const WIDER *w, *m, *r; NUMBER *dx; long lines, groups, k, stretch, alone;) {
    const long n = my.k * my.stretch;
    LINE(me, i, my.lines, my.alone) {
        const NUMBER *x = my.x + i * n, *g = my.g + i * n;
        const long first = i % my.groups * my.k;
        const WIDER m = my.m ? my.m[i] : 0, r = my.r[i];
        TALLY su = 0, suh = 0;
        SHARE(me, j, n) {
            const WIDER u = UP(g[j]) * (my.w ? my.w[first + quotient(j, my.stretch)] : 1);
            su += u, suh += u * ((UP(x[j]) - m) * r);
        }
        const WIDER mean = my.m ? (WIDER)SUM(me, su) / n : 0, slope = (WIDER)SUM(me, suh) / n;
        SHARE(me, j, n) {
            const WIDER u = UP(g[j]) * (my.w ? my.w[first + quotient(j, my.stretch)] : 1);
            my.dx[i * n + j] = DOWN((u - mean - (UP(x[j]) - m) * r * slope) * r);
        }
    }
}

/* -- of channels ---------------------------------------------------------------------------------------------------------
   x is (samples, channels, stretch). A channel's n = samples * stretch numbers are taken in pieces of `size`, so that there is work for
   all of a GPU; the size depends on the shape alone. Line i is piece i / channels of channel i % channels: what lies side by side where
   stretch is 1. */
struct piece {
    long channel, from, end, count;
};

FUNCTION struct piece piece_of(long i, long n, long channels, long size) {
    const long from = i / channels * size, end = from + size < n ? from + size : n;
    const struct piece p = {i % channels, from, end, end - from};
    return p;
}

FUNCTION long place(long j, long channel, long channels, long stretch) {
    const long sample = quotient(j, stretch);
    return (sample * channels + channel) * stretch + (j - sample * stretch);
}

KERNEL(channel_moments, const NUMBER *x; WIDER *means, *squares; long lines, n, channels, stretch, size, alone;) {
    LINE(me, i, my.lines, my.alone) {
        const struct piece p = piece_of(i, my.n, my.channels, my.size);
        struct walk w = {0};
        SHARE(me, j, p.count) pass(&w, UP(my.x[place(p.from + j, p.channel, my.channels, my.stretch)]));
        WIDER m, s;
        together(me, p.count, UP(my.x[place(p.from, p.channel, my.channels, my.stretch)]), w, &m, &s);
        if (FIRST(me)) my.means[i] = m, my.squares[i] = s;
    }
}

KERNEL(channel_statistics, const WIDER *means, *squares; WIDER *stats; long n, channels, size, pieces, alone; WIDER eps;) {
    LINE(me, c, my.channels, my.alone) {
        const WIDER near = my.means[c];
        TALLY sum = 0, squares = 0;
        SHARE(me, k, my.pieces) {
            const struct piece p = piece_of(k * my.channels + c, my.n, my.channels, my.size);
            sum += p.count * (my.means[k * my.channels + c] - near);
        }
        const WIDER m = near + (WIDER)SUM(me, sum) / my.n;
        SHARE(me, k, my.pieces) {
            const struct piece p = piece_of(k * my.channels + c, my.n, my.channels, my.size);
            const WIDER d = my.means[k * my.channels + c] - m;
            squares += my.squares[k * my.channels + c] + p.count * d * d;
        }
        const WIDER v = (WIDER)SUM(me, squares) / my.n;
        if (FIRST(me)) my.stats[c] = m, my.stats[c + my.channels] = v, my.stats[c + 2 * my.channels] = 1 / sqrt(v + my.eps);
    }
}

KERNEL(channel_norm, const NUMBER *x; const WIDER *w, *b, *m, *r; NUMBER *y; long n, channels, stretch;) {
    EACH(i, my.n) {
        const long c = remainder_of(quotient(i, my.stretch), my.channels);
        my.y[i] = DOWN((UP(my.x[i]) - my.m[c]) * (my.w ? my.r[c] * my.w[c] : my.r[c]) + (my.b ? my.b[c] : 0));
    }
}

/* The sums of g and of g h over pieces, h = (x - m) r. One m and r belong to each channel (`groups` is 0) or, of norms of lines, to each
   group of `each` channels of each sample. */
KERNEL(channel_sums, const NUMBER *g, *x; const WIDER *m, *r; WIDER *sums; long lines, n, channels, stretch, size, alone, groups, each;) {
    LINE(me, i, my.lines, my.alone) {
        const struct piece p = piece_of(i, my.n, my.channels, my.size);
        TALLY sg = 0, sgh = 0;
        SHARE(me, j, p.count) {
            const long at = place(p.from + j, p.channel, my.channels, my.stretch);
            const long k = quotient(p.from + j, my.stretch) * my.groups + quotient(p.channel, my.each);
            const WIDER g = UP(my.g[at]);
            sg += g, sgh += g * ((UP(my.x[at]) - (my.m ? my.m[k] : 0)) * my.r[k]);
        }
        sg = SUM(me, sg), sgh = SUM(me, sgh);
        if (FIRST(me)) my.sums[2 * i] = (WIDER)sg, my.sums[2 * i + 1] = (WIDER)sgh;
    }
}

/* These are the slopes of bias and weight. */
KERNEL(channel_totals, const WIDER *sums; WIDER *db, *dw; long channels, pieces, alone;) {
    LINE(me, c, my.channels, my.alone) {
        TALLY sg = 0, sgh = 0;
        SHARE(me, k, my.pieces) {
            sg += my.sums[2 * (k * my.channels + c)];
            sgh += my.sums[2 * (k * my.channels + c) + 1];
        }
        sg = SUM(me, sg), sgh = SUM(me, sgh);
        if (FIRST(me) && my.db) my.db[c] = (WIDER)sg;
        if (FIRST(me) && my.dw) my.dw[c] = (WIDER)sgh;
    }
}

/* The slope of x, of which the sums say how it moves mean and variance; without sums, they are fixed. */
KERNEL(channel_slopes, const NUMBER *g, *x; const WIDER *w, *m, *r, *db, *dw; NUMBER *dx; long n, channels, stretch; WIDER share;) {
    EACH(i, my.n) {
        const long c = remainder_of(quotient(i, my.stretch), my.channels);
        WIDER d = UP(my.g[i]);
        if (my.db) d -= (my.db[c] + (UP(my.x[i]) - my.m[c]) * my.r[c] * my.dw[c]) * my.share;
        my.dx[i] = DOWN(d * (my.w ? my.r[c] * my.w[c] : my.r[c]));
    }
}

/* -- running statistics: (1 - momentum) old + momentum new, and the count of how often they moved ------------------------- */
KERNEL(running_statistics, const WIDER *m, *v; WIDER *mean, *var; int64_t *counter; long n; WIDER momentum, unbiased;) {
    EACH(i, my.n) {
        if (my.mean) my.mean[i] = my.mean[i] * (1 - my.momentum) + my.m[i] * my.momentum;
        if (my.var) my.var[i] = my.var[i] * (1 - my.momentum) + my.v[i] * my.unbiased * my.momentum;
        if (my.counter && i == 0) my.counter[0] += 1;
    }
}
