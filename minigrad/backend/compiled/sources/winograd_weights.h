/* Gradients of 3 x 3 weights in fewer multiplications, as winograd.h says: for each point a sum over tiles, of V, which is made of the source,
   and of Z, which is made of the output's gradient. */

/* Z of tiles from .. from + count of a unit; of the output's gradient there are pixels with their channels side by side. */
static void points_of_slopes(const struct squares *t, const struct unit *u, const float *pixels, long from, long count, float *to, long apart) {
    const long step = t->broad * LANES, line = t->wide * step;
    const vector zero = {0};
    for (long i = from, run; i < from + count; i += run) {
        const long x = i % t->across, y = i / t->across % u->rows, image = i / t->across / u->rows;
        const int below = 2 * (u->y + y) + 1 < t->high;
        run = t->across - x < from + count - i ? t->across - x : from + count - i;
        for (long s = 0; s < t->broad; s++) {
            const float *here = pixels + ((image * 2 * t->band + 2 * y) * t->wide + 2 * x) * step + s * LANES;
            float *p = to + s * t->block * LANES + (i - from) * LANES;
            for (long k = 0; k < run; k++, here += 2 * step, p += LANES) {
                const int beside = 2 * (x + k) + 1 < t->wide;
                const vector a = *(const vector *)here, b = beside ? *(const vector *)(here + step) : zero;
                const vector c = below ? *(const vector *)(here + line) : zero;
                const vector d = below && beside ? *(const vector *)(here + line + step) : zero;
                const vector left[4] = {a, a + c, a - c, -c}, right[4] = {b, b + d, b - d, -d};
                for (int j = 0; j < 4; j++) {
                    float *q = p + 4 * j * apart;
                    *(vector *)q = left[j];
                    *(vector *)(q + apart) = left[j] + right[j];
                    *(vector *)(q + 2 * apart) = left[j] - right[j];
                    *(vector *)(q + 3 * apart) = -right[j];
                }
            }
        }
    }
}

enum { PANEL = 2 }; /* vectors of the result */

/* Sums over `count` tiles, of some channels of the source and of the result, added to what is there. */
static inline __attribute__((always_inline)) void meet_of(const int rows, const int span, const float *v, const float *z, long count, long line,
                                                          float *to) {
    vector sum[LANES][PANEL];
    for (int r = 0; r < rows; r++)
        for (int s = 0; s < span; s++) sum[r][s] = (vector){0};
    for (long k = 0; k < count; k++, v += LANES, z += LANES) {
        vector here[PANEL];
        for (int s = 0; s < span; s++) here[s] = *(const vector *)(z + s * line);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
            for (int s = 0; s < span; s++) sum[r][s] += v[r] * here[s];
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
        for (int s = 0; s < span; s++) *(vector *)(to + (r * span + s) * LANES) += sum[r][s];
}

/* Of few vectors, so that there are registers for many channels of the source. */
enum { MEET_1 = LANES > 8 ? 16 : LANES, MEET_2 = LANES > 8 ? 8 : 4 };
static void meet_1(const float *v, const float *z, long count, long line, float *to) { meet_of(MEET_1, 1, v, z, count, line, to); }
static void meet_2(const float *v, const float *z, long count, long line, float *to) { meet_of(MEET_2, 2, v, z, count, line, to); }

/* Sums of a panel at all points, as [point][source][result]. */
static void meet_points(const struct squares *t, long span, long count, const float *v, long v_apart, const float *z, long z_apart, float *to) {
    const int rows = span == 1 ? MEET_1 : MEET_2;
    for (int p = 0; p < POINTS; p++, v += v_apart, z += z_apart)
        for (long c = 0; c < t->deep * LANES; c += rows, to += rows * span * LANES)
            if (c < t->sources) (span == 1 ? meet_1 : meet_2)(v + c / LANES * t->block * LANES + c % LANES, z, count, t->block * LANES, to);
}

KERNEL(meet_tiles, struct squares t; const float *x; const float *dy; float *sums; long pieces; _Atomic int *failed;) {
    const struct squares *t = &my.t;
    const long size = t->high * t->wide, v_apart = (t->deep * t->block + 1) * LANES, z_apart = (t->broad * t->block + 1) * LANES;
    const long laid = (1 + t->beside * t->rows) * t->w * t->deep * LANES, made = t->beside * 2 * t->band * t->wide * t->broad * LANES;
    const long all = POINTS * t->deep * LANES * t->broad * LANES;
    float *pixels = room(IMAGE, laid), *slopes = room(SUMMED, made + POINTS * (v_apart + z_apart)), *v = slopes + made, *z = v + POINTS * v_apart;
    if (!pixels || !slopes)
        *my.failed = 1;
    else {
        memset(pixels, 0, laid * sizeof(float));
        memset(slopes, 0, made * sizeof(float));
        ROW(piece, my.pieces) {
            memset(my.sums + piece * all, 0, all * sizeof(float));
            for (long which = piece * t->units / my.pieces; which < (piece + 1) * t->units / my.pieces; which++) {
                const struct unit u = unit_of(t, which);
                const long left = t->high - 2 * u.y, rows = left < 2 * u.rows ? left : 2 * u.rows;
                pixels_of(t, &u, my.x, pixels);
                for (long k = 0; k < u.here; k++)
                    turned(my.dy + (u.n + k) * t->results * size + 2 * u.y * t->wide, size, t->results, rows * t->wide,
                           slopes + k * 2 * t->band * t->wide * t->broad * LANES, t->broad * LANES);
                for (long i = 0; i < u.tiles; i += t->block) {
                    const long count = u.tiles - i < t->block ? u.tiles - i : t->block;
                    points_of(t, &u, pixels, i, count, v, v_apart);
                    points_of_slopes(t, &u, slopes, i, count, z, z_apart);
                    for (long b = 0; b < t->broad; b += PANEL)
                        meet_points(t, t->broad - b < PANEL ? t->broad - b : PANEL, count, v, v_apart, z + b * t->block * LANES, z_apart,
                                    my.sums + piece * all + b * LANES * POINTS * t->deep * LANES);
                }
            }
        }
    }
}

/* dw of LANES channels of the source and a panel of the result at a time: pieces are added in order, whoever made them. */
KERNEL(gather_weights, struct squares t; float *sums; float *dw; long pieces; _Atomic int *bad;) {
    const struct squares *t = &my.t;
    const long all = POINTS * t->deep * LANES * t->broad * LANES;
    ROW(r, t->deep * up(t->broad, PANEL)) {
        const long c = r % t->deep * LANES, b = r / t->deep * PANEL, span = t->broad - b < PANEL ? t->broad - b : PANEL, width = span * LANES;
        const long sources = t->sources - c < LANES ? t->sources - c : LANES, results = t->results - b * LANES;
        _Alignas(64) float w[9 * LANES * PANEL * LANES];
        vector zero = {0};
        for (long k = 0; k < sources; k++)
            for (long s = 0; s < span; s++) {
                const float *from = my.sums + b * LANES * POINTS * t->deep * LANES + (c + k) * width + s * LANES;
                vector point[POINTS], row[3][4];
                for (int p = 0; p < POINTS; p++) {
                    const float *here = from + p * t->deep * LANES * width;
                    point[p] = *(const vector *)here;
                    for (long piece = 1; piece < my.pieces; piece++) point[p] += *(const vector *)(here + piece * all);
                }
                for (int j = 0; j < 4; j++) {
                    const vector h = 0.5f * (point[4 + j] + point[8 + j]);
                    row[0][j] = point[j] + h, row[1][j] = 0.5f * (point[4 + j] - point[8 + j]), row[2][j] = h + point[12 + j];
                }
                for (int i = 0; i < 3; i++) {
                    const vector h = 0.5f * (row[i][1] + row[i][2]), tap[3] = {row[i][0] + h, 0.5f * (row[i][1] - row[i][2]), h + row[i][3]};
                    for (int j = 0; j < 3; j++) *(vector *)(w + (9 * k + 3 * i + j) * width + s * LANES) = tap[j], zero += tap[j] * 0;
                }
            }
        if (total(zero) != 0) *my.bad = 1;
        turned(w, width, 9 * sources, results < width ? results : width, my.dw + (b * LANES * t->sources + c) * 9, t->sources * 9);
    }
}

/* Says by `bad` that there are numbers that are not finite. */
static int correlate_squares(struct geometry g, const float *x, const float *dy, float *dw, _Atomic int *bad) {
    const long block = FEW * within((1 << 20) / (FEW * POINTS * (g.c + g.o)), 1, 4); /* the more, the less often sums are fetched */
    const struct squares t = squares_of(g.n, g.c, g.h, g.w, g.o, g.oh, g.ow, -g.ph, -g.pw, block);
    const long all = POINTS * t.deep * LANES * t.broad * LANES, panels = t.deep * up(t.broad, PANEL);
    long pieces = within(t.n * t.down * t.across / 128, 1, t.units < PIECES ? t.units : PIECES);
    while (pieces > 2 && pieces * all > LARGE) pieces--;
    float *sums = room(TOTALS, pieces * all);
    _Atomic int failed = !sums;
    if (!failed) LAUNCH(meet_tiles, pieces, 1, t, x, dy, sums, pieces, &failed);
    if (!failed) LAUNCH(gather_weights, panels, 1 + (1 << 18) / (all / panels * pieces), t, sums, dw, pieces, bad);
    return failed;
}

/* Where it pays: a gradient of weights is a sum over images, so their number may count. */
static int by_squares_in_all(const struct geometry *g) {
    return by_squares(g, g->oh, g->ow) && g->n * up(g->oh, 2) * up(g->ow, 2) >= g->c * g->o >> 12;
}
