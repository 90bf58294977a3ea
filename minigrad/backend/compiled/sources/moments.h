/* Statistics of stretches of numbers, and what norms do to a stretch once they are known.

   The variance: numbers less a number near their mean, in pieces of PIECE, of which each is merged into those before it in double
   precision (Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983). The number is the mean of the first piece,
   for the second and later ones of all before, so that what cancels is no larger than the variance that there is. */
#include <math.h>
#include <stdlib.h>

enum { PIECE = 2048, GRAIN = 16384 /* numbers for which a second thread pays */ };
/* Bits of what an entry is told: which arguments there are, and which gradients are wanted. */
enum { WEIGHT = 1, BIAS = 2, CENTER = 4, FOR_INPUT = 8, FOR_WEIGHT = 16, FOR_BIAS = 32 };

static inline long smaller(long a, long b) { return a < b ? a : b; }
static inline long larger(long a, long b) { return a > b ? a : b; }

/* -- sums in vectors -------------------------------------------------------------------------------------------------- */
#if defined(__AVX512F__)
enum { WIDE = 16 };
#elif defined(__AVX__)
enum { WIDE = 8 };
#else
enum { WIDE = 4 };
#endif
typedef float vector __attribute__((vector_size(4 * WIDE), aligned(4), may_alias));
typedef int32_t mask __attribute__((vector_size(4 * WIDE)));
static const int32_t LANES[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#define AT(T, p, j) (*(const T *)((p) + (j)))

static inline float folded(const vector *a) {
    vector v = (a[0] + a[1]) + (a[2] + a[3]);
    float f[WIDE], s = 0;
    memcpy(f, &v, sizeof f);
#pragma GCC unroll 4
    for (int half = WIDE / 2; half > 2; half /= 2)
        for (int i = 0; i < half; i++) f[i] += f[i + half];
    for (int i = 0; i < 4; i++) s += f[i];
    return s;
}

/* v with 0 in the lanes before the first. */
static inline vector lanes_from(vector v, long first) {
    mask from, lane;
    memcpy(&lane, LANES, sizeof lane);
    memcpy(&from, &v, sizeof from);
    from &= ~((lane - (int32_t)first) >> 31); /* -1 where the difference is not negative */
    memcpy(&v, &from, sizeof v);
    return v;
}

/* Adds to s1 and s2 the sums of two terms of j over 0 <= j < n. TERMS(T, j, u, v) computes them as u and v, of which T is the type: a
   number, or a vector of those from j on. There are four vectors of sums, so that none waits for the last addition to it; the last vector
   overlaps the one before. */
#define SUMS(n, s1, s2, TERMS)                                        \
    do {                                                              \
        vector t1[4] = {{0}}, t2[4] = {{0}}, u, v;                    \
        long j = 0;                                                   \
        for (; j + 4 * WIDE <= n; j += 4 * WIDE)                      \
            for (int k = 0; k < 4; k++) {                             \
                TERMS(vector, j + k * WIDE, u, v);                    \
                t1[k] += u, t2[k] += v;                               \
            }                                                         \
        for (; j + WIDE <= n; j += WIDE) {                            \
            TERMS(vector, j, u, v);                                   \
            t1[0] += u, t2[0] += v;                                   \
        }                                                             \
        if (j < n && n >= WIDE) {                                     \
            TERMS(vector, n - WIDE, u, v);                            \
            t1[1] += lanes_from(u, WIDE - (n - j));                   \
            t2[1] += lanes_from(v, WIDE - (n - j));                   \
            j = n;                                                    \
        }                                                             \
        s1 += folded(t1), s2 += folded(t2);                           \
        for (; j < n; j++) {                                          \
            float one, two;                                           \
            TERMS(float, j, one, two);                                \
            s1 += one, s2 += two;                                     \
        }                                                             \
    } while (0)

/* -- statistics of stretches that lie apart by a stride --------------------------------------------------------------- */
typedef struct {
    double n, mean, squares;
} moments;

static inline void merge(moments *a, double n, double mean, double squares) {
    const double both = a->n + n, apart = mean - a->mean, share = n / both;
    a->squares += squares + apart * apart * (a->n * share);
    a->mean += apart * share;
    a->n = both;
}

static inline moments measured(const float *x, long stretches, long stride, long length) {
    float near = 0, s1 = 0, s2 = 0;
    long held = 0;
    for (long i = 0; i < stretches && held < PIECE; i++) {
        const long n = smaller(length, PIECE - held);
        const float *p = x + i * stride;
#define ITSELF(T, j, u, v) u = AT(T, p, j), v = u
        SUMS(n, near, s2, ITSELF);
        held += n;
    }
    near /= held, held = 0, s2 = 0;
    moments a = {0, 0, 0};
    for (long i = 0; i < stretches; i++)
        for (long first = 0; first < length; first += PIECE) {
            const long n = smaller(length - first, PIECE);
            const float *p = x + i * stride + first;
#define APART(T, j, u, v) u = AT(T, p, j) - near, v = u * u
            SUMS(n, s1, s2, APART);
            held += n;
            if (held >= PIECE || (i == stretches - 1 && first + n == length)) {
                merge(&a, held, near + (double)s1 / held, s2 - (double)s1 * s1 / held);
                near = (float)a.mean, s1 = s2 = 0, held = 0;
            }
        }
    return a;
}

/* The sum of squares. */
static inline double squared(const float *x, long length) {
    double s = 0;
    for (long first = 0; first < length; first += PIECE) {
        const long n = smaller(length - first, PIECE);
        const float *p = x + first;
        float s1 = 0, s2 = 0;
#define SQUARE(T, j, u, v) u = AT(T, p, j), v = u * u
        SUMS(n, s1, s2, SQUARE);
        s += s2;
    }
    return s;
}

typedef struct {
    double g, gx;
} slope;

/* Sums of g and of g (x - m). */
static inline slope sloped(const float *g, const float *x, long stretches, long stride, long length, float m) {
    slope s = {0, 0};
    for (long i = 0; i < stretches; i++)
        for (long first = 0; first < length; first += PIECE) {
            const long n = smaller(length - first, PIECE), at = i * stride + first;
            const float *p = g + at, *q = x + at;
            float s1 = 0, s2 = 0;
#define SLOPE(T, j, u, v) u = AT(T, p, j), v = u * (AT(T, q, j) - m)
            SUMS(n, s1, s2, SLOPE);
            s.g += s1, s.gx += s2;
        }
    return s;
}

/* -- what is done to a stretch ------------------------------------------------------------------------------------ */
static inline void scaled(const float *x, float *y, long n, float m, float scale, float b) {
#pragma omp simd
    for (long j = 0; j < n; j++) y[j] = (x[j] - m) * scale + b;
}

static inline void sloped_to(const float *g, const float *x, float *dx, long n, float m, float a, float q, float scale) {
#pragma omp simd
    for (long j = 0; j < n; j++) dx[j] = (g[j] - a - (x[j] - m) * q) * scale;
}

static inline void times(const float *g, float *dx, long n, float scale) {
#pragma omp simd
    for (long j = 0; j < n; j++) dx[j] = g[j] * scale;
}

/* What is added where there is no bias: it keeps the sign of zeros. */
static const float NOTHING = -0.0f;

static inline void settle(double mean, double variance, double eps, float *m, float *v, float *r) {
    variance = variance < 0 ? 0 : variance; /* NaN is not below 0 */
    *m = (float)mean;
    *v = (float)variance;
    *r = (float)(1 / sqrt(variance + eps));
}

/* A number for each of c channels: an array that was given, or none. */
static inline int fits(const array *o, int given, long c, float **to) {
    *to = 0;
    if (!given) return 1;
    if (!is_ordered(o, FLOAT32) || size(o) != c) return 0;
    *to = F32(o);
    return 1;
}
