/* Scores of attention: how they are masked and become weights, row by row. */
#include "kernel.h"
#include "maths.h"
#include "gemm.h"

enum { BLOCK = 1024, AXES = 8, FULL = 16 }; /* FULL: numbers that fill vectors of any length */
#define COLUMNS(j, from, to) _Pragma("omp simd") for (long j = from; j < to; j++)

/* What scores are multiplied by; how many keys each query sees, if it must not look ahead; and the rows of an array that goes with the
   scores, whose axes may have length 1. */
struct rows {
    const char *data;
    long strides[AXES];
    int number;
};
struct scores {
    float scale, gain;
    long columns, first, axes, shape[AXES];
    struct rows mask, keep;
};

/* Whether o, of these dtypes, goes with the scores, one number after the other in a row. If it is `none`, there is none. */
static int follows(struct rows *to, const array *o, const array *none, const struct scores *s, int one, int other) {
    *to = (struct rows){0};
    if (o == none) return 1;
    if (!is(o, one) && !is(o, other)) return 0;
    to->data = o->data, to->number = o->dtype->number;
    if (o->axes != s->axes) return 0;
    for (int i = 0; i < o->axes; i++) {
        if (o->shape[i] != s->shape[i] && o->shape[i] != 1) return 0;
        to->strides[i] = o->shape[i] == 1 ? 0 : o->strides[i];
    }
    const int last = o->axes - 1;
    return o->shape[last] == s->shape[last] && (o->shape[last] == 1 || o->strides[last] == (to->number == BOOL ? 1 : 4));
}

static inline const void *row_of(const struct rows *o, const struct scores *my, long r) {
    const char *p = o->data;
    for (long i = my->axes - 2; i >= 0; r /= my->shape[i], i--) p += r % my->shape[i] * o->strides[i];
    return p;
}

/* How many keys a query sees, which is the i-th of its head. */
static inline long seen(const struct scores *my, long i) {
    const long w = my->first + i + 1;
    return my->first < 0 || my->columns < w ? my->columns : w;
}

/* The first w scores of a row, scaled and masked; -inf from there to `end`. */
static inline void finish(float *restrict s, const struct scores *my, long r, long w, long end) {
    const float scale = my->scale;
    if (!my->mask.data) {
        const int seen = (int)w;
        _Pragma("omp simd") for (int j = 0; j < (int)end; j++) s[j] = j < seen ? s[j] * scale : -__builtin_inff();
        return;
    }
    if (my->mask.number == BOOL) {
        const unsigned char *restrict m = row_of(&my->mask, my, r);
        COLUMNS(j, 0, w) s[j] = m[j] ? s[j] * scale : -__builtin_inff();
    } else {
        const float *restrict m = row_of(&my->mask, my, r);
        COLUMNS(j, 0, w) s[j] = s[j] * scale + m[j];
    }
    for (long j = w; j < end; j++) s[j] = -__builtin_inff();
}

/* -- where a row has no gap behind it ------------------------------------------------------------------------------ */
/* Scores become e to their power, relative to the greatest of them, which is returned, with their sum. */
static inline float exponentials(float *restrict s, long end, double *sum) {
    float top = -__builtin_inff();
    _Pragma("omp simd reduction(max : top)") for (long j = 0; j < end; j++) top = s[j] > top ? s[j] : top;
    if (top <= -3.40282347e38f) { /* where clang begins, if all are -inf: such a row sees nothing */
        int some = 0;
        for (long j = 0; j < end; j++) some |= s[j] > -__builtin_inff();
        top = some ? top : 0.0f;
    }
    *sum = 0;
    for (long b = 0; b < end; b += BLOCK) {
        const long to = b + BLOCK < end ? b + BLOCK : end;
        float part = 0;
        _Pragma("omp simd reduction(+ : part)") for (long j = b; j < to; j++) {
            s[j] = decay_of(s[j] - top);
            part += s[j];
        }
        *sum += part;
    }
    return top;
}

/* Scores become weights, given the logarithm of their sum; answers the mean, weighted so, of their gradients. */
static inline double mean_slope(float *restrict s, const float *restrict d, float z, long end) {
    double sum = 0;
    for (long b = 0; b < end; b += BLOCK) {
        const long to = b + BLOCK < end ? b + BLOCK : end;
        float part = 0;
        _Pragma("omp simd reduction(+ : part)") for (long j = b; j < to; j++) {
            s[j] = decay_of(s[j] - z);
            part += s[j] * d[j];
        }
        sum += part;
    }
    return sum;
}

/* -- in vectors, where a row has room for whole ones --------------------------------------------------------------- */
/* Lanes of a that are greater than those of b, and b's others, also where a's are no numbers. */
FUNCTION vector greater(vector a, vector b) {
    const lanes which = a > b;
    return (vector)((which & (lanes)a) | (~which & (lanes)b));
}

/* Scores become e to what they are above `by`; answers their sum, and that of their products with d if there is one. */
FUNCTION vector powers(float *restrict s, const float *restrict d, float by, long end) {
    vector sum = {0};
    for (long j = 0; j < end; j += LANES) {
        _Pragma("omp simd") for (long l = j; l < j + LANES; l++) s[l] = decay_of(s[l] - by);
        const vector here = *(const vector *)(s + j);
        sum += d ? here * *(const vector *)(d + j) : here;
    }
    return sum;
}

/* A vector for each of the queries that a tile of a product has, whose lanes are to become one number. */
enum { TALL = SUMS / 2, GROUP = (TALL + LANES - 1) / LANES * LANES };
typedef vector strands[GROUP];

static void fold(const strands of, float *to, const int greatest) {
    for (int g = 0; g < GROUP; g += LANES) {
        vector t[LANES], y;
        turn((const float *)(of + g), LANES, (float *)t, LANES);
        y = t[0];
        for (int i = 1; i < LANES; i++) y = greatest ? greater(t[i], y) : y + t[i];
        *(vector *)(to + g) = y;
    }
}
