/* Convolution and its two gradients, float32, directly: no matrix of columns is made.

   An image is laid out with its padding, one plane per channel, and with a stride one plane per phase of it: plane (a, b) has every
   row a, a + sh, a + 2 sh, ... and every column likewise. Then every tap of the kernel looks at whole rows at a fixed distance, and
   as rows follow one another without a gap, an output plane is one long row: output i is the sum over channels and taps of
   w * plane[i + distance]. What falls into the gaps between rows is computed too, and left out when the result is copied.

       forward            a tile of OUTS outputs x SPAN vectors of positions stays in registers over all channels and taps
       input gradient     the same with the output's gradient as the image and channels for outputs, once for each phase of the
                          stride, with the taps that reach it
       weight gradient    OUTS x TAPS sums over positions stay in registers; images lie side by side, so that the sums are long

   Source: the register tiles are those of Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008; the
   phases those of a polyphase filter. */
#include "kernel.h"
#include <stdlib.h>

#if defined(__AVX512F__)
enum { BYTES = 64, OUTS = 8, SPAN = 3 };
#else
enum { BYTES = 32, OUTS = 4, SPAN = 3 };
#endif
enum { LANES = BYTES / 4, WIDE = SPAN * LANES, TAPS = 3, PIECES = 8 };
typedef float vector __attribute__((vector_size(BYTES), aligned(4)));

static inline long up(long a, long b) { return (a + b - 1) / b; }

/* Room for n numbers, kept by the thread for its next call, as fresh memory costs more than what is computed in it. */
enum { IMAGE, SUMS, WEIGHTS, TOTALS, ROOMS };
static float *room(int which, long n) {
    static _Thread_local struct { float *place; long size; } kept[ROOMS];
    if (n + 64 > kept[which].size) {
        void *p = NULL;
        free(kept[which].place);
        kept[which].place = posix_memalign(&p, 64, (size_t)(n + 64) * sizeof(float)) ? NULL : p;
        kept[which].size = kept[which].place ? n + 64 : 0;
    }
    return kept[which].place;
}

/* Images (n, c, h, w), kernels (o, c / groups, kh, kw), results (n, o, oh, ow). */
struct geometry {
    long n, c, h, w, o, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw, groups;
};

/* One plane of an image into rows of width `wide`, in phases `size` apart: those of the stride (sh, sw), after ph rows and pw columns
   of padding. Places that belong to no pixel are left alone. */
static void lay(const float *restrict image, float *restrict to, long h, long w, long ph, long pw, long sh, long sw, long high, long wide, long size) {
    for (long a = 0; a < sh; a++)
        for (long b = 0; b < sw; b++, to += size)
            for (long i = 0; i < high; i++) {
                const long row = i * sh + a - ph, first = b >= pw ? 0 : up(pw - b, sw), reach = w - 1 + pw - b;
                if (row < 0 || row >= h || reach < 0) continue;
                const long last = reach / sw < wide ? reach / sw : wide - 1;
                const float *from = image + row * w + first * sw + b - pw;
                if (sw == 1)
                    for (long j = first; j <= last; j++) to[i * wide + j] = *from++;
                else
                    for (long j = first; j <= last; j++, from += sw) to[i * wide + j] = *from;
            }
}

/* Weights as [block of OUTS outputs][channel][tap][OUTS], zero beyond the last; (o, c, t) is at o * so + c * sc + tap[t]. */
static void pack(const float *w, float *to, long outs, long channels, long taps, long so, long sc, const long *tap) {
    for (long block = 0; block < outs; block += OUTS)
        for (long c = 0; c < channels; c++)
            for (long t = 0; t < taps; t++)
                for (long o = block; o < block + OUTS; o++) *to++ = o < outs ? w[o * so + c * sc + tap[t]] : 0;
}

/* One tile: OUTS rows of `span` vectors of positions, `stride` apart in y. */
static inline __attribute__((always_inline)) void tile_of(const int span, const float *restrict x, const float *restrict w, float *restrict y, long channels,
                                                          long taps, const long *restrict far, long plane, long stride) {
    vector sum[OUTS][SPAN];
    for (int o = 0; o < OUTS; o++)
        for (int v = 0; v < span; v++) sum[o][v] = (vector){0};
    for (long c = 0; c < channels; c++, x += plane)
        for (long t = 0; t < taps; t++, w += OUTS) {
            vector here[SPAN];
            for (int v = 0; v < span; v++) here[v] = *(const vector *)(x + far[t] + v * LANES);
#pragma GCC unroll 8
            for (int o = 0; o < OUTS; o++)
                for (int v = 0; v < span; v++) sum[o][v] += w[o] * here[v];
        }
    for (int o = 0; o < OUTS; o++)
        for (int v = 0; v < span; v++) *(vector *)(y + o * stride + v * LANES) = sum[o][v];
}

/* All positions of a row: tiles of SPAN vectors, and one of as many as are left. */
static void tiles(const float *x, const float *w, float *y, long flat, long channels, long taps, const long *far, long plane, long stride) {
    long i = 0;
    for (; i + WIDE - LANES < flat; i += WIDE) tile_of(SPAN, x + i, w, y + i, channels, taps, far, plane, stride);
    if (i + LANES < flat)
        tile_of(2, x + i, w, y + i, channels, taps, far, plane, stride);
    else if (i < flat)
        tile_of(1, x + i, w, y + i, channels, taps, far, plane, stride);
}

/* Where tap (u, v) is found, from the first position: in which phase, how many rows and columns on. */
static long distance(const struct geometry *g, long u, long v, long wide, long size) {
    const long r = u * g->dh, q = v * g->dw;
    return ((r % g->sh) * g->sw + q % g->sw) * size + r / g->sh * wide + q / g->sw;
}

/* Whether what is computed is not much more than what is wanted: small results with large kernels are better left to products of matrices. */
static inline int pays(long computed, long wanted) { return computed <= 3 * wanted; }

/* -- forward ------------------------------------------------------------------------------------------------------ */
KERNEL(forward, struct geometry g; const float *x; const float *weights; const float *bias; float *y; const long *far; long high; long wide; long size;
       _Atomic int *failed;) {
    const struct geometry *g = &my.g;
    const long channels = g->c / g->groups, outs = g->o / g->groups, taps = g->kh * g->kw, plane = my.size * g->sh * g->sw;
    const long flat = g->oh * my.wide, line = up(flat, WIDE) * WIDE, blocks = up(outs, OUTS);
    float *image = room(IMAGE, channels * plane), *sums = room(SUMS, OUTS * line);
    if (!image || !sums)
        *my.failed = 1;
    else {
        memset(image, 0, channels * plane * sizeof(float)); /* every image writes the same places, so its border stays zero */
        ROW(r, g->n * g->groups) {
            const long n = r / g->groups, group = r % g->groups;
            for (long c = 0; c < channels; c++)
                lay(my.x + (n * g->c + group * channels + c) * g->h * g->w, image + c * plane, g->h, g->w, g->ph, g->pw, g->sh, g->sw, my.high, my.wide,
                    my.size);
            for (long b = 0; b < blocks; b++) {
                tiles(image, my.weights + (group * blocks + b) * OUTS * channels * taps, sums, flat, channels, taps, my.far, plane, line);
                for (long o = b * OUTS; o < outs && o < (b + 1) * OUTS; o++) {
                    float *to = my.y + (n * g->o + group * outs + o) * g->oh * g->ow;
                    const float *from = sums + (o - b * OUTS) * line, add = my.bias ? my.bias[group * outs + o] : 0;
                    for (long i = 0; i < g->oh; i++)
                        for (long j = 0; j < g->ow; j++) *to++ = from[i * my.wide + j] + add;
                }
            }
        }
    }
}

static int convolve(struct geometry g, const float *x, const float *w, const float *bias, float *y) {
    const long channels = g.c / g.groups, outs = g.o / g.groups, taps = g.kh * g.kw, blocks = up(outs, OUTS), packed = blocks * OUTS * channels * taps;
    const long high = g.oh + (g.kh - 1) * g.dh / g.sh, wide = g.ow + (g.kw - 1) * g.dw / g.sw, size = high * wide + WIDE;
    if (!pays(g.oh * wide, g.oh * g.ow)) return 1;
    long *far = malloc(2 * taps * sizeof(long)), *tap = far + taps;
    float *weights = room(WEIGHTS, g.groups * packed);
    _Atomic int failed = !far || !weights;
    if (!failed) {
        for (long t = 0; t < taps; t++) tap[t] = t, far[t] = distance(&g, t / g.kw, t % g.kw, wide, size);
        for (long k = 0; k < g.groups; k++) pack(w + k * outs * channels * taps, weights + k * packed, outs, channels, taps, channels * taps, taps, tap);
        LAUNCH(forward, g.n * g.groups, 1 + (1 << 16) / (1 + outs * channels * taps * g.oh * wide), g, x, weights, bias, y, far, high, wide, size, &failed);
    }
    free(far);
    return failed;
}

/* -- gradient of the input ---------------------------------------------------------------------------------------- */
KERNEL(backward, struct geometry g; const float *dy; const float *weights; const float *bias; float *dx; const long *far; const long *begin; long packed;
       long above; long left; long high; long wide; long size; _Atomic int *failed;) {
    const struct geometry *g = &my.g;
    const long channels = g->c / g->groups, outs = g->o / g->groups, phases = g->sh * g->sw, blocks = up(channels, OUTS);
    const long flat = my.high * my.wide, line = up(flat, WIDE) * WIDE, across = up(g->w + (g->pw > 0 ? g->pw : 0), g->sw);
    float *image = room(IMAGE, outs * my.size), *sums = room(SUMS, OUTS * line);
    if (!image || !sums)
        *my.failed = 1;
    else {
        memset(image, 0, outs * my.size * sizeof(float));
        ROW(r, g->n * g->groups) {
            const long n = r / g->groups, group = r % g->groups;
            for (long o = 0; o < outs; o++)
                lay(my.dy + (n * g->o + group * outs + o) * g->oh * g->ow, image + o * my.size, g->oh, g->ow, my.above, my.left, 1, 1, my.above + g->oh,
                    my.wide, my.size);
            for (long f = 0; f < phases; f++) {
                const long taps = my.begin[f + 1] - my.begin[f];
                const float *weights = my.weights + group * my.packed + blocks * OUTS * outs * my.begin[f];
                for (long b = 0; b < blocks; b++) {
                    tiles(image, weights + b * OUTS * outs * taps, sums, flat, outs, taps, my.far + my.begin[f], my.size, line);
                    for (long c = b * OUTS; c < channels && c < (b + 1) * OUTS; c++) {
                        float *to = my.dx + (n * g->c + group * channels + c) * g->h * g->w;
                        const float *from = sums + (c - b * OUTS) * line, add = my.bias ? my.bias[group * channels + c] : 0;
                        for (long i = 0; i < my.high; i++) {
                            const long row = i * g->sh + f / g->sw - g->ph, column = f % g->sw - g->pw;
                            if (row < 0 || row >= g->h) continue;
                            const long first = column < 0 ? up(-column, g->sw) : 0, end = up(g->w - column, g->sw) < across ? up(g->w - column, g->sw) : across;
                            float *there = to + row * g->w + column + first * g->sw;
                            const float *line_ = from + i * my.wide;
                            if (g->sw == 1)
                                for (long j = first; j < end; j++) *there++ = line_[j] + add;
                            else
                                for (long j = first; j < end; j++, there += g->sw) *there = line_[j] + add;
                        }
                    }
                }
            }
        }
    }
}

static int convolve_back(struct geometry g, const float *dy, const float *w, const float *bias, float *dx) {
    const long channels = g.c / g.groups, outs = g.o / g.groups, taps = g.kh * g.kw, phases = g.sh * g.sw, blocks = up(channels, OUTS);
    const long above = (g.kh - 1) * g.dh / g.sh, left = (g.kw - 1) * g.dw / g.sw; /* how far the taps reach back */
    const long high = up(g.h + (g.ph > 0 ? g.ph : 0), g.sh), across = up(g.w + (g.pw > 0 ? g.pw : 0), g.sw); /* of a phase of the padded input */
    const long wide = left + (across > g.ow ? across : g.ow), rows = above + (high > g.oh ? high : g.oh);
    const long size = up((rows + 1) * wide, WIDE) * WIDE + 2 * WIDE, packed = blocks * OUTS * outs * taps;
    if (!pays(high * wide, g.oh * g.ow)) return 1;
    long *far = malloc((2 * taps + phases + 1) * sizeof(long)), *tap = far + taps, *begin = tap + taps, k = 0;
    float *weights = room(WEIGHTS, g.groups * packed);
    _Atomic int failed = !far || !weights;
    if (!failed) {
        for (long f = 0; f < phases; f++) {
            begin[f] = k;
            for (long u = 0; u < g.kh; u++)
                for (long v = 0; v < g.kw; v++)
                    if (u * g.dh % g.sh == f / g.sw && v * g.dw % g.sw == f % g.sw)
                        tap[k] = u * g.kw + v, far[k++] = (above - u * g.dh / g.sh) * wide + left - v * g.dw / g.sw;
        }
        begin[phases] = k;
        for (long group = 0; group < g.groups; group++)
            for (long f = 0; f < phases; f++)
                pack(w + group * outs * channels * taps, weights + group * packed + blocks * OUTS * outs * begin[f], channels, outs, begin[f + 1] - begin[f],
                     taps, channels * taps, tap + begin[f]);
        LAUNCH(backward, g.n * g.groups, 1 + (1 << 16) / (1 + outs * channels * taps * g.oh * wide), g, dy, weights, bias, dx, far, begin, packed, above,
               left, high, wide, size, &failed);
    }
    free(far);
    return failed;
}

/* -- gradient of the weight --------------------------------------------------------------------------------------- */
typedef float quarter __attribute__((vector_size(BYTES / 4), aligned(4)));

/* The sum of all lanes: quarters first, so that few additions wait for one another. */
static inline float total(vector v) {
    quarter part[4];
    memcpy(part, &v, BYTES);
    part[0] = (part[0] + part[1]) + (part[2] + part[3]);
    float sum = 0;
    for (int i = 0; i < LANES / 4; i += 2) sum += part[0][i] + part[0][i + 1];
    return sum;
}

/* OUTS x TAPS products of rows of n positions, added to d. */
static inline void dots(const float *restrict dy, const float *restrict x, float *restrict d, long n, long line, const long *far, long stride, long outs,
                        long taps) {
    vector sum[OUTS][TAPS];
    for (int o = 0; o < OUTS; o++)
        for (int t = 0; t < TAPS; t++) sum[o][t] = (vector){0};
    const float *x0 = x + far[0], *x1 = x + far[1], *x2 = x + far[2];
    for (long i = 0; i < n; i += LANES) {
        const vector here[TAPS] = {*(const vector *)(x0 + i), *(const vector *)(x1 + i), *(const vector *)(x2 + i)};
#pragma GCC unroll 8
        for (int o = 0; o < OUTS; o++) {
            const vector slope = *(const vector *)(dy + o * line + i);
            for (int t = 0; t < TAPS; t++) sum[o][t] += slope * here[t];
        }
    }
    for (long o = 0; o < outs; o++)
        for (long t = 0; t < taps; t++) d[o * stride + t] += total(sum[o][t]);
}

KERNEL(weigh, struct geometry g; const float *x; const float *dy; float *sums; const long *far; long pieces; long beside; long high; long wide; long line;
       long size; _Atomic int *failed;) {
    const struct geometry *g = &my.g;
    const long channels = g->c / g->groups, outs = g->o / g->groups, taps = g->kh * g->kw, plane = my.size * g->sh * g->sw, one = my.high * my.wide;
    const long many = g->o * channels * taps, padded = up(outs, OUTS) * OUTS;
    float *image = room(IMAGE, channels * plane), *slopes = room(SUMS, padded * my.line);
    if (!image || !slopes)
        *my.failed = 1;
    else {
        memset(image, 0, channels * plane * sizeof(float));
        memset(slopes, 0, padded * my.line * sizeof(float));
        ROW(piece, my.pieces) {
            float *sum = my.sums + piece * many;
            const long end = (piece + 1) * g->n / my.pieces;
            memset(sum, 0, many * sizeof(float));
            for (long n = piece * g->n / my.pieces; n < end; n += my.beside)
                for (long group = 0; group < g->groups; group++) {
                    const long here = end - n < my.beside ? end - n : my.beside;
                    for (long m = 0; m < here; m++) {
                        for (long c = 0; c < channels; c++)
                            lay(my.x + ((n + m) * g->c + group * channels + c) * g->h * g->w, image + c * plane + m * one, g->h, g->w, g->ph, g->pw, g->sh,
                                g->sw, my.high, my.wide, my.size);
                        for (long o = 0; o < outs; o++)
                            for (long i = 0; i < g->oh; i++)
                                memcpy(slopes + o * my.line + m * one + i * my.wide, my.dy + (((n + m) * g->o + group * outs + o) * g->oh + i) * g->ow,
                                       g->ow * sizeof(float));
                    }
                    const long past = my.line - here * one < LANES ? my.line - here * one : LANES;
                    for (long o = 0; o < outs; o++) memset(slopes + o * my.line + here * one, 0, past * sizeof(float)); /* of a longer row before */
                    for (long c = 0; c < channels; c++)
                        for (long o = 0; o < outs; o += OUTS)
                            for (long t = 0; t < taps; t += TAPS)
                                dots(slopes + o * my.line, image + c * plane, sum + ((group * outs + o) * channels + c) * taps + t, here * one, my.line,
                                     my.far + t, channels * taps, outs - o < OUTS ? outs - o : OUTS, taps - t < TAPS ? taps - t : TAPS);
                }
        }
    }
}

static int correlate(struct geometry g, const float *x, const float *dy, float *dw) {
    const long channels = g.c / g.groups, taps = g.kh * g.kw, many = g.o * channels * taps;
    const long high = g.oh + (g.kh - 1) * g.dh / g.sh, wide = g.ow + (g.kw - 1) * g.dw / g.sw, one = high * wide;
    if (!pays(one, g.oh * g.ow)) return 1;
    const long pieces = g.n < PIECES ? g.n : PIECES; /* whose sums are added in order, whoever made them */
    long beside = 2048 / one + 1;                    /* images in a row, as long as they stay in the cache */
    if (beside > up(g.n, pieces)) beside = up(g.n, pieces);
    while (beside > 1 && beside * one * (channels * g.sh * g.sw + g.o / g.groups) > 1 << 17) beside--;
    const long line = up(beside * one, LANES) * LANES, size = line + LANES + one;
    long *far = malloc(up(taps, TAPS) * TAPS * sizeof(long));
    float *sums = room(TOTALS, pieces * many);
    _Atomic int failed = !far || !sums;
    if (!failed) {
        for (long t = 0; t < up(taps, TAPS) * TAPS; t++) far[t] = t < taps ? distance(&g, t / g.kw, t % g.kw, wide, size) : 0;
        LAUNCH(weigh, pieces, 1, g, x, dy, sums, far, pieces, beside, high, wide, line, size, &failed);
        memset(dw, 0, many * sizeof(float));
        for (long piece = 0; piece < pieces; piece++)
            for (long i = 0; i < many; i++) dw[i] += sums[piece * many + i];
    }
    free(far);
    return failed;
}

/* -- entries ------------------------------------------------------------------------------------------------------ */
/* One- and two-dimensional convolutions; of a bias there is either one or `bias` is another of the arrays and `biased` is 0. */
static int geometry(struct geometry *g, const array *x, const array *w, const array *y, long sh, long sw, long ph, long pw, long dh, long dw, long groups) {
    if (!is_ordered(x, FLOAT32) || !is_ordered(w, FLOAT32) || !is_ordered(y, FLOAT32)) return 0;
    if (x->axes != w->axes || y->axes != x->axes || x->axes < 3 || x->axes > 4) return 0;
    const int flat = x->axes == 3;
    *g = (struct geometry){x->shape[0], x->shape[1], flat ? 1 : x->shape[2], x->shape[x->axes - 1], w->shape[0], flat ? 1 : y->shape[2],
                           y->shape[x->axes - 1], flat ? 1 : w->shape[2], w->shape[x->axes - 1], sh, sw, ph, pw, dh, dw, groups};
    return size(x) && size(w) && size(y);
}

ENTRY(convolution)(array *x, array *w, array *bias, array *y, long biased, long sh, long sw, long ph, long pw, long dh, long dw, long groups) {
    struct geometry g;
    if (!geometry(&g, x, w, y, sh, sw, ph, pw, dh, dw, groups) || (biased && !is_ordered(bias, FLOAT32))) return REFUSED;
    return convolve(g, F32(x), F32(w), biased ? F32(bias) : NULL, F32(y)) ? REFUSED : DONE;
}

ENTRY(convolution_input_gradient)(array *dy, array *w, array *bias, array *dx, long biased, long sh, long sw, long ph, long pw, long dh, long dw, long groups) {
    struct geometry g;
    if (!geometry(&g, dx, w, dy, sh, sw, ph, pw, dh, dw, groups) || (biased && !is_ordered(bias, FLOAT32))) return REFUSED;
    return convolve_back(g, F32(dy), F32(w), biased ? F32(bias) : NULL, F32(dx)) ? REFUSED : DONE;
}

ENTRY(convolution_weight_gradient)(array *x, array *dy, array *dw_, long sh, long sw, long ph, long pw, long dh, long dw, long groups) {
    struct geometry g;
    if (!geometry(&g, x, dw_, dy, sh, sw, ph, pw, dh, dw, groups)) return REFUSED;
    return correlate(g, F32(x), F32(dy), F32(dw_)) ? REFUSED : DONE;
}

/* -- before the library is used for the first time, in a process of its own --------------------------------------- */
ENTRY(self_test)(void) {
    enum { H = 5, W = 7, OH = 3, OW = 4 };
    const struct geometry g = {1, 2, H, W, 3, OH, OW, 3, 2, 2, 2, 1, 1, 1, 1, 1};
    float x[2 * H * W], w[3 * 2 * 3 * 2], dy[3 * OH * OW], y[3 * OH * OW], dx[2 * H * W], dw[3 * 2 * 3 * 2], bias[3] = {1, 2, 3};
    double left = 0, right = 0, across = 0;
    for (int i = 0; i < 2 * H * W; i++) x[i] = (float)(i * 7 % 11 - 5);
    for (int i = 0; i < 3 * 2 * 3 * 2; i++) w[i] = (float)(i * 5 % 7 - 3);
    for (int i = 0; i < 3 * OH * OW; i++) dy[i] = (float)(i * 3 % 5 - 2);
    if (convolve(g, x, w, NULL, y) || convolve_back(g, dy, w, NULL, dx) || correlate(g, x, dy, dw)) return REFUSED;
    for (int i = 0; i < 3 * OH * OW; i++) left += (double)y[i] * dy[i];
    for (int i = 0; i < 2 * H * W; i++) right += (double)dx[i] * x[i];
    for (int i = 0; i < 3 * 2 * 3 * 2; i++) across += (double)dw[i] * w[i];
    if (left != right || left != across || left == 0) return REFUSED; /* the three are derivatives of one product, of small integers */
    const float centre = y[0 * OH * OW + 1 * OW + 1];
    double want = 0;
    for (int c = 0; c < 2; c++)
        for (int u = 0; u < 3; u++)
            for (int v = 0; v < 2; v++) want += (double)w[(c * 3 + u) * 2 + v] * x[(c * H + 2 - 1 + u) * W + 2 - 1 + v];
    if (centre != want || convolve(g, x, w, bias, y) || y[OW + 1] != want + 1) return REFUSED;
    return DONE;
}
