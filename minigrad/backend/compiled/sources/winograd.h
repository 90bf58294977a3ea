/* Convolutions with kernels of 3 x 3 and steps of one in fewer multiplications: 16 for 4 results where windows take 36.

   The result is cut into tiles of 2 x 2, each of which sees 4 x 4 of the source. With (i, j) for rows and columns,

       forward            V = B' d B    U = G w G'    M = sum over channels of V * U           y = A' M A
       input gradient     the same with the output's gradient as the source and the kernel turned by half a turn
       weight gradient    V = B' d B    Z = A dy A'   S = sum over images and tiles of V * Z   dw = G' S G

       B' = 1  0 -1  0    G = 1    0    0     A' = 1  1  1  0
            0  1  1  0        1/2  1/2  1/2        0  1 -1 -1
            0 -1  1  0        1/2 -1/2  1/2
            0  1  0 -1        0    0    1

   Lanes hold channels, so that all of this is additions of vectors, apart from the sums: those are, for each of the 16 points, a product of
   matrices (tiles, channels) (channels, results). They are made of a block of tiles at a time, whose points stay in the cache.

   What is not finite: infinities may meet in V, large numbers may overflow in V or M, though no sum of windows does. Then M is not finite at
   a point, nor is one of the 2 x 2 results of which it is a term, as such sums do not become finite again. So the results tell: an image
   that has one which is not finite is computed once more, directly, and so is a gradient of weights. This is decided image by image, as
   what becomes of one must not depend on its company.

   Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016: F(2 x 2, 3 x 3), and F(3 x 3, 2 x 2) for weights. */

enum { POINTS = 16, SHORT = 32, FEW = 24 }; /* of a tile; products added one after the other; a multiple of the rows of all products */

struct squares {
    long n, sources, results;     /* images, channels */
    long h, w, high, wide;        /* of a plane of the source, and of the result */
    long top, left;               /* where in the source its first window begins */
    long down, across;            /* tiles of an image */
    long band, bands;             /* rows of tiles in a unit, units in an image */
    long beside, units;           /* images in a unit, units in all */
    long deep, broad;             /* vectors of channels of the source, of the result */
    long rows;                    /* of the source, in a unit */
    long block;                   /* tiles whose points are made at a time: they stay in the cache */
};

static struct squares squares_of(long n, long sources, long h, long w, long results, long high, long wide, long top, long left, long block) {
    struct squares t = {n, sources, results, h, w, high, wide, top, left, up(high, 2), up(wide, 2), .block = block};
    t.deep = up(sources, LANES), t.broad = up(results, LANES);
    const long most = 2 * block + CHUNK / (LANES * (t.deep > t.broad ? t.deep : t.broad)); /* tiles of a unit */
    const long some = within(up(n * t.down * t.across, PIECES), 2 * FEW, most);
    t.bands = up(t.down, within(some / t.across, 1, t.down)), t.band = up(t.down, t.bands), t.bands = up(t.down, t.band);
    t.beside = t.bands > 1 ? 1 : within(some / (t.down * t.across), 1, up(n, PIECES));
    t.units = t.bands * up(n, t.beside);
    t.rows = 2 * t.band + 2 < h ? 2 * t.band + 2 : h;
    return t;
}

/* A unit: images n .. n + here, rows of tiles y .. y + rows, and with them rows first .. end of the source. */
struct unit {
    long n, here, y, rows, first, end, tiles;
};

static struct unit unit_of(const struct squares *t, long which) {
    struct unit u = {.n = which / t->bands * t->beside, .y = which % t->bands * t->band};
    u.here = t->n - u.n < t->beside ? t->n - u.n : t->beside, u.rows = t->down - u.y < t->band ? t->down - u.y : t->band;
    u.first = within(2 * u.y + t->top, 0, t->h), u.end = within(2 * (u.y + u.rows) + 2 + t->top, u.first, t->h);
    u.tiles = u.here * u.rows * t->across;
    return u;
}

/* -- points of the source ----------------------------------------------------------------------------------------- */
/* One column of d, of four rows, times B'. */
static inline __attribute__((always_inline)) void column(const float *const row[4], long at, int there, vector to[4]) {
    const vector zero = {0};
    const vector d0 = there ? *(const vector *)(row[0] + at) : zero, d1 = there ? *(const vector *)(row[1] + at) : zero;
    const vector d2 = there ? *(const vector *)(row[2] + at) : zero, d3 = there ? *(const vector *)(row[3] + at) : zero;
    to[0] = d0 - d2, to[1] = d1 + d2, to[2] = d2 - d1, to[3] = d1 - d3;
}

/* V of `count` tiles of a row, the first of which begins in column x; one tile goes LANES from the other, one point `apart`. */
static inline void points(const float *const row[4], long x, long w, long step, long count, float *to, long apart) {
    vector a[4], b[4], c[4], d[4];
    column(row, x * step, x >= 0 && x < w, a);
    column(row, (x + 1) * step, x + 1 >= 0 && x + 1 < w, b);
    for (long i = 0; i < count; i++, to += LANES) {
        x += 2;
        column(row, x * step, x >= 0 && x < w, c);
        column(row, (x + 1) * step, x + 1 >= 0 && x + 1 < w, d);
        for (int k = 0; k < 4; k++) {
            float *p = to + 4 * k * apart;
            *(vector *)p = a[k] - c[k];
            *(vector *)(p + apart) = b[k] + c[k];
            *(vector *)(p + 2 * apart) = c[k] - b[k];
            *(vector *)(p + 3 * apart) = b[k] - d[k];
            a[k] = c[k], b[k] = d[k];
        }
    }
}

/* V of tiles from .. from + count of a unit; of the source there are pixels with their channels side by side, after a row of zeros. */
static void points_of(const struct squares *t, const struct unit *u, const float *pixels, long from, long count, float *to, long apart) {
    const long step = t->deep * LANES;
    for (long i = from, run; i < from + count; i += run) {
        const long x = i % t->across, y = u->y + i / t->across % u->rows, m = i / t->across / u->rows;
        const float *row[4];
        run = t->across - x < from + count - i ? t->across - x : from + count - i;
        for (long k = 0; k < 4; k++) {
            const long r = 2 * y + t->top + k;
            row[k] = r < u->first || r >= u->end ? pixels : pixels + ((1 + m * t->rows + r - u->first) * t->w) * step;
        }
        for (long v = 0; v < t->deep; v++) {
            const float *const here[4] = {row[0] + v * LANES, row[1] + v * LANES, row[2] + v * LANES, row[3] + v * LANES};
            points(here, 2 * x + t->left, t->w, step, run, to + v * t->block * LANES + (i - from) * LANES, apart);
        }
    }
}

/* Pixels with their channels side by side. */
static void pixels_of(const struct squares *t, const struct unit *u, const float *source, float *to) {
    const long step = t->deep * LANES, size = t->h * t->w;
    for (long m = 0; m < u->here; m++)
        turned(source + (u->n + m) * t->sources * size + u->first * t->w, size, t->sources, (u->end - u->first) * t->w, to + (1 + m * t->rows) * t->w * step,
               step);
}

/* -- points of the weights ---------------------------------------------------------------------------------------- */
/* U of the weights of result o, source s, at o * to_next + s * to_source; turned by half a turn, or not. As [panel][point][source][result]. */
KERNEL(transform_weights, struct squares t; const float *w; long to_next; long to_source; int half_turn; float *to;) {
    const struct squares *t = &my.t;
    ROW(b, t->broad) {
        const long first = b / SPANS * SPANS, span = t->broad - first < SPANS ? t->broad - first : SPANS, width = span * LANES;
        const long here = t->results - b * LANES < LANES ? t->results - b * LANES : LANES;
        float *to = my.to + first * POINTS * t->sources * LANES + (b - first) * LANES;
        _Alignas(64) float square[16][LANES] = {{0}};
        for (long s = 0; s < t->sources; s++, to += width) {
            const float *from = my.w + b * LANES * my.to_next + s * my.to_source;
            float(*taps)[LANES] = square;
            if (here < LANES)
                for (long l = 0; l < here; l++)
                    for (int k = 0; k < 9; k++) taps[k][l] = from[l * my.to_next + k];
            else if (LANES > 9) { /* taps are the last columns of a square, but for the first, before which there is nothing */
                const int before = from == my.w ? 0 : LANES - 9;
                turn(from - before, my.to_next, square[0], LANES);
                taps += before;
            } else
                for (int k = 0; k < 9; k += LANES) {
                    const int first = k + LANES > 9 ? 9 - LANES : k;
                    turn(from + first, my.to_next, taps[first], LANES);
                }
            vector row[4][3], point[4];
            for (int j = 0; j < 3; j++) {
                const int k = my.half_turn ? 8 - j : j, down = my.half_turn ? -3 : 3;
                const vector a = *(vector *)taps[k], b = *(vector *)taps[k + down], c = *(vector *)taps[k + 2 * down];
                row[0][j] = a, row[1][j] = 0.5f * (a + c + b), row[2][j] = 0.5f * (a + c - b), row[3][j] = c;
            }
            float *p = to;
            for (int i = 0; i < 4; i++) {
                const vector a = row[i][0], b = row[i][1], c = row[i][2];
                point[0] = a, point[1] = 0.5f * (a + c + b), point[2] = 0.5f * (a + c - b), point[3] = c;
                for (int j = 0; j < 4; j++, p += t->sources * width) *(vector *)p = point[j];
            }
        }
    }
}

/* -- sums over channels ------------------------------------------------------------------------------------------- */
/* M at one point, of some tiles; m may be v, as all of that is read before anything is written. */
static inline __attribute__((always_inline)) void mix_of(const int rows, const int span, const float *v, long channels, const float *u, float *m, long line,
                                                         int add) {
    vector sum[2 * ROWS][SPANS];
#pragma GCC unroll 24
    for (int r = 0; r < rows; r++)
        for (int s = 0; s < span; s++) sum[r][s] = (vector){0};
    for (; channels > 0; channels -= LANES, v += line)
        for (long l = 0; l < LANES && l < channels; l++, u += span * LANES) {
            vector here[SPANS];
            for (int s = 0; s < span; s++) here[s] = *(const vector *)(u + s * LANES);
#pragma GCC unroll 24
            for (int r = 0; r < rows; r++)
                for (int s = 0; s < span; s++) sum[r][s] += v[r * LANES + l] * here[s];
        }
#pragma GCC unroll 24
    for (int r = 0; r < rows; r++)
        for (int s = 0; s < span; s++) {
            vector *to = (vector *)(m + s * line + r * LANES);
            *to = add ? *to + sum[r][s] : sum[r][s];
        }
}

typedef void mix(const float *v, long channels, const float *u, float *m, long line, int add);
#define MIX_OF(rows, span)                                                                                          \
    static void mix_##rows##_##span(const float *v, long channels, const float *u, float *m, long line, int add) { \
        mix_of(rows, span, v, channels, u, m, line, add);                                                           \
    }
#if defined(__AVX2__) && !defined(__AVX512F__)
MIX_OF(12, 1) MIX_OF(4, 1) MIX_OF(6, 2) MIX_OF(2, 2)
static mix *const mixed[SPANS][2] = {{mix_12_1, mix_4_1}, {mix_6_2, mix_2_2}};
static const int mixed_as[SPANS][2] = {{12, 4}, {6, 2}};
#else
MIX_OF(24, 1) MIX_OF(8, 1) MIX_OF(12, 2) MIX_OF(4, 2) MIX_OF(8, 3) MIX_OF(4, 3) MIX_OF(6, 4) MIX_OF(2, 4)
static mix *const mixed[SPANS][2] = {{mix_24_1, mix_8_1}, {mix_12_2, mix_4_2}, {mix_8_3, mix_4_3}, {mix_6_4, mix_2_4}};
static const int mixed_as[SPANS][2] = {{24, 8}, {12, 4}, {8, 4}, {6, 2}};
#endif

/* M of a panel at all points. Sums are made of pieces of SHORT products, as results are sums of nine of them, and errors grow with length. */
static void mix_points(const struct squares *t, long span, long count, const float *v, long v_apart, const float *u, float *m, long m_apart) {
    for (int p = 0; p < POINTS; p++, v += v_apart, m += m_apart)
        for (long c = 0; c < t->sources; c += SHORT) {
            const long channels = t->sources - c < SHORT ? t->sources - c : SHORT;
            for (long r = 0; r < count;) {
                const int small = count - r <= mixed_as[span - 1][1];
                mixed[span - 1][small](v + c * t->block + r * LANES, channels, u, m + r * LANES, t->block * LANES, c > 0);
                r += mixed_as[span - 1][small];
            }
            u += channels * span * LANES;
        }
}

/* -- results ------------------------------------------------------------------------------------------------------ */
/* y of one tile: four vectors. */
static inline __attribute__((always_inline)) void result(const float *m, long apart, vector y[4]) {
    vector s[2][4];
    for (int j = 0; j < 4; j++) {
        const vector a = *(const vector *)(m + j * apart), b = *(const vector *)(m + (4 + j) * apart);
        const vector c = *(const vector *)(m + (8 + j) * apart), d = *(const vector *)(m + (12 + j) * apart);
        s[0][j] = a + (b + c), s[1][j] = (b - c) - d;
    }
    for (int i = 0; i < 2; i++) y[2 * i] = s[i][0] + (s[i][1] + s[i][2]), y[2 * i + 1] = (s[i][1] - s[i][2]) - s[i][3];
}

/* y of tiles from .. from + count of a unit, to pixels with their channels side by side; bad: images with a number that is not finite. */
static void results_of(const struct squares *t, const struct unit *u, const float *m, long apart, long from, long count, const float *bias, float *to,
                       _Atomic char *bad) {
    const long step = t->broad * LANES, line = t->wide * step;
    const vector added = *(const vector *)bias;
    for (long i = from, run; i < from + count; i += run) {
        const long x = i % t->across, y = i / t->across % u->rows, image = i / t->across / u->rows;
        vector zero = {0}; /* what is not finite, times zero, is not zero */
        float *here = to + ((image * 2 * t->band + 2 * y) * t->wide + 2 * x) * step;
        const int below = 2 * (u->y + y) + 1 < t->high;
        run = t->across - x < from + count - i ? t->across - x : from + count - i;
        for (long k = 0; k < run; k++, here += 2 * step, m += LANES) {
            const int beside = 2 * (x + k) + 1 < t->wide;
            vector v[4];
            result(m, apart, v);
            zero += v[0] * 0;
            *(vector *)here = v[0] + added;
            if (beside) zero += v[1] * 0, *(vector *)(here + step) = v[1] + added;
            if (below) zero += v[2] * 0, *(vector *)(here + line) = v[2] + added;
            if (below && beside) zero += v[3] * 0, *(vector *)(here + line + step) = v[3] + added;
        }
        if (total(zero) != 0) bad[u->n + image] = 1;
    }
}

/* -- forward, and gradient of the input --------------------------------------------------------------------------- */
KERNEL(transform, struct squares t; const float *source; const float *weights; const float *bias; float *to; _Atomic char *bad; _Atomic int *failed;) {
    const struct squares *t = &my.t;
    const long size = t->high * t->wide, deep = t->deep * t->block * LANES, wide = (t->broad < SPANS ? t->broad : SPANS) * t->block * LANES;
    const int over = t->broad <= t->deep && t->broad <= SPANS && t->sources <= SHORT; /* M is written over V */
    const long v_apart = deep + LANES, m_apart = over ? v_apart : wide + LANES;
    const long laid = (1 + t->beside * t->rows) * t->w * t->deep * LANES, made = t->beside * 2 * t->band * t->wide * t->broad * LANES;
    float *pixels = room(IMAGE, laid), *out = room(SUMMED, made + POINTS * (v_apart + (over ? 0 : m_apart)));
    float *v = out + made, *m = over ? v : v + POINTS * v_apart;
    if (!pixels || !out)
        *my.failed = 1;
    else {
        memset(pixels, 0, laid * sizeof(float));
        ROW(which, t->units) {
            const struct unit u = unit_of(t, which);
            pixels_of(t, &u, my.source, pixels);
            for (long i = 0; i < u.tiles; i += t->block) {
                const long count = u.tiles - i < t->block ? u.tiles - i : t->block;
                points_of(t, &u, pixels, i, count, v, v_apart);
                for (long b = 0; b < t->broad; b += SPANS) {
                    const long span = t->broad - b < SPANS ? t->broad - b : SPANS;
                    mix_points(t, span, count, v, v_apart, my.weights + b * POINTS * t->sources * LANES, m, m_apart);
                    for (long s = 0; s < span; s++)
                        results_of(t, &u, m + s * t->block * LANES, m_apart, i, count, my.bias + (b + s) * LANES, out + (b + s) * LANES, my.bad);
                }
            }
            const long left = t->high - 2 * u.y, rows = left < 2 * u.rows ? left : 2 * u.rows;
            for (long k = 0; k < u.here; k++)
                turned(out + k * 2 * t->band * t->wide * t->broad * LANES, t->broad * LANES, rows * t->wide, t->results,
                       my.to + (u.n + k) * t->results * size + 2 * u.y * t->wide, size);
        }
    }
}

typedef int windowed(struct geometry g, const float *source, const float *weights, const float *bias, float *to);

/* A convolution or a gradient of its input. The weight of result c, source s is at c * to_next + s * to_source; `directly` is for images
   whose results are not finite. */
static int transformed(struct squares t, struct geometry g, const float *source, const float *weights, long to_next, long to_source, int half_turn,
                       const float *bias, float *to, windowed *directly) {
    const long width = t.broad * LANES;
    float *packed = room(WEIGHTS, (POINTS * t.sources + 1) * width), *added = packed + POINTS * t.sources * width;
    _Atomic char *bad = calloc(t.n, 1);
    _Atomic int failed = !packed || !bad;
    if (!failed) {
        LAUNCH(transform_weights, t.broad, 1 + (1 << 12) / t.sources, t, weights, to_next, to_source, half_turn, packed);
        memset(added, 0, width * sizeof(float));
        if (bias) memcpy(added, bias, t.results * sizeof(float));
        LAUNCH(transform, t.units, 1 + (1 << 16) / (t.sources * t.results * t.beside * t.band * t.across), t, source, packed, added, to, bad, &failed);
    }
    for (long n = 0; n < t.n && !failed; n += g.n) {
        for (g.n = 0; n + g.n < t.n && bad[n + g.n];) g.n++;
        if (g.n)
            failed = directly(g, source + n * t.sources * t.h * t.w, weights, bias, to + n * t.results * t.high * t.wide);
        else
            g.n = 1;
    }
    free(bad);
    return failed;
}

static int convolve_squares(struct geometry g, const float *x, const float *w, const float *bias, float *y, windowed *directly) {
    const struct squares t = squares_of(g.n, g.c, g.h, g.w, g.o, g.oh, g.ow, -g.ph, -g.pw, FEW);
    return transformed(t, g, x, w, g.c * 9, 9, 0, bias, y, directly);
}

static int convolve_back_squares(struct geometry g, const float *dy, const float *w, const float *bias, float *dx, windowed *directly) {
    const struct squares t = squares_of(g.n, g.o, g.oh, g.ow, g.c, g.h, g.w, g.ph - 2, g.pw - 2, FEW);
    return transformed(t, g, dy, w, 9, g.c * 9, 1, bias, dx, directly);
}

/* -- where it pays ------------------------------------------------------------------------------------------------ */
/* For results of this size. Tiles may be mostly padding, and few of them do not pay for the points of the weights; the number of images
   must not matter, as an image alone is to be computed as in a batch. */
static int by_squares(const struct geometry *g, long high, long wide) {
    const long tiles = up(high, 2) * up(wide, 2);
    return g->kh == 3 && g->kw == 3 && g->sh == 1 && g->sw == 1 && g->dh == 1 && g->dw == 1 && g->groups == 1 && g->c >= 16 && g->o >= 16 && tiles >= 4 &&
           high * wide * 9 >= tiles * POINTS * 1.4;
}
