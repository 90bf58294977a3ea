/* The product of two matrices of float32, y = a b: what BLAS does, on all the lanes that the processor has.

   The right matrix is packed into panels as wide as a few vectors, row after row without gaps, zeros beyond its last column. A tile of
   rows x span vectors of y stays in registers while k runs; the left matrix is read where it lies, one number at a time for all lanes.
   Which of the two is packed is free, as y' = b' a': it is the one that costs less, and tiles of y' are turned when they are written.

   Every number of y is a sum of pieces of DEEP products each, in order, whatever the tile, the part, or which matrix was packed.

   Source: the tiles are those of Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008. */
#include <stdlib.h>

#if defined(__AVX512F__)
enum { VECTOR = 64, SUMS = 24, SPANS = 4 };
#elif defined(__AVX2__)
enum { VECTOR = 32, SUMS = 12, SPANS = 2 };
#else
enum { VECTOR = 16, SUMS = 24, SPANS = 4 };
#endif
enum { LANES = VECTOR / 4, WIDE = SPANS * LANES, ROWS = 12, DEEP = 192, DEEPEST = 2048 };
typedef float vector __attribute__((vector_size(VECTOR), aligned(4)));
typedef int32_t lanes __attribute__((vector_size(VECTOR)));

/* Number (i, j) is at[i * row + j * column]. */
struct matrix {
    const float *at;
    long row, column;
};

/* y (m, n), its rows `line` apart, = a (m, k) b (k, n), plus bias (n) if there is one, plus what is in y if `add`. Where it is turned, y
   is written as (n, m) and the bias is (m). */
struct product {
    long m, n, k;
    struct matrix a, b;
    float *y;
    long line;
    const float *bias;
    int add, turned;
};

static inline long up(long a, long b) { return (a + b - 1) / b; }

/* Room for n numbers, kept by a thread for its next call, as fresh memory costs more than what is computed in it. */
struct room {
    float *place;
    long size;
};
static float *room_of(struct room *kept, long n) {
    if (n > kept->size) {
        void *p = NULL;
        free(kept->place);
        kept->place = posix_memalign(&p, 64, (size_t)n * sizeof(float)) ? NULL : p;
        kept->size = kept->place ? n : 0;
    }
    return kept->place;
}

static float *panel_room(long n) {
    static _Thread_local struct room kept;
    return room_of(&kept, n);
}

/* -- packing ------------------------------------------------------------------------------------------------------ */
#if defined(__clang__)
#define SHUFFLED(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLED(a, b, ...) __builtin_shuffle(a, b, (lanes){__VA_ARGS__})
#endif
/* LANES x LANES numbers, rows `line` apart, turned. */
#if defined(__AVX512F__)
/* Within quarters of vectors first, then quarters as wholes, for which processors have quicker instructions than for any order. */
#define PAIR(to, at, a, b, LOWER, UPPER) to[at] = SHUFFLED(a, b, LOWER), to[(at) + 1] = SHUFFLED(a, b, UPPER)
#define ONES_LOW 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29
#define ONES_HIGH 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31
#define TWOS_LOW 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define TWOS_HIGH 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define HALVES_LOW 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HALVES_HIGH 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define QUARTERS_EVEN 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27
#define QUARTERS_ODD 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31
static inline __attribute__((always_inline)) void turn(const float *from, long line, float *to, long step) {
    vector v[16], w[16];
    for (int i = 0; i < 16; i++) v[i] = *(const vector *)(from + i * line);
    for (int i = 0; i < 16; i += 2) PAIR(w, i, v[i], v[i + 1], ONES_LOW, ONES_HIGH);
    for (int i = 0; i < 16; i += 4)
        for (int h = 0; h < 2; h++) PAIR(v, i + 2 * h, w[i + h], w[i + h + 2], TWOS_LOW, TWOS_HIGH);
    for (int c = 0; c < 4; c++)
        for (int h = 0; h < 2; h++) PAIR(w, 4 * c + 2 * h, v[8 * h + c], v[8 * h + c + 4], HALVES_LOW, HALVES_HIGH);
    for (int c = 0; c < 4; c++)
        for (int h = 0; h < 2; h++) {
            *(vector *)(to + (8 * h + c) * step) = SHUFFLED(w[4 * c + h], w[4 * c + h + 2], QUARTERS_EVEN);
            *(vector *)(to + (8 * h + c + 4) * step) = SHUFFLED(w[4 * c + h], w[4 * c + h + 2], QUARTERS_ODD);
        }
}
#else
#if defined(__AVX2__)
#define LOWER 0, 8, 1, 9, 2, 10, 3, 11
#define UPPER 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOWER 0, 4, 1, 5
#define UPPER 2, 6, 3, 7
#endif
/* Each round deals two halves into one another, as with a pack of cards. */
static inline __attribute__((always_inline)) void turn(const float *from, long line, float *to, long step) {
    vector v[LANES], next[LANES];
    for (int i = 0; i < LANES; i++) v[i] = *(const vector *)(from + i * line);
    for (int round = 1; round < LANES; round *= 2) {
        for (int i = 0; i < LANES / 2; i++) {
            next[2 * i] = SHUFFLED(v[i], v[i + LANES / 2], LOWER);
            next[2 * i + 1] = SHUFFLED(v[i], v[i + LANES / 2], UPPER);
        }
        memcpy(v, next, sizeof v);
    }
    for (int i = 0; i < LANES; i++) *(vector *)(to + i * step) = v[i];
}
#endif

/* Rows that are so many vectors: a number that the compiler knows, or it calls memmove for each. */
static inline __attribute__((always_inline)) void copied(struct matrix b, long k, float *restrict to, long width, const int span) {
    for (long i = 0; i < k; i++)
        for (int v = 0; v < span; v++) *(vector *)(to + i * width + v * LANES) = *(const vector *)(b.at + i * b.row + v * LANES);
}

/* Rows of n columns of b, k of them, `width` apart, with zeros up to there. */
static void pack(struct matrix b, long k, long n, float *restrict to, long width) {
    long j = 0;
    if (b.column == 1 && n == WIDE)
        copied(b, k, to, width, SPANS);
    else if (b.column == 1 && n == 2 * LANES)
        copied(b, k, to, width, 2);
    else if (b.row == 1) {
        for (; j + LANES <= n; j += LANES) {
            long i = 0;
            for (; i + LANES <= k; i += LANES) turn(b.at + j * b.column + i, b.column, to + i * width + j, width);
            for (; i < k; i++)
                for (long l = j; l < j + LANES; l++) to[i * width + l] = b.at[i + l * b.column];
        }
        for (; j < n; j++)
            for (long i = 0; i < k; i++) to[i * width + j] = b.at[i + j * b.column];
    } else if (b.column == 1)
        for (long i = 0; i < k; i++) {
            for (j = 0; j + LANES <= n; j += LANES) *(vector *)(to + i * width + j) = *(const vector *)(b.at + i * b.row + j);
            for (; j < n; j++) to[i * width + j] = b.at[i * b.row + j];
        }
    else
        for (long i = 0; i < k; i++)
            for (j = 0; j < n; j++) to[i * width + j] = b.at[i * b.row + j * b.column];
    for (long i = 0; i < k && n < width; i++)
        for (j = n; j < width; j++) to[i * width + j] = 0;
}

/* -- tiles -------------------------------------------------------------------------------------------------------- */
static inline __attribute__((always_inline)) void tile_of(const int rows, const int span, long k, struct matrix a, const float *restrict b,
                                                          float *restrict y, long line, int add, const float *bias) {
    const float *restrict left = a.at;
    vector sum[ROWS][SPANS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < span; v++) sum[r][v] = (vector){0};
    for (long i = 0; i < k; i++, left += a.column, b += span * LANES) {
        vector here[SPANS];
        for (int v = 0; v < span; v++) here[v] = *(const vector *)(b + v * LANES);
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < span; v++) sum[r][v] += left[r * a.row] * here[v];
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < span; v++) {
            vector *to = (vector *)(y + r * line + v * LANES);
            *to = add ? *to + sum[r][v] : bias ? *(const vector *)(bias + v * LANES) + sum[r][v] : sum[r][v];
        }
}

/* As many rows as there are registers for, and 5, 4, 2 and 1 for those that are left. */
typedef void tile(long k, struct matrix a, const float *b, float *y, long line, int add, const float *bias);
#define TILE(rows, span)                                                                                                          \
    static void tile_##rows##_##span(long k, struct matrix a, const float *b, float *y, long line, int add, const float *bias) { \
        tile_of(rows, span, k, a, b, y, line, add, bias);                                                                         \
    }
#define TILES(full, span) TILE(full, span) TILE(5, span) TILE(4, span) TILE(2, span) TILE(1, span)
#define NAMES(full, span) {tile_##full##_##span, tile_5_##span, tile_4_##span, tile_2_##span, tile_1_##span}
#if defined(__AVX2__) && !defined(__AVX512F__)
TILES(12, 1) TILES(6, 2)
static tile *const fitting[SPANS][5] = {NAMES(12, 1), NAMES(6, 2)};
#else
TILES(12, 1) TILES(12, 2) TILES(8, 3) TILES(6, 4)
static tile *const fitting[SPANS][5] = {NAMES(12, 1), NAMES(12, 2), NAMES(8, 3), NAMES(6, 4)};
#endif

/* How many rows a full tile has that is `span` vectors wide. */
static inline long tall(long span) { return SUMS / span < ROWS ? SUMS / span : ROWS; }

/* The next tile where so many rows are left. Low tiles wait for what was packed: 5 + 5 rows are done sooner than 6 + 4. */
static inline int next_tile(long left, long full) {
    if (full == 6 && up(left, up(left, full)) == 5) return 1;
    return left >= full ? 0 : left >= 4 ? 2 : left >= 2 ? 3 : 4;
}

/* Rows i .. of a panel, some of them, which were not written to y at once: as y is turned, or has fewer columns than the vectors. */
static void settle(const struct product *p, const float *kept, long width, long i, long rows, long j, long n, const float *bias, int add) {
    const long square = p->turned ? rows / LANES * LANES : 0;
    for (long c = 0; c < n && square; c += LANES)
        for (long r = 0; r < square; r += LANES) {
            float turned[LANES * LANES];
            turn(kept + r * width + c, width, turned, LANES);
            for (long l = 0; l < LANES && c + l < n; l++) {
                vector *to = (vector *)(p->y + (j + c + l) * p->line + i + r), sum = *(const vector *)(turned + l * LANES);
                if (bias) sum += *(const vector *)(bias + i + r);
                *to = add ? *to + sum : sum;
            }
        }
    for (long r = square; r < rows; r++) {
        const long step = p->turned ? p->line : 1;
        float *y = p->turned ? p->y + j * p->line + i + r : p->y + (i + r) * p->line + j;
        for (long c = 0; c < n; c++) {
            const float s = bias ? kept[r * width + c] + bias[p->turned ? i + r : j + c] : kept[r * width + c];
            y[c * step] = add ? y[c * step] + s : s;
        }
    }
}

/* Rows from .. end of y in one panel: n columns from j on. k is the part from `first` on that is packed. */
static void strip(const struct product *p, long from, long end, long j, long n, const float *packed, long first, long k) {
    enum { KEPT = 48 };
    const long span = up(n, LANES), width = span * LANES, full = tall(span);
    const float *bias = first ? NULL : p->bias;
    const int add = p->add || first, direct = !p->turned && n == width;
    _Alignas(64) float kept[KEPT * WIDE];
    /* Where k leads through memory in leaps, all rows take a piece before the next one, so that what they share of it stays in cache. */
    const long piece = p->a.column != 1 ? DEEP : k, some = direct ? end - from : KEPT;
    for (long top = from; top < end; top += some) {
        const long bottom = end - top < some ? end : top + some;
        for (long part = 0; part < k; part += piece)
            for (long i = top, rows; i < bottom; i += rows) {
                const long left = bottom - i, stop = k - part < piece ? k : part + piece;
                const int which = next_tile(left, full), heights[] = {full, 5, 4, 2, 1};
                rows = heights[which];
                float *to = direct ? p->y + i * p->line + j : kept + (i - top) * width;
                for (long d = part; d < stop; d += DEEP) {
                    const struct matrix a = {p->a.at + i * p->a.row + (first + d) * p->a.column, p->a.row, p->a.column};
                    const long deep = stop - d < DEEP ? stop - d : DEEP;
                    fitting[span - 1][which](deep, a, packed + d * width, to, direct ? p->line : width, d || (direct && add),
                                             direct && bias ? bias + j : NULL);
                }
            }
        if (!direct) settle(p, kept, width, top, bottom - top, j, n, bias, add);
    }
}

/* -- a right matrix that is packed once and multiplied many times -------------------------------------------------- */
/* How many numbers pack_all writes. */
static inline long packed_size(long k, long n) { return k * up(n, LANES) * LANES; }

/* All panels of b, one after the other. */
static inline void pack_all(struct matrix b, long k, long n, float *to) {
    for (long j = 0; j < n; j += WIDE) {
        const long wide = n - j < WIDE ? n - j : WIDE;
        pack((struct matrix){b.at + j * b.column, b.row, b.column}, k, wide, to + j * k, up(wide, LANES) * LANES);
    }
}

/* Rows from .. end of y; of the right matrix there is only what pack_all made. */
static inline void multiply_packed(const struct product *p, long from, long end, const float *packed) {
    for (long j = 0; j < p->n; j += WIDE) strip(p, from, end, j, p->n - j < WIDE ? p->n - j : WIDE, packed + j * p->k, 0, p->k);
}

/* -- whole products ----------------------------------------------------------------------------------------------- */
/* What it costs, in instructions on vectors: to pack the right matrix, to read the left one across its rows, to multiply, to write. */
static double cost(const struct product *p) {
    const double each = p->b.column == 1 ? 0.1 : p->b.row == 1 ? 0.15 : 1, wide = (double)up(p->n, LANES);
    const double across = p->a.column == 1 ? 0 : 0.2 * p->m * p->k;
    return (double)p->n * p->k * each + across + p->m * wide * p->k * 0.5 + (p->turned ? 0.5 * p->m * p->n : 0);
}

/* The same product, or its transpose where that costs less. */
static struct product cheaper(struct product p) {
    struct product q = {p.n, p.m, p.k, {p.b.at, p.b.column, p.b.row}, {p.a.at, p.a.column, p.a.row}, p.y, p.line, p.bias, p.add, !p.turned};
    return cost(&q) < cost(&p) ? q : p;
}

/* Rows from .. end of y, in columns left .. right, which begin at a panel; by one thread. Says whether there was no room. */
static int block(const struct product *p, long from, long end, long left, long right) {
    for (long first = 0; first < p->k; first += DEEPEST) {
        const long k = p->k - first < DEEPEST ? p->k - first : DEEPEST;
        float *room = panel_room(k * WIDE);
        if (!room) return 1;
        for (long j = left; j < right; j += WIDE) {
            const long n = right - j < WIDE ? right - j : WIDE;
            pack((struct matrix){p->b.at + j * p->b.column + first * p->b.row, p->b.row, p->b.column}, k, n, room, up(n, LANES) * LANES);
            strip(p, from, end, j, n, room, first, k);
        }
    }
    return 0;
}

/* -- shared out among threads --------------------------------------------------------------------------------------- */
enum { WORK = 1 << 19 }; /* multiplications for which a second thread pays */

/* Where the matrices of many products begin, three offsets each; one product has none. */
KERNEL(multiply, struct product p; long count; const long *at; long rows; long columns; _Atomic int *failed;) {
    const long down = up(my.p.m, my.rows), across = up(my.p.n, my.columns), all = my.count * down * across;
    ROW(u, all) {
        const long which = u / (down * across), i = u % down * my.rows, j = u / down % across * my.columns;
        struct product p = my.p;
        if (my.at) { /* a's first, unless it is b that stands on the left */
            const long *at = my.at + 3 * which;
            p.a.at += at[p.turned], p.b.at += at[!p.turned], p.y += at[2];
        }
        if (block(&p, i, i + my.rows < p.m ? i + my.rows : p.m, j, j + my.columns < p.n ? j + my.columns : p.n)) *my.failed = 1;
    }
}

/* Each part takes blocks of y, with as few of them as keep all threads at work, since each packs its own panels. */
static int multiplied(struct product p, long count, const long *at) {
    const double work = (double)p.m * p.n * p.k * count;
    p = cheaper(p);
    const long wanted = work < 2 * WORK ? 1 : up(4 * threads, count), panels = up(p.n, WIDE);
    const long across = panels < wanted ? panels : wanted, columns = up(panels, across) * WIDE, full = tall(SPANS);
    const long rows = up(up(p.m, up(wanted, across)), full) * full, blocks = up(p.n, columns) * up(p.m, rows) * count;
    _Atomic int failed = 0;
    LAUNCH(multiply, blocks, 1 + (long)(WORK * (double)blocks / work), p, count, at, rows, columns, &failed);
    return failed ? REFUSED : DONE;
}
