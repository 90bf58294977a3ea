/* Convolutions whose lanes hold positions: for results of few channels.

   An image is laid out with its padding, one plane per channel, and with a stride one plane per phase of it: plane (a, b) has every
   row a, a + sh, a + 2 sh, ... and every column likewise. Then every tap of the kernel looks at whole rows at a fixed distance, and
   as rows follow one another without a gap, an output plane is one long row: output i is the sum over channels and taps of
   w * plane[i + distance]. What falls into the gaps between rows is computed too, and left out when the result is copied.

       forward            a tile of OUTS outputs x SPAN vectors of positions stays in registers over all channels and taps
       input gradient     the same with the output's gradient as the image and channels for outputs, once for each phase of the
                          stride, with the taps that reach it
       weight gradient    OUTS x TAPS sums over positions stay in registers; images lie side by side, so that the sums are long

   Source: the phases are those of a polyphase filter. */

#if defined(__AVX2__) && !defined(__AVX512F__)
enum { OUTS = 4, SPAN = 3, TAPS = 3 };
#else
enum { OUTS = 4, SPAN = 6, TAPS = 3 };
#endif
enum { LONGEST = 8, SPANNED = LONGEST * LANES }; /* the span where there is but one output */

/* How many outputs a tile has: one, or OUTS of which some may be left out. */
static inline long outs_of(long results) { return results == 1 ? 1 : OUTS; }

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

/* Weights as [block of outputs][channel][tap][output], zero beyond the last; (o, c, t) is at o * so + c * sc + tap[t]. */
static void pack_taps(const float *w, float *to, long outs, long channels, long taps, long so, long sc, const long *tap) {
    const long each = outs_of(outs);
    for (long block = 0; block < outs; block += each)
        for (long c = 0; c < channels; c++)
            for (long t = 0; t < taps; t++)
                for (long o = block; o < block + each; o++) *to++ = o < outs ? w[o * so + c * sc + tap[t]] : 0;
}

/* One tile: rows of `span` vectors of positions, `stride` apart in y; sums are made of pieces of about PART products each. */
static inline __attribute__((always_inline)) void tile_at(const int outs, const int span, const float *restrict x, const float *restrict w, float *restrict y,
                                                          long channels, long taps, const long *restrict far, long plane, long stride) {
    const long some = PART / 2 / (taps + 1) + 1;
    for (long first = 0; first == 0 || first < channels; first += some) {
        vector sum[OUTS][LONGEST];
        for (int o = 0; o < outs; o++)
            for (int v = 0; v < span; v++) sum[o][v] = (vector){0};
        for (long c = first; c < channels && c < first + some; c++, x += plane)
            for (long t = 0; t < taps; t++, w += outs) {
                vector here[LONGEST];
#pragma GCC unroll 8
                for (int v = 0; v < span; v++) here[v] = *(const vector *)(x + far[t] + v * LANES);
#pragma GCC unroll 8
                for (int o = 0; o < outs; o++)
#pragma GCC unroll 8
                    for (int v = 0; v < span; v++) sum[o][v] += w[o] * here[v];
            }
#pragma GCC unroll 8
        for (int o = 0; o < outs; o++)
#pragma GCC unroll 8
            for (int v = 0; v < span; v++) {
                vector *to = (vector *)(y + o * stride + v * LANES);
                *to = first ? *to + sum[o][v] : sum[o][v];
            }
    }
}

/* All positions of a row: full tiles, then half of one or single vectors; what reaches beyond the end is not used. */
static inline __attribute__((always_inline)) void tiles_of(const int outs, const int span, const float *x, const float *w, float *y, long flat, long channels,
                                                           long taps, const long *far, long plane, long stride) {
    for (long i = 0; i < flat;) {
        const long left = up(flat - i, LANES);
        if (left > span / 2 + 1)
            tile_at(outs, span, x + i, w, y + i, channels, taps, far, plane, stride), i += span * LANES;
        else if (left > 1)
            tile_at(outs, span / 2, x + i, w, y + i, channels, taps, far, plane, stride), i += span / 2 * LANES;
        else
            tile_at(outs, 1, x + i, w, y + i, channels, taps, far, plane, stride), i += LANES;
    }
}

static void tiles(long outs, const float *x, const float *w, float *y, long flat, long channels, long taps, const long *far, long plane, long stride) {
    if (outs == 1)
        tiles_of(1, LONGEST, x, w, y, flat, channels, taps, far, plane, stride);
    else
        tiles_of(OUTS, SPAN, x, w, y, flat, channels, taps, far, plane, stride);
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
    const long flat = g->oh * my.wide, line = (up(flat, SPANNED) + 1) * SPANNED, each = outs_of(outs), blocks = up(outs, each);
    float *image = room(IMAGE, channels * plane), *sums = room(SUMMED, each * line);
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
                tiles(each, image, my.weights + (group * blocks + b) * each * channels * taps, sums, flat, channels, taps, my.far, plane, line);
                for (long o = b * each; o < outs && o < (b + 1) * each; o++) {
                    float *to = my.y + (n * g->o + group * outs + o) * g->oh * g->ow;
                    const float *from = sums + (o - b * each) * line, add = my.bias ? my.bias[group * outs + o] : 0;
                    for (long i = 0; i < g->oh; i++)
                        for (long j = 0; j < g->ow; j++) *to++ = from[i * my.wide + j] + add;
                }
            }
        }
    }
}

static int convolve_positions(struct geometry g, const float *x, const float *w, const float *bias, float *y) {
    const long channels = g.c / g.groups, outs = g.o / g.groups, taps = g.kh * g.kw;
    const long each = outs_of(outs), blocks = up(outs, each), packed = blocks * each * channels * taps;
    const long high = g.oh + (g.kh - 1) * g.dh / g.sh, wide = g.ow + (g.kw - 1) * g.dw / g.sw, size = high * wide + SPANNED;
    if (!pays(g.oh * wide, g.oh * g.ow)) return 1;
    long *far = malloc(2 * taps * sizeof(long)), *tap = far + taps;
    float *weights = room(WEIGHTS, g.groups * packed);
    _Atomic int failed = !far || !weights;
    if (!failed) {
        for (long t = 0; t < taps; t++) tap[t] = t, far[t] = distance(&g, t / g.kw, t % g.kw, wide, size);
        for (long k = 0; k < g.groups; k++) pack_taps(w + k * outs * channels * taps, weights + k * packed, outs, channels, taps, channels * taps, taps, tap);
        LAUNCH(forward, g.n * g.groups, 1 + (1 << 16) / (1 + outs * channels * taps * g.oh * wide), g, x, weights, bias, y, far, high, wide, size, &failed);
    }
    free(far);
    return failed;
}

/* -- gradient of the input ---------------------------------------------------------------------------------------- */
KERNEL(backward, struct geometry g; const float *dy; const float *weights; const float *bias; float *dx; const long *far; const long *begin; long packed;
       long above; long left; long high; long wide; long size; _Atomic int *failed;) {
    const struct geometry *g = &my.g;
    const long channels = g->c / g->groups, outs = g->o / g->groups, phases = g->sh * g->sw, each = outs_of(channels), blocks = up(channels, each);
    const long flat = my.high * my.wide, line = (up(flat, SPANNED) + 1) * SPANNED, across = up(g->w + (g->pw > 0 ? g->pw : 0), g->sw);
    float *image = room(IMAGE, outs * my.size), *sums = room(SUMMED, each * line);
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
                const float *weights = my.weights + group * my.packed + blocks * each * outs * my.begin[f];
                for (long b = 0; b < blocks; b++) {
                    tiles(each, image, weights + b * each * outs * taps, sums, flat, outs, taps, my.far + my.begin[f], my.size, line);
                    for (long c = b * each; c < channels && c < (b + 1) * each; c++) {
                        float *to = my.dx + (n * g->c + group * channels + c) * g->h * g->w;
                        const float *from = sums + (c - b * each) * line, add = my.bias ? my.bias[group * channels + c] : 0;
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

static int convolve_back_positions(struct geometry g, const float *dy, const float *w, const float *bias, float *dx) {
    const long channels = g.c / g.groups, outs = g.o / g.groups, taps = g.kh * g.kw, phases = g.sh * g.sw;
    const long each = outs_of(channels), blocks = up(channels, each);
    const long above = (g.kh - 1) * g.dh / g.sh, left = (g.kw - 1) * g.dw / g.sw; /* how far the taps reach back */
    const long high = up(g.h + (g.ph > 0 ? g.ph : 0), g.sh), across = up(g.w + (g.pw > 0 ? g.pw : 0), g.sw); /* of a phase of the padded input */
    const long wide = left + (across > g.ow ? across : g.ow), rows = above + (high > g.oh ? high : g.oh);
    const long size = up((rows + 1) * wide, SPANNED) * SPANNED + 2 * SPANNED, packed = blocks * each * outs * taps;
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
                pack_taps(w + group * outs * channels * taps, weights + group * packed + blocks * each * outs * begin[f], channels, outs,
                          begin[f + 1] - begin[f], taps, channels * taps, tap + begin[f]);
        LAUNCH(backward, g.n * g.groups, 1 + (1 << 16) / (1 + outs * channels * taps * g.oh * wide), g, dy, weights, bias, dx, far, begin, packed, above,
               left, high, wide, size, &failed);
    }
    free(far);
    return failed;
}

/* -- gradient of the weight --------------------------------------------------------------------------------------- */
/* The sum of all lanes: quarters first, so that few additions wait for one another. */
static inline float total(vector v) {
    quarter part[4];
    memcpy(part, &v, VECTOR);
    part[0] = (part[0] + part[1]) + (part[2] + part[3]);
    float sum = 0;
    for (int i = 0; i < LANES / 4; i++) sum += part[0][i];
    return sum;
}

/* high x TAPS products of rows of n positions, of which outs x taps are added to d. */
static inline __attribute__((always_inline)) void dots_of(const int high, const float *restrict dy, const float *restrict x, float *restrict d, long n,
                                                          long line, const long *far, long stride, long outs, long taps) {
    vector sum[OUTS][TAPS];
    for (int o = 0; o < high; o++)
        for (int t = 0; t < TAPS; t++) sum[o][t] = (vector){0};
    const float *x0 = x + far[0], *x1 = x + far[1], *x2 = x + far[2];
    for (long i = 0; i < n; i += LANES) {
        const vector here[TAPS] = {*(const vector *)(x0 + i), *(const vector *)(x1 + i), *(const vector *)(x2 + i)};
#pragma GCC unroll 8
        for (int o = 0; o < high; o++) {
            const vector slope = *(const vector *)(dy + o * line + i);
            for (int t = 0; t < TAPS; t++) sum[o][t] += slope * here[t];
        }
    }
    for (long o = 0; o < outs; o++)
        for (long t = 0; t < taps; t++) d[o * stride + t] += total(sum[o][t]);
}

static void dots(const float *dy, const float *x, float *d, long n, long line, const long *far, long stride, long outs, long taps) {
    if (outs == 1)
        dots_of(1, dy, x, d, n, line, far, stride, outs, taps);
    else
        dots_of(OUTS, dy, x, d, n, line, far, stride, outs, taps);
}

KERNEL(weigh_positions, struct geometry g; const float *x; const float *dy; float *sums; const long *far; long pieces; long beside; long high; long wide;
       long line; long size; _Atomic int *failed;) {
    const struct geometry *g = &my.g;
    const long channels = g->c / g->groups, outs = g->o / g->groups, taps = g->kh * g->kw, plane = my.size * g->sh * g->sw, one = my.high * my.wide;
    const long many = g->o * channels * taps, padded = up(outs, OUTS) * OUTS;
    float *image = room(IMAGE, channels * plane), *slopes = room(SUMMED, padded * my.line);
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

static int correlate_positions(struct geometry g, const float *x, const float *dy, float *dw) {
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
        LAUNCH(weigh_positions, pieces, 1, g, x, dy, sums, far, pieces, beside, high, wide, line, size, &failed);
        memset(dw, 0, many * sizeof(float));
        for (long piece = 0; piece < pieces; piece++)
            for (long i = 0; i < many; i++) dw[i] += sums[piece * many + i];
    }
    free(far);
    return failed;
}

