/* Pooling of images by the maximum and by the mean, and the ways back, float32. An axis of n numbers is looked at through `out`
   windows of k elements that are d apart; window o begins at o * s - lo. Rows of windows one after the other, in buffers on the stack. */
#include "kernel.h"
#include "maths.h"

#include <math.h>
#define GRAIN 16384 /* elements of windows for which a second thread pays */
enum { TILE = 256, WIDE = 4096, UINT8 = 2 };

typedef struct {
    long n, out, k, s, lo, d;
} axis;
typedef struct {
    long first, end, at;
} span;

static inline long lesser(long a, long b) { return a < b ? a : b; }
static inline long greater(long a, long b) { return a > b ? a : b; }
static inline long below(long a, long b) { return a >= 0 ? a / b : -((b - 1 - a) / b); } /* a / b rounded down, b > 0 */

/* The windows, of those from `first` to `end`, whose element i is inside, and where it is for the first of them. */
static inline span inside(axis x, long i, long first, long end) {
    const long shift = i * x.d - x.lo;
    first = greater(first, -below(shift, x.s));
    return (span){first, lesser(end, below(x.n - 1 - shift, x.s) + 1), first * x.s + shift};
}

static inline long start(axis x, long o) { return greater(0, -below(o * x.s - x.lo, x.d)); } /* its first element inside */

static inline int fits(axis x) { return x.n > 0 && x.out > 0 && x.k > 0 && x.s > 0 && x.lo >= 0 && x.d > 0; }

static inline long grain(long work) { return 1 + GRAIN / greater(work, 1); } /* things of so much work */

/* -- the maximum -------------------------------------------------------------------------------------------------- */
/* n numbers that are s apart, side by side; the compiler makes better code of a stride that it knows. */
static inline void collect(float *restrict y, const float *restrict x, long n, long s) {
    if (s == 1)
        for (long j = 0; j < n; j++) y[j] = x[j];
    else if (s == 2)
        for (long j = 0; j < n; j++) y[j] = x[2 * j];
    else
        for (long j = 0; j < n; j++) y[j] = x[j * s];
}

/* The largest number of each window, and its number in the window: the first of equals, the last NaN if there is one. As many rows
   of windows at a time as a tile holds, so that vectors are filled where rows are short; `rows` is how many that is. */
KERNEL(maxima, const float *x; float *y; uint8_t *index; axis v, h; long planes, rows;) {
    const axis v = my.v, h = my.h;
    const long blocks = (v.out + my.rows - 1) / my.rows;
    ROW(r, my.planes * blocks) {
        const long p = r / blocks, top = r % blocks * my.rows, bottom = lesser(top + my.rows, v.out);
        for (long from = 0; from < h.out; from += TILE) {
            const long wide = lesser(TILE, h.out - from), n = (bottom - top) * wide, whole = (n + 15) / 16 * 16;
            float best[TILE], next[TILE];
            int32_t which[TILE];
            for (long j = 0; j < whole; j++) best[j] = next[j] = -INFINITY, which[j] = 0;
            for (long o = top; o < bottom; o++) {
                int32_t *line = which + (o - top) * wide;
                const long first = o * v.s < v.lo ? start(v, o) * h.k : 0;
                for (long j = 0; first && j < wide; j++) line[j] = (int32_t)first;
                for (long j = 0; j < wide && (from + j) * h.s < h.lo; j++) line[j] += (int32_t)start(h, from + j);
            }
            for (long i = 0; i < v.k; i++) {
                for (long e = 0; e < h.k; e++) {
                    const span in = inside(h, e, from, from + wide);
                    for (long o = top; o < bottom; o++) {
                        const long row = o * v.s - v.lo + i * v.d;
                        const int there = row >= 0 && row < v.n && in.first < in.end;
                        const long first = there ? in.first - from : 0, end = there ? in.end - from : 0;
                        float *line = next + (o - top) * wide;
                        for (long j = 0; j < first; j++) line[j] = -INFINITY;
                        if (there) collect(line + first, my.x + (p * v.n + row) * h.n + in.at, end - first, h.s);
                        for (long j = end; j < wide; j++) line[j] = -INFINITY;
                    }
                    const int32_t number = (int32_t)(i * h.k + e);
                    _Pragma("omp simd") for (long j = 0; j < whole; j++) {
                        const float a = next[j], b = best[j];
                        const int better = (a > b) | (a != a);
                        best[j] = better ? a : b;
                        which[j] = better ? number : which[j];
                    }
                }
            }
            for (long o = top; o < bottom; o++) {
                const long to = (p * v.out + o) * h.out + from;
                memcpy(my.y + to, best + (o - top) * wide, sizeof(float) * (size_t)wide);
                if (my.index)
                    for (long j = 0; j < wide; j++) my.index[to + j] = (uint8_t)which[(o - top) * wide + j];
            }
        }
    }
}

/* Each g added to the element of its window that the index names. */
KERNEL(scatter, const float *g; const uint8_t *index; float *y; axis v, h; long planes;) {
    const axis v = my.v, h = my.h;
    long down[256], right[256];
    for (long i = 0; i < 256; i++) {
        const int known = i < v.k * h.k;
        down[i] = known ? i / h.k * v.d - v.lo : -v.out * v.s; /* what is not known is not inside */
        right[i] = i % h.k * h.d - h.lo;
    }
    ROW(p, my.planes) {
        float *y = my.y + p * v.n * h.n;
        memset(y, 0, sizeof(float) * (size_t)(v.n * h.n));
        for (long o = 0; o < v.out; o++) {
            const float *g = my.g + (p * v.out + o) * h.out;
            const uint8_t *index = my.index + (p * v.out + o) * h.out;
            for (long j = 0; j < h.out; j++) {
                const long a = o * v.s + down[index[j]], b = j * h.s + right[index[j]];
                if (a >= 0 && a < v.n && b >= 0 && b < h.n) y[a * h.n + b] += g[j];
            }
        }
    }
}

/* -- the maximum of windows of two by two, side by side ------------------------------------------------------------ */
/* Rows of windows one after the other, since rows are often shorter than a vector: a buffer of as many as have room, or a part of one. */
enum { PAIRS = 512 };
#define STRETCHES(v, h)                                                                                   \
    for (long rows = greater(1, PAIRS / h.out), top = 0; top < v.out; top += rows)                        \
        for (long from = 0, here = lesser(rows, v.out - top); from < h.out; from += PAIRS)                \
            for (long wide = lesser(PAIRS, h.out - from), at = top * h.out + from, once = 1; once; once = 0)

static int in_pairs(axis v, axis h) {
    const int halves = v.k == 2 && v.s == 2 && !v.lo && v.d == 1 && 2 * v.out <= v.n;
    return halves && h.k == 2 && h.s == 2 && !h.lo && h.d == 1 && 2 * h.out <= h.n;
}

/* First of the upper and the lower number, then of left and right, each with its place in the window; as above, also among equals. */
KERNEL(maxima_of_pairs, const float *x; float *y; uint8_t *index; axis v, h; long planes;) {
    const axis v = my.v, h = my.h;
    ROW(p, my.planes) STRETCHES(v, h) {
        float best[2 * PAIRS];
        int32_t place[2 * PAIRS];
        for (long o = 0; o < here; o++) {
            const float *restrict above = my.x + (p * v.n + 2 * (top + o)) * h.n + 2 * from, *restrict under = above + h.n;
            float *restrict to = best + o * 2 * wide;
            int32_t *restrict places = place + o * 2 * wide;
            _Pragma("omp simd") for (long j = 0; j < 2 * wide; j++) {
                const float a = above[j], b = under[j];
                const int lower = (b > a) | (b != b);
                to[j] = lower ? b : a;
                places[j] = (int32_t)(lower ? 2 + (j & 1) : j & 1);
            }
        }
        float *restrict y = my.y + p * v.out * h.out + at;
        _Pragma("omp simd") for (long j = 0; j < here * wide; j++) {
            const float a = best[2 * j], b = best[2 * j + 1];
            const int32_t m = place[2 * j], n = place[2 * j + 1];
            const int right = (b > a) | ((b == a) & (n < m)) | ((b != b) & ((a == a) | (n > m)));
            y[j] = right ? b : a;
            place[j] = right ? n : m;
        }
        if (my.index)
            for (long j = 0; j < here * wide; j++) my.index[p * v.out * h.out + at + j] = (uint8_t)place[j];
    }
}

/* Each element is written once. */
KERNEL(scatter_pairs, const float *g; const uint8_t *index; float *y; axis v, h; long planes;) {
    const axis v = my.v, h = my.h;
    ROW(p, my.planes) {
        float *y = my.y + p * v.n * h.n;
        STRETCHES(v, h) {
            float above[2 * PAIRS], under[2 * PAIRS];
            const float *restrict g = my.g + p * v.out * h.out + at;
            const uint8_t *restrict index = my.index + p * v.out * h.out + at;
            _Pragma("omp simd") for (long j = 0; j < here * wide; j++) {
                const int32_t i = index[j], share = bits(g[j]);
                above[2 * j] = real(share & -(i == 0)); /* without a branch in what is left of a vector either */
                above[2 * j + 1] = real(share & -(i == 1));
                under[2 * j] = real(share & -(i == 2));
                under[2 * j + 1] = real(share & -(i == 3));
            }
            for (long o = 0; o < here; o++) {
                float *to = y + 2 * (top + o) * h.n + 2 * from;
                memcpy(to, above + o * 2 * wide, 2 * sizeof(float) * (size_t)wide);
                memcpy(to + h.n, under + o * 2 * wide, 2 * sizeof(float) * (size_t)wide);
            }
        }
        for (long o = 0; o < 2 * v.out && 2 * h.out < h.n; o++)
            for (long j = 2 * h.out; j < h.n; j++) y[o * h.n + j] = 0;
        for (long j = 2 * v.out * h.n; j < v.n * h.n; j++) y[j] = 0;
    }
}

/* -- the mean ----------------------------------------------------------------------------------------------------- */
/* How many elements window o has. */
static inline long count(axis x, long o, int include) {
    const long first = o * x.s - x.lo;
    return lesser(first + x.k, include ? x.n + x.lo : x.n) - (include ? first : greater(first, 0));
}

/* Whether there is one window, and it is the whole image. */
static inline int whole(axis v, axis h) { return v.n == v.k && h.n == h.k && v.out == 1 && h.out == 1 && !v.lo && !h.lo; }

/* In eight lanes, whatever the machine has. */
static inline double sum_of(const float *x, long n) {
    double lanes[8] = {0}, sum = 0;
    long j = 0;
    for (; j + 8 <= n; j += 8)
        for (int l = 0; l < 8; l++) lanes[l] += x[j + l];
    for (; j < n; j++) lanes[j & 7] += x[j];
    for (int l = 0; l < 8; l++) sum += lanes[l];
    return sum;
}

KERNEL(average, const float *x; float *y; axis v, h; long planes, include; double divisor;) {
    const axis v = my.v, h = my.h;
    double line[WIDE], sum[WIDE]; /* of the rows of the windows; of the windows */
    ROW(r, my.planes * v.out) {
        const long o = r % v.out, top = o * v.s - v.lo, rows = count(v, o, (int)my.include);
        const float *plane = my.x + r / v.out * v.n * h.n;
        float *y = my.y + r * h.out;
        if (whole(v, h)) {
            const long n = v.n * h.n;
            y[0] = (float)(sum_of(plane, n) / (my.divisor != 0 ? my.divisor : (double)n));
            continue;
        }
        for (long j = 0; j < h.n; j++) line[j] = 0;
        for (long i = greater(top, 0); i < lesser(top + v.k, v.n); i++)
            _Pragma("omp simd") for (long j = 0; j < h.n; j++) line[j] += plane[i * h.n + j];
        for (long j = 0; j < h.out; j++) sum[j] = 0;
        if (h.out < h.k) {
            for (long j = 0; j < h.out; j++)
                for (long w = greater(j * h.s - h.lo, 0); w < lesser(j * h.s - h.lo + h.k, h.n); w++) sum[j] += line[w];
        } else {
            for (long e = 0; e < h.k; e++) {
                const span in = inside(h, e, 0, h.out);
                _Pragma("omp simd") for (long j = in.first; j < in.end; j++) sum[j] += line[in.at + (j - in.first) * h.s];
            }
        }
        if (my.divisor != 0)
            for (long j = 0; j < h.out; j++) y[j] = (float)(sum[j] / my.divisor);
        else
            for (long j = 0; j < h.out; j++) y[j] = (float)(sum[j] / (double)(rows * count(h, j, (int)my.include)));
    }
}

KERNEL(spread, const float *g; float *y; axis v, h; long planes, include; double divisor;) {
    const axis v = my.v, h = my.h;
    float share[WIDE], line[WIDE];
    ROW(p, my.planes) {
        float *y = my.y + p * v.n * h.n;
        if (whole(v, h)) {
            const long n = v.n * h.n;
            const float one = (float)(my.g[p] / (my.divisor != 0 ? my.divisor : (double)n));
            for (long j = 0; j < n; j++) y[j] = one;
            continue;
        }
        memset(y, 0, sizeof(float) * (size_t)(v.n * h.n));
        for (long o = 0; o < v.out; o++) {
            const float *g = my.g + (p * v.out + o) * h.out;
            const long top = o * v.s - v.lo, rows = count(v, o, (int)my.include);
            for (long j = 0; j < h.out; j++)
                share[j] = (float)(g[j] / (my.divisor != 0 ? my.divisor : (double)(rows * count(h, j, (int)my.include))));
            memset(line, 0, sizeof(float) * (size_t)h.n);
            if (h.out < h.k) {
                for (long j = 0; j < h.out; j++)
                    for (long w = greater(j * h.s - h.lo, 0); w < lesser(j * h.s - h.lo + h.k, h.n); w++) line[w] += share[j];
            } else {
                for (long e = 0; e < h.k; e++) {
                    const span in = inside(h, e, 0, h.out);
                    for (long j = in.first; j < in.end; j++) line[in.at + (j - in.first) * h.s] += share[j];
                }
            }
            for (long i = greater(top, 0); i < lesser(top + v.k, v.n); i++)
                _Pragma("omp simd") for (long j = 0; j < h.n; j++) y[i * h.n + j] += line[j];
        }
    }
}

/* -- what Python calls -------------------------------------------------------------------------------------------- */
#define AXES                                                                                                          \
    long vn, long vout, long vk, long vs, long vlo, long vd, long hn, long hout, long hk, long hs, long hlo, long hd
#define GIVEN                                                                                       \
    const axis v = {vn, vout, vk, vs, vlo, vd}, h = {hn, hout, hk, hs, hlo, hd};                    \
    if (!fits(v) || !fits(h)) return REFUSED;
/* How many images of these lengths an array holds; -1: it does not consist of such. */
static inline long images(const array *o, long n, long m) { return size(o) % (n * m) ? -1 : size(o) / (n * m); }

ENTRY(max_pool_search)(array *x, array *y, array *index, AXES) {
    GIVEN
    const long planes = images(x, v.n, h.n);
    if (!is_ordered(x, FLOAT32) || !is_ordered(y, FLOAT32) || v.k * h.k > 256) return REFUSED;
    if (planes < 1 || images(y, v.out, h.out) != planes) return REFUSED;
    const int keep = is_ordered(index, UINT8); /* else it is None */
    if (keep && size(index) != size(y)) return REFUSED;
    const long rows = lesser(v.out, greater(TILE / h.out, 1)), blocks = (v.out + rows - 1) / rows;
    uint8_t *places = keep ? (uint8_t *)index->data : 0;
    if (in_pairs(v, h) && h.out >= 8) /* else its rows fill no vector */
        LAUNCH(maxima_of_pairs, planes, grain(v.n * h.n), F32(x), F32(y), places, v, h, planes);
    else
        LAUNCH(maxima, planes * blocks, grain(rows * h.out * v.k * h.k), F32(x), F32(y), places, v, h, planes, rows);
    return DONE;
}

ENTRY(max_pool_gradient)(array *g, array *index, array *y, AXES) {
    GIVEN
    const long planes = images(y, v.n, h.n);
    if (!is_ordered(g, FLOAT32) || !is_ordered(y, FLOAT32) || !is_ordered(index, UINT8)) return REFUSED;
    if (planes < 1 || images(g, v.out, h.out) != planes || size(index) != size(g) || v.k * h.k > 256) return REFUSED;
    if (in_pairs(v, h))
        LAUNCH(scatter_pairs, planes, grain(v.n * h.n), F32(g), (uint8_t *)index->data, F32(y), v, h, planes);
    else
        LAUNCH(scatter, planes, grain(v.n * h.n), F32(g), (uint8_t *)index->data, F32(y), v, h, planes);
    return DONE;
}

ENTRY(avg_pool)(array *x, array *y, AXES, long include, double divisor) {
    GIVEN
    const long planes = images(x, v.n, h.n);
    if (!is_ordered(x, FLOAT32) || !is_ordered(y, FLOAT32) || planes < 1 || images(y, v.out, h.out) != planes) return REFUSED;
    if (!whole(v, h) && (h.n > WIDE || h.out > WIDE)) return REFUSED;
    LAUNCH(average, planes * v.out, grain(h.n * v.k + h.out), F32(x), F32(y), v, h, planes, include, divisor);
    return DONE;
}

ENTRY(avg_pool_gradient)(array *g, array *y, AXES, long include, double divisor) {
    GIVEN
    const long planes = images(y, v.n, h.n);
    if (!is_ordered(g, FLOAT32) || !is_ordered(y, FLOAT32) || planes < 1 || images(g, v.out, h.out) != planes) return REFUSED;
    if (!whole(v, h) && (h.n > WIDE || h.out > WIDE)) return REFUSED;
    LAUNCH(spread, planes, grain(v.n * h.n), F32(g), F32(y), v, h, planes, include, divisor);
    return DONE;
}

ENTRY(self_test)(void) {
    enum { n = 37 };
    float x[2 * n], y[n], z[2 * n];
    uint8_t index[n];
    for (int i = 0; i < 2 * n; i++) x[i] = (float)(i * 29 % 74);
    const axis v = {2, 1, 2, 2, 0, 1}, h = {n, n / 2, 2, 2, 0, 1};
    LAUNCH(maxima, 1, 1, x, y, index, v, h, 1, 1);
    LAUNCH(maxima_of_pairs, 1, 1, x, z, index, v, h, 1);
    if (memcmp(y, z, sizeof(float) * (n / 2))) return 1;
    LAUNCH(scatter_pairs, 1, 1, y, index, z, v, h, 1);
    for (int j = 0; j < 2 * (n / 2); j += 2) {
        const float a = fmaxf(x[j], x[j + 1]), b = fmaxf(x[n + j], x[n + j + 1]);
        if (y[j / 2] != fmaxf(a, b) || z[j] + z[j + 1] + z[n + j] + z[n + j + 1] != y[j / 2]) return 1;
    }
    LAUNCH(average, 1, 1, x, y, v, h, 1, 1, 0);
    for (int j = 0; j < 2 * (n / 2); j += 2)
        if (fabsf(4 * y[j / 2] - (x[j] + x[j + 1] + x[n + j] + x[n + j + 1])) > 1e-3f) return 1;
    return 0;
}
