/* What softmax begins with: the largest number of a row, and the sum of e to its numbers less that. It wants maths.h and moments.h. */
enum { CHUNK = 512 }; /* numbers after which a sum goes on in double precision */
enum { STEP = 16 }; /* numbers that are taken at a time, in one vector or some; the last few of a longer row are taken with some before */

static inline void larger_of(float *a, const float *b) {
#pragma omp simd
    for (int k = 0; k < STEP; k++) a[k] = b[k] > a[k] ? b[k] : a[k];
}

static inline float largest_of(float *a) {
#pragma GCC unroll 4
    for (int half = STEP / 2; half; half /= 2)
        for (int k = 0; k < half; k++) a[k] = a[k + half] > a[k] ? a[k + half] : a[k];
    return a[0];
}

/* e to a number that is not above 0, as exp_of, but that what is smaller than all normal numbers is 0: nothing beside the largest, 1. */
FUNCTION float exp_below(float x) {
    const float big = 12582912.0f;
    float z = most(x, -87.0f), shifted = z * 1.44269504f + big, n = shifted - big;
    float r = z - n * 0.693359375f + n * 2.12194440e-4f;
    float q = 0.00138142197f;
    q = q * r + 0.0083688989f;
    q = q * r + 0.0416684058f;
    q = q * r + 0.166665191f;
    q = q * r + 0.499999933f;
    float y = (q * r * r + r + 1.0f) * real((bits(shifted) - 0x4b400000 + 127) << 23);
    return x < -87.0f ? 0.0f : y;
}

static inline void powers_of(const float *x, float *e, float m) {
#pragma omp simd
    for (int k = 0; k < STEP; k++) e[k] = exp_below(x[k] - m);
}

typedef float numbers __attribute__((vector_size(4 * STEP), aligned(4), may_alias));

static inline float sum_of(const numbers *v) {
    float a[STEP];
    memcpy(a, v, sizeof a);
#pragma GCC unroll 4
    for (int half = STEP / 2; half; half /= 2)
        for (int k = 0; k < half; k++) a[k] += a[k + half];
    return a[0];
}

/* The largest of a row of at least STEP, which is any number where there is NaN, for then all that follows becomes NaN; the sum of e to
   the numbers less it; and these in y unless it is null. */
static inline double powers(const float *x, float *y, long n, float *m) {
    float some[STEP], e[STEP];
    memcpy(some, x, sizeof some);
    for (long j = STEP; j + STEP <= n; j += STEP) larger_of(some, x + j);
    larger_of(some, x + n - STEP);
    *m = largest_of(some);
    double sum = 0;
    for (long first = 0; first < n; first += CHUNK) {
        const long end = smaller(n, first + CHUNK);
        numbers total = {0};
        long j = first;
        for (; j + STEP <= end; j += STEP) {
            powers_of(x + j, e, *m);
            total += *(const numbers *)e;
            if (y) memcpy(y + j, e, sizeof e);
        }
        if (j < end) { /* the last few, with some before, which were counted */
            powers_of(x + end - STEP, e, *m);
            if (y) memcpy(y + end - STEP, e, sizeof e);
            for (int k = 0; k < STEP; k++) e[k] = k < STEP - (end - j) ? 0 : e[k];
            total += *(const numbers *)e;
        }
        sum += sum_of(&total);
    }
    return sum;
}

/* The same of w columns: the largest and the sums, each in an array. */
static void powers_of_columns(const float *x, float *y, long n, long stride, long w, float *m, float *sum) {
    for (long j = 0; j < w; j++) m[j] = -__builtin_inff(), sum[j] = 0;
    for (long c = 0; c < n; c++)
#pragma omp simd
        for (long j = 0; j < w; j++) m[j] = x[c * stride + j] > m[j] ? x[c * stride + j] : m[j];
    for (long c = 0; c < n; c++) {
#pragma omp simd
        for (long j = 0; j < w; j++) {
            const float e = exp_below(x[c * stride + j] - m[j]);
            sum[j] += e;
            if (y) y[c * stride + j] = e;
        }
    }
}
