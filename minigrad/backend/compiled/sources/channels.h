/* Convolutions whose lanes hold channels of the result: for results of about as many channels as a vector has lanes, or more.

   All three are one sum over windows. Of a source that is laid out plane after plane, with its padding, row r of the result is

       sum over k of  source[at[r] + far[k]] * right[k]        right[k]: a few vectors, one number for each channel of the result

       forward            r: positions,           k: channels and taps,   right: weights
       input gradient     the same with the output's gradient as the source, once for each phase of the stride, with the taps that
                          reach it
       weight gradient    r: channels and taps,   k: positions,           right: the output's gradient, turned

   so that strides, dilations, gaps and edges are a matter of the two tables at and far, and nothing is computed that is not wanted. A
   tile of rows x vectors stays in registers while k runs. Results are turned when they are written, channels from lanes to planes.

   What is made at a time is a unit: a few whole images where they are small, a band of rows of one where it is large. */

enum { PIECES = 8, LARGE = 1 << 22 };       /* pieces of a sum over images, and how many numbers they should not exceed */
enum { CHUNK = 1 << 14, LAID = 1 << 16 }; /* numbers of a unit's result, and of its source */

struct windows {
    long n, groups, sources, results;    /* images, groups, channels of a group */
    long h, w, high, wide;               /* of a plane of the source, and of the result */
    long step, each, top, left;          /* result row y sees source rows from y / each * step + top on, the first column from left on */
    long rows, columns, plane, image;    /* of a laid unit: its size, how far planes and images are apart */
    long band, bands, beside, units;     /* rows of the result in a unit, units in an image, images in a unit, units in all */
    long phases, many, across, blocks;   /* taps times channels of all phases; vectors of a block, blocks of the result's channels */
    long run;                            /* how far rows are apart in the source, in runs of RUN; 0: no runs */
    int direct;                          /* the source is read where it lies */
    int *at, *place, *far, *begin, *tap; /* of each phase, at and place lie from begin[2 f] on, far from begin[2 f + 1] on */
};

static inline long floored(long a, long b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }
static inline long within(long a, long least, long most) { return a < least ? least : a < most ? a : most; }

/* -- sums over windows -------------------------------------------------------------------------------------------- */
/* Sums of `count` products: row r goes to place[r], to what is there or to bias. Rows may come in runs, `step` apart in the source, which
   takes fewer pointers: of them there are no more than a dozen registers. */
static inline __attribute__((always_inline)) void sums_of(const int rows, const int run, const int across, const float *restrict x, long step,
                                                          const int *restrict at, const int *restrict far, long count, const float *restrict right,
                                                          float *restrict to, const int *restrict place, const float *bias) {
    const float *from[ROWS];
    vector sum[2 * ROWS][SPANS];
#pragma GCC unroll 24
    for (int r = 0; r < rows; r++) {
        if (r % run == 0) from[r / run] = x + at[r];
#pragma GCC unroll 4
        for (int v = 0; v < across; v++) sum[r][v] = (vector){0};
    }
    for (const int *end = far + count; far < end; far++, right += across * LANES) {
        const long k = *far;
        vector here[SPANS];
        for (int v = 0; v < across; v++) here[v] = *(const vector *)(right + v * LANES);
#pragma GCC unroll 24
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < across; v++) sum[r][v] += (from[r / run] + k)[r % run * step] * here[v];
    }
#pragma GCC unroll 24
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < across; v++) {
            vector *there = (vector *)(to + (long)place[r] * across * LANES + v * LANES);
            *there = sum[r][v] + (bias ? *(const vector *)(bias + v * LANES) : *there);
        }
}

typedef void sums(const float *x, long step, const int *at, const int *far, long count, const float *right, float *to, const int *place, const float *bias);
#define SUMS_OF(rows, run, across)                                                                                                        \
    static void sums_##rows##_##across(const float *x, long step, const int *at, const int *far, long count, const float *right, float *to, \
                                       const int *place, const float *bias) {                                                             \
        sums_of(rows, run, across, x, step, at, far, count, right, to, place, bias);                                                      \
    }
/* Tiles by their vectors, the largest first: the rows of each. The first of one vector wants runs. */
enum { RUN = 4, SIZES = 3 };
#if defined(__AVX2__) && !defined(__AVX512F__)
SUMS_OF(12, RUN, 1) SUMS_OF(8, 1, 1) SUMS_OF(2, 1, 1) SUMS_OF(6, 1, 2) SUMS_OF(4, 1, 2) SUMS_OF(2, 1, 2)
static sums *const tiled[SPANS][SIZES] = {{sums_12_1, sums_8_1, sums_2_1}, {sums_6_2, sums_4_2, sums_2_2}};
static const int tall_as[SPANS][SIZES] = {{12, 8, 2}, {6, 4, 2}};
#else
SUMS_OF(24, RUN, 1) SUMS_OF(12, 1, 1) SUMS_OF(4, 1, 1) SUMS_OF(12, 1, 2) SUMS_OF(8, 1, 2) SUMS_OF(4, 1, 2)
SUMS_OF(8, 1, 3) SUMS_OF(4, 1, 3) SUMS_OF(2, 1, 3) SUMS_OF(6, 1, 4) SUMS_OF(4, 1, 4) SUMS_OF(2, 1, 4)
static sums *const tiled[SPANS][SIZES] = {
    {sums_24_1, sums_12_1, sums_4_1}, {sums_12_2, sums_8_2, sums_4_2}, {sums_8_3, sums_4_3, sums_2_3}, {sums_6_4, sums_4_4, sums_2_4}};
static const int tall_as[SPANS][SIZES] = {{24, 12, 4}, {12, 8, 4}, {8, 4, 2}, {6, 4, 2}};
#endif

/* All rows: of tiles the largest that fits; the last fills up with the last row, at the place `spare`. Rows of a run are `step` apart; 0:
   there are no runs. Sums are made of pieces of about PART products each, as the error of a long one grows with its length. */
static void sum_up(long across, const float *x, long step, const int *at, long rows, const int *far, long count, const float *right, float *to,
                   const int *place, int spare, const float *bias) {
    const int *tall = tall_as[across - 1];
    const long pieces = count < PART ? 1 : (count + PART / 2) / PART;
    int which = across == 1 && !step;
    for (long r = 0; r < rows; r += tall[which]) {
        while (which < SIZES - 1 && r + tall[which] > rows) which++;
        int from[2 * ROWS], there[2 * ROWS];
        const int full = r + tall[which] <= rows;
        for (long i = 0; i < tall[which] && !full; i++) {
            from[i] = at[r + i < rows ? r + i : rows - 1];
            there[i] = r + i < rows ? place[r + i] : spare;
        }
        for (long piece = 0; piece < pieces; piece++) {
            const long first = piece * count / pieces, end = (piece + 1) * count / pieces;
            tiled[across - 1][which](x, step, full ? at + r : from, far + first, end - first, right + first * across * LANES, to, full ? place + r : there,
                                     piece ? NULL : bias);
        }
    }
}

/* -- laying out and turning --------------------------------------------------------------------------------------- */
typedef float half __attribute__((vector_size(VECTOR / 2), aligned(4)));
typedef float quarter __attribute__((vector_size(VECTOR / 4), aligned(4)));

/* n numbers: whole vectors, of which the last overlaps. */
static inline void copy(const float *restrict from, float *restrict to, long n) {
#define COPY(type, lanes)                                                                                       \
    if (n >= (lanes)) {                                                                                         \
        for (long i = 0; i + (lanes) < n; i += (lanes)) *(type *)(to + i) = *(const type *)(from + i);          \
        *(type *)(to + n - (lanes)) = *(const type *)(from + n - (lanes));                                      \
        return;                                                                                                 \
    }
    COPY(vector, LANES)
    COPY(half, LANES / 2)
    COPY(quarter, LANES / 4)
#undef COPY
    for (long i = 0; i < n; i++) to[i] = from[i];
}

/* A unit's source: a group's planes of `here` images, zeros around them; where it is read from. */
static const float *laid(const struct windows *my, const float *source, float *image, long n, long here, long group, long y) {
    const long top = y / my->each * my->step + my->top, size = my->h * my->w;
    const long first = my->left < 0 ? -my->left : 0, reach = my->w - my->left, end = reach < my->columns ? reach : my->columns;
    source += (n * my->groups + group) * my->sources * size;
    if (my->direct) return source + top * my->w;
    for (long m = 0; m < here; m++)
        for (long c = 0; c < my->sources; c++) {
            const float *from = source + (m * my->groups * my->sources + c) * size;
            float *to = image + m * my->image + c * my->plane;
            if (my->left == 0 && my->columns == my->w) { /* rows without gaps */
                const long above = within(-top, 0, my->rows), below = within(my->h - top, above, my->rows);
                memset(to, 0, above * my->w * sizeof(float));
                if (above < below) copy(from + (top + above) * my->w, to + above * my->w, (below - above) * my->w);
                memset(to + below * my->w, 0, (my->rows - below) * my->w * sizeof(float));
                continue;
            }
            for (long i = 0; i < my->rows; i++, to += my->columns) {
                const long row = top + i;
                if (row < 0 || row >= my->h)
                    memset(to, 0, my->columns * sizeof(float));
                else if (first < end)
                    copy(from + row * my->w + my->left + first, to + first, end - first);
            }
        }
    return image;
}

/* A matrix turned: number (i, j) goes to to[j * step + i]. Blocks at the end overlap. They are gathered to longer rows before they are
   written: planes are often powers of two apart, and such a column of short pieces does not fit into the cache. */
static void turned(const float *from, long line, long rows, long columns, float *to, long step) {
    enum { LONG = 4 * LANES };
    if (rows < LANES || columns < LANES) {
        for (long j = 0; j < columns; j++)
            for (long i = 0; i < rows; i++) to[j * step + i] = from[i * line + j];
        return;
    }
    for (long l = 0; l < columns; l += LANES) {
        const long j = l + LANES <= columns ? l : columns - LANES;
        long i = 0;
        for (; i + LONG <= rows; i += LONG) {
            _Alignas(64) float kept[LANES * LONG];
            for (long k = 0; k < LONG; k += LANES) turn(from + (i + k) * line + j, line, kept + k, LONG);
            for (long c = 0; c < LANES; c++)
                for (long v = 0; v < LONG; v += LANES) *(vector *)(to + (j + c) * step + i + v) = *(const vector *)(kept + c * LONG + v);
        }
        for (; i < rows; i += LANES) {
            const long k = i + LANES <= rows ? i : rows - LANES;
            turn(from + k * line + j, line, to + j * step + k, step);
        }
    }
}

/* -- forward, and gradient of the input --------------------------------------------------------------------------- */
KERNEL(gather, struct windows w; const float *source; const float *weights; const float *bias; float *to; _Atomic int *failed;) {
    const struct windows *w = &my.w;
    const long width = w->across * LANES, spare = w->beside * w->band * w->wide, size = w->high * w->wide;
    float *image = room(IMAGE, w->direct ? 0 : w->beside * w->image), *out = room(SUMMED, (spare + 1) * width);
    if (!image || !out)
        *my.failed = 1;
    else {
        if (!w->direct) memset(image, 0, w->beside * w->image * sizeof(float));
        ROW(r, w->units) {
            const long group = r % w->groups, y = r / w->groups % w->bands * w->band, n = r / w->groups / w->bands * w->beside;
            const long here = w->n - n < w->beside ? w->n - n : w->beside, rows = w->high - y < w->band ? w->high - y : w->band;
            const float *from = laid(w, my.source, image, n, here, group, y);
            const long limit = ((here - 1) * w->band + rows) * w->wide;
            for (long b = 0; b < w->blocks; b++) {
                const long block = group * w->blocks + b, first = group * w->results + b * width, left = w->results - b * width;
                for (long f = 0; f < w->phases; f++) {
                    const int *at = w->begin + 2 * f;
                    long count = at[2] - at[0];
                    while (count && w->place[at[0] + count - 1] >= limit) count--;
                    sum_up(w->across, from, w->run, w->at + at[0], count, w->far + at[1], at[3] - at[1], my.weights + (block * w->many + at[1]) * width, out,
                           w->place + at[0], (int)spare, my.bias + block * width);
                }
                for (long m = 0; m < here; m++)
                    turned(out + m * w->band * w->wide * width, width, rows * w->wide, left < width ? left : width,
                           my.to + ((n + m) * w->groups * w->results + first) * size + y * w->wide, size);
            }
        }
    }
}

/* Weights and bias as the tiles want them, and the launch. The weight of result c, source s, tap t is at c * to_next + s * to_source + tap[t]. */
static int gathered(struct windows w, const float *source, const float *weights, const float *bias, float *to, long to_next, long to_source, long to_group) {
    const long width = w.across * LANES, all = w.groups * w.blocks * width;
    float *packed = room(WEIGHTS, all * (w.many + 1)), *added = packed + all * w.many;
    _Atomic int failed = !packed;
    if (!failed) {
        memset(added, 0, all * sizeof(float));
        float *p = packed;
        for (long block = 0; block < w.groups * w.blocks; block++) {
            const long group = block / w.blocks, first = block % w.blocks * width, left = w.results - first, here = left < width ? left : width;
            const float *from = weights + group * to_group + first * to_next;
            if (bias) memcpy(added + block * width, bias + group * w.results + first, here * sizeof(float));
            if (here < width) memset(p, 0, w.many * width * sizeof(float));
            if (w.phases == 1 && to_next == w.many) {
                turned(from, to_next, here, w.many, p, width);
                p += w.many * width;
                continue;
            }
            for (long f = 0; f < w.phases; f++) {
                const long first_tap = w.begin[2 * f + 1] / w.sources, last_tap = w.begin[2 * f + 3] / w.sources;
                for (long s = 0; s < w.sources; s++)
                    for (long t = first_tap; t < last_tap; t++, p += width)
                        for (long c = 0; c < here; c++) p[c] = from[c * to_next + s * to_source + w.tap[t]];
            }
        }
        LAUNCH(gather, w.units, 1 + (1 << 16) / (1 + w.beside * w.results * w.many * w.band * w.wide / w.phases), w, source, packed, added, to, &failed);
    }
    return failed;
}

/* -- gradient of the weight --------------------------------------------------------------------------------------- */
KERNEL(weigh, struct windows w; const float *x; const float *dy; float *sums; long pieces; const int *row; const int *place; _Atomic int *failed;) {
    const struct windows *w = &my.w;
    const long width = w->across * LANES, size = w->high * w->wide, block = (w->many + 1) * width, all = w->groups * w->blocks * block;
    float *image = room(IMAGE, w->direct ? 0 : w->beside * w->image), *slopes = room(SUMMED, w->beside * w->band * w->wide * width);
    if (!image || !slopes)
        *my.failed = 1;
    else {
        if (!w->direct) memset(image, 0, w->beside * w->image * sizeof(float));
        memset(slopes, 0, w->beside * w->band * w->wide * width * sizeof(float));
        ROW(piece, my.pieces) {
            memset(my.sums + piece * all, 0, all * sizeof(float));
            for (long r = piece * w->units / my.pieces; r < (piece + 1) * w->units / my.pieces; r++) {
                const long group = r % w->groups, y = r / w->groups % w->bands * w->band, n = r / w->groups / w->bands * w->beside;
                const long here = w->n - n < w->beside ? w->n - n : w->beside, rows = w->high - y < w->band ? w->high - y : w->band;
                const float *from = laid(w, my.x, image, n, here, group, y);
                for (long b = 0; b < w->blocks; b++) {
                    const long first = group * w->results + b * width, left = w->results - b * width;
                    for (long m = 0; m < here; m++)
                        turned(my.dy + ((n + m) * w->groups * w->results + first) * size + y * w->wide, size, left < width ? left : width, rows * w->wide,
                               slopes + m * w->band * w->wide * width, width);
                    sum_up(w->across, from, w->sources % RUN ? 0 : w->plane, my.row, w->many, w->at, ((here - 1) * w->band + rows) * w->wide, slopes,
                           my.sums + piece * all + (group * w->blocks + b) * block, my.place, (int)w->many, NULL);
                }
            }
        }
    }
}

static int weighed(struct windows w, const float *x, const float *dy, float *dw) {
    const long width = w.across * LANES, block = (w.many + 1) * width, all = w.groups * w.blocks * block;
    long pieces = w.units < PIECES ? w.units : PIECES; /* whose sums are added in order, whoever made them */
    while (pieces > 2 && pieces * all > LARGE) pieces--;
    float *sums = room(TOTALS, pieces * all);
    int *row = malloc(2 * w.many * sizeof(int)), *place = row + w.many;
    _Atomic int failed = !sums || !row;
    if (!failed) {
        const long taps = w.many / w.sources;
        for (long i = 0; i < w.many; i++) place[i] = (int)(i % w.sources * taps + i / w.sources), row[i] = w.far[place[i]]; /* in runs of channels */
        LAUNCH(weigh, pieces, 1, w, x, dy, sums, pieces, row, place, &failed);
        for (long piece = 1; piece < pieces && !failed; piece++)
            for (long i = 0; i < all; i++) sums[i] += sums[piece * all + i];
        for (long i = 0; i < w.groups * w.blocks && !failed; i++) {
            const long first = i % w.blocks * width, left = w.results - first;
            turned(sums + i * block, width, w.many, left < width ? left : width, dw + (i / w.blocks * w.results + first) * w.many, w.many);
        }
    }
    free(row);
    return failed;
}

/* -- tables ------------------------------------------------------------------------------------------------------- */
/* Sizes of units, and room for tables. Of one band, result row y sees source rows from (y + shift) / each * step on, up to `reach` further. */
static int sized(struct windows *w, long shift, long reach, long columns, long taps) {
    const long vectors = up(w->results, LANES);
    w->blocks = up(vectors, SPANS), w->across = up(vectors, w->blocks), w->many = w->sources * taps;
    const long most = CHUNK / (w->across * LANES), band = up(most, w->wide * w->each) * w->each;
    w->band = band < w->high ? band : w->high;
    w->bands = up(w->high, w->band);
    w->rows = (w->band - 1 + shift) / w->each * w->step + reach + 1;
    w->direct = w->top == 0 && w->left == 0 && columns <= w->w && (w->high - 1 + shift) / w->each * w->step + reach < w->h;
    w->columns = w->direct ? w->w : columns;
    w->plane = w->direct ? w->h * w->w : w->rows * columns;
    w->image = w->plane * w->sources * (w->direct ? w->groups : 1);
    w->beside = w->bands > 1 ? 1 : most / (w->band * w->wide);
    while (w->beside > 1 && (w->beside * w->plane * w->sources > LAID || w->beside > up(w->n, PIECES))) w->beside--;
    if (w->beside < 1) w->beside = 1;
    w->units = w->groups * w->bands * up(w->n, w->beside);
    const long places = w->beside * w->band * w->wide;
    if (w->beside * w->image > INT32_MAX / 2 || w->many > INT32_MAX / 2) return 0;
    w->at = malloc((2 * places + w->many + taps + 2 * (w->phases + 1)) * sizeof(int));
    if (!w->at) return 0;
    w->place = w->at + places, w->far = w->place + places, w->begin = w->far + w->many, w->tap = w->begin + 2 * (w->phases + 1);
    return 1;
}

/* A signal stands upright: bands are made of rows. */
static struct geometry upright(const struct geometry *g) {
    if (g->h > 1 || g->kh > 1 || g->oh > 1 || g->ph) return *g;
    return (struct geometry){g->n, g->c, g->w, 1, g->o, g->ow, 1, g->kw, 1, g->sw, 1, g->pw, 0, g->dw, 1, g->groups};
}

/* Windows of the input, as the forward pass and the gradient of the weight see them. */
static int forward_windows(struct windows *w, const struct geometry *images) {
    const struct geometry stands = upright(images), *g = &stands;
    const long taps = g->kh * g->kw;
    *w = (struct windows){.n = g->n, .groups = g->groups, .sources = g->c / g->groups, .results = g->o / g->groups, .h = g->h, .w = g->w, .high = g->oh,
                          .wide = g->ow, .step = g->sh, .each = 1, .top = -g->ph, .left = -g->pw, .phases = 1};
    if (!sized(w, 0, (g->kh - 1) * g->dh, (g->ow - 1) * g->sw + (g->kw - 1) * g->dw + 1, taps)) return 0;
    long p = 0;
    for (long m = 0; m < w->beside; m++)
        for (long y = 0; y < w->band; y++)
            for (long x = 0; x < w->wide; x++, p++) w->at[p] = (int)(m * w->image + y * g->sh * w->columns + x * g->sw), w->place[p] = (int)p;
    for (long i = 0; i < w->many; i++) {
        const long t = i % taps;
        w->far[i] = (int)(i / taps * w->plane + t / g->kw * g->dh * w->columns + t % g->kw * g->dw);
        if (i < taps) w->tap[i] = (int)i;
    }
    w->run = g->ow % RUN == 0 ? g->sw : g->ow == 1 && (w->beside == 1 || g->oh % RUN == 0) ? g->sh * w->columns : 0;
    w->begin[0] = w->begin[1] = 0, w->begin[2] = (int)p, w->begin[3] = (int)w->many;
    return 1;
}

/* Windows of the output's gradient: phase (a, b) makes the pixels at a and b, modulo the stride, of the padded input. */
static int backward_windows(struct windows *w, const struct geometry *images) {
    const struct geometry stands = upright(images), *g = &stands;
    const long above = (g->kh - 1) * g->dh / g->sh, left = (g->kw - 1) * g->dw / g->sw, top = floored(g->ph, g->sh), first = floored(g->pw, g->sw);
    const long ph = g->ph - top * g->sh, pw = g->pw - first * g->sw;
    *w = (struct windows){.n = g->n, .groups = g->groups, .sources = g->o / g->groups, .results = g->c / g->groups, .h = g->oh, .w = g->ow, .high = g->h,
                          .wide = g->w, .step = 1, .each = g->sh, .top = top - above, .left = first - left, .phases = g->sh * g->sw};
    if (!sized(w, ph, above, (g->w - 1 + pw) / g->sw + left + 1, g->kh * g->kw)) return 0;
    int p = 0, k = 0, t = 0;
    w->run = g->w % (RUN * g->sw) == 0 ? 1 : g->w == 1 && g->sw == 1 && (w->beside == 1 || g->h % (RUN * g->sh) == 0) ? w->columns : 0;
    for (long f = 0; f < w->phases; f++) {
        const long a = f / g->sw, b = f % g->sw, from = t;
        w->begin[2 * f] = p, w->begin[2 * f + 1] = k;
        for (long m = 0; m < w->beside; m++)
            for (long y = (a - ph + g->sh) % g->sh; y < w->band; y += g->sh)
                for (long x = (b - pw + g->sw) % g->sw; x < w->wide; x += g->sw, p++) {
                    w->at[p] = (int)(m * w->image + (y + ph) / g->sh * w->columns + (x + pw) / g->sw);
                    w->place[p] = (int)((m * w->band + y) * w->wide + x);
                }
        for (long u = 0; u < g->kh; u++)
            for (long v = 0; v < g->kw; v++)
                if (u * g->dh % g->sh == a && v * g->dw % g->sw == b) w->tap[t++] = (int)(u * g->kw + v);
        for (long s = 0; s < w->sources; s++)
            for (long i = from; i < t; i++, k++) {
                const long u = w->tap[i] / g->kw * g->dh / g->sh, v = w->tap[i] % g->kw * g->dw / g->sw;
                w->far[k] = (int)(s * w->plane + (above - u) * w->columns + left - v);
            }
    }
    w->begin[2 * w->phases] = p, w->begin[2 * w->phases + 1] = k;
    return 1;
}
