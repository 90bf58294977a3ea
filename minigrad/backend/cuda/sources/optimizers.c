/* Steps of optimizers, and norms: many arrays by one launch, each number read and written once, where it lies.

   Where the arrays are is said by the arguments themselves, which may be 4096 bytes: MANY arrays at a time. Their numbers are cut into
   pieces, and each team finds out which array its piece belongs to. */
#include "kernel.h"
#include "updates.h"

enum { MANY = 64, PIECE = 2048 };

/* Arrays, how many numbers each has, and how many pieces it and those before it have. */
struct many {
    NUMBER *at[MANY];
    long size[MANY];
    int end[MANY];
};

/* Array k, and `count` of its numbers from `first` on. */
struct place {
    int k;
    long first, count;
};

FUNCTION struct place place_of(const struct many *a, long piece) {
    struct place at = {0, 0, 0};
    for (int half = MANY / 2; half; half /= 2)
        if (piece >= a->end[at.k + half - 1]) at.k += half;
    at.first = (piece - (at.k ? a->end[at.k - 1] : 0)) * PIECE;
    at.count = a->size[at.k] - at.first < PIECE ? a->size[at.k] - at.first : PIECE;
    return at;
}

/* at: the place of the piece that a team has. */
#define PIECES(at, a)                                     \
    TEAM(r, (a).end[MANY - 1])                            \
        for (struct place at = place_of(&(a), r); at.count; at.count = 0)

/* A method's step: the parameters p, their gradients g, what is kept of earlier ones in u, v and w, and the method's numbers. */
#define STEP(name, ...)                                                                                             \
    KERNEL(name, struct many p; const NUMBER *g[MANY]; float *u[MANY]; float *v[MANY]; float *w[MANY]; struct name s; int kind;) { \
        PIECES(at, my.p) {                                                                                          \
            NUMBER *APART p = my.p.at[at.k] + at.first;                                                             \
            const NUMBER *APART g = my.g[at.k] + at.first;                                                          \
            float *APART u = my.u[at.k] + at.first, *APART v = my.v[at.k] + at.first, *APART w = my.w[at.k] + at.first; \
            (void)v, (void)w;                                                                                       \
            ALONG(i, at.count) p[i] = DOWN(name##_moved(UP(p[i]), UP(g[i]), __VA_ARGS__, my.s, my.kind));           \
        }                                                                                                           \
    }
STEP(sgd, u + i)
STEP(adam, u + i, v + i, w + i)
STEP(rms, u + i, v + i, w + i)

KERNEL(approach, NUMBER *a; const NUMBER *p; const float *share; long n;) {
    NUMBER *APART a = my.a;
    const NUMBER *APART p = my.p;
    const float share = *my.share;
    EACH(i, my.n) { a[i] = DOWN(UP(a[i]) + (UP(p[i]) - UP(a[i])) * share); }
}

KERNEL(times, struct many a; const float *by;) {
    PIECES(at, my.a) {
        NUMBER *APART a = my.a.at[at.k] + at.first;
        const float by = *my.by;
        ALONG(i, at.count) a[i] = DOWN(UP(a[i]) * by);
    }
}

/* All numbers divided by the scale; the flag is raised if one is not finite, the only kind of number that less itself is not 0. */
KERNEL(unscaled, struct many a; const float *scale; float *flag;) {
    PIECES(at, my.a) {
        NUMBER *APART a = my.a.at[at.k] + at.first;
        const float by = 1.0f / *my.scale;
        WIDER odd = 0;
        ALONG(i, at.count) {
            const WIDER x = UP(a[i]);
            odd = x - x == 0 ? odd : 1;
            a[i] = DOWN(x * by);
        }
        if (odd > 0) *my.flag = 1;
    }
}

/* The sum of the squares of each piece, and the root of the sum of these. */
KERNEL(squares, struct many a; double *sums;) {
    PIECES(at, my.a) {
        const NUMBER *APART a = my.a.at[at.k] + at.first;
        double sum = 0;
        ALONG(i, at.count) sum += (double)UP(a[i]) * UP(a[i]);
        sum = TOTAL(sum);
        if (LEADER) my.sums[r] = sum;
    }
}

KERNEL(root, float *y; const double *sums; long pieces;) {
    TEAM(r, 1) {
        double sum = 0;
        ALONG(j, my.pieces) sum += my.sums[j];
        sum = TOTAL(sum);
        if (LEADER) my.y[r] = (float)sqrt(sum);
    }
}
