/* Recurrent nets over whole sequences, float32. Sequences are independent: each thread takes some of them through all steps, and waits
   for no other. The weights are packed once for all steps, and what lies between two products is done to rows that are still in cache.

   What is there for each step of each sequence lies in matrices of as many rows. A table says of each step, in the order in which they
   are taken: the row of its first sequence, how many sequences reach it, and the same of the step before it, as far as they have one;
   all other sequences begin with the states that are given. The rows of neighbouring sequences are `apart` rows from one another. */
#include <limits.h>
#include <math.h>

#include "kernel.h"
#include "gemm.h"
#include "maths.h"
#include "cells.h"

struct step { int64_t at, count, before, met; };
typedef struct {
    const struct step *steps;
    long length, apart, rows; /* steps, sequences */
} walk;

static inline long lesser(long a, long b) { return a < b ? a : b; }

/* -- sharing out -------------------------------------------------------------------------------------------------- */
/* How many steps the first r sequences have together. */
static long reached(const walk *w, long r) {
    long sum = 0;
    for (long t = 0; t < w->length; t++) sum += lesser(r, w->steps[t].count);
    return sum;
}

/* The sequence at which a part begins: all parts have as many steps to take, as nearly as can be. */
static long share(const walk *w, long part, long parts) {
    const double before = (double)reached(w, w->rows) * part / parts;
    long low = 0, high = w->rows;
    while (low < high) {
        const long middle = (low + high) / 2;
        if (reached(w, middle) < before)
            low = middle + 1;
        else
            high = middle;
    }
    return part == parts ? w->rows : low;
}

static inline long parts_of(const walk *w, long k, long n) {
    return (double)reached(w, w->rows) * k * n < 2 * WORK ? 1 : lesser(threads, w->rows);
}

/* Of each step, in the order in which they are taken or backwards: the sequences from .. end of this part; `at`, their first row. */
#define SHARE(from, last) const long from = share(&my.over, part, parts), last = share(&my.over, part + 1, parts)
#define STEPS(s) for (const struct step *s = my.over.steps; s < my.over.steps + my.over.length; s++)
#define STEPS_BACK(s) for (const struct step *s = my.over.steps + my.over.length; s-- > my.over.steps;)

/* Rows of n numbers, of one sequence in this step and of the same in the step before. */
static inline long now(const walk *w, const struct step *s, long r) { return s->at + r * w->apart; }
static inline const float *past(const walk *w, const struct step *s, long r, const float *states, const float *first, long n) {
    return r < s->met ? states + (s->before + r * w->apart) * n : first + r * n;
}

/* y, n numbers a row, `line` apart: the states before (width) times what was packed, plus a bias or what is there already. */
static void forth(const walk *w, const struct step *s, long from, long end, const float *states, const float *first, long width,
                  const float *packed, float *y, long line, long n, const float *bias) {
    const long met = s->met < from ? from : lesser(s->met, end), apart = w->apart;
    struct product p = {0, n, width, {states + s->before * width, apart * width, 1}, {0}, y + s->at * line, apart * line, bias, !bias, 0};
    multiply_packed(&p, from, met, packed);
    p.a = (struct matrix){first, width, 1};
    multiply_packed(&p, met, end, packed);
}

/* back, n numbers a row: the slopes (k, in rows of `line`) times what was packed. */
static void flow_back(const walk *w, const struct step *s, long from, long end, const float *slopes, long line, long k,
                      const float *packed, float *back, long n, int add) {
    multiply_packed(&(struct product){0, n, k, {slopes + s->at * line, w->apart * line, 1}, {0}, back, n, NULL, add, 0}, from, end, packed);
}

/* -- packing ------------------------------------------------------------------------------------------------------ */
KERNEL(pack_panels, struct matrix b; long k, n; float *to;) {
    ROW(i, up(my.n, WIDE)) {
        const long j = i * WIDE;
        pack_all((struct matrix){my.b.at + j * my.b.column, my.b.row, my.b.column}, my.k, lesser(WIDE, my.n - j), my.to + j * my.k);
    }
}

/* Packs the matrix into *room and moves that on. */
static const float *packed(struct matrix b, long k, long n, float **room) {
    float *to = *room;
    const long panels = up(n, WIDE);
    LAUNCH(pack_panels, panels, 1 + (1 << 17) * panels / (k * n + 1), b, k, n, to);
    *room += packed_size(k, n);
    return to;
}

/* A weight of n rows and k columns: as it is, which takes n numbers to k, and its transpose. */
static struct matrix plain(const float *w, long k) { return (struct matrix){w, k, 1}; }
static struct matrix transposed(const float *w, long k) { return (struct matrix){w, 1, k}; }

/* -- the plain net ------------------------------------------------------------------------------------------------ */
KERNEL(rnn_forth, walk over; const float *w, *h0; float *y; long n, relu;) {
    SHARE(from, last);
    STEPS(s) {
        const long end = lesser(last, s->count);
        forth(&my.over, s, from, end, my.y, my.h0, my.n, my.w, my.y, my.n, my.n, NULL);
        for (long r = from; r < end; r++) rnn_row(my.y + now(&my.over, s, r) * my.n, my.relu, my.n);
    }
}

KERNEL(rnn_walk_back, walk over; const float *w, *y, *g; float *slopes, *back; long n, relu;) {
    SHARE(from, last);
    STEPS_BACK(s) {
        const long end = lesser(last, s->count);
        for (long r = from; r < end; r++) {
            const long at = now(&my.over, s, r) * my.n;
            const float *d = my.back + r * my.n;
            rnn_back(my.slopes + at, my.y + at, d, my.g ? my.g + at : d, my.relu, my.n);
        }
        flow_back(&my.over, s, from, end, my.slopes, my.n, my.n, my.w, my.back, my.n, 0);
    }
}

/* -- LSTM --------------------------------------------------------------------------------------------------------- */
/* With a projection v the output, of `width` numbers, is what the units give times v; `made` has room for that, a row for each sequence. */
KERNEL(lstm_forth, walk over; const float *w, *v, *h0, *c0; float *gates, *y, *c, *made; long n, width;) {
    const long n = my.n;
    SHARE(from, last);
    STEPS(s) {
        const long end = lesser(last, s->count);
        forth(&my.over, s, from, end, my.y, my.h0, my.width, my.w, my.gates, 4 * n, 4 * n, NULL);
        for (long r = from; r < end; r++) {
            const long at = now(&my.over, s, r) * n;
            lstm_row(my.gates + 4 * at, past(&my.over, s, r, my.c, my.c0, n), my.c + at, my.v ? my.made + r * n : my.y + at, n);
        }
        if (my.v) {
            const struct product p = {0, my.width, n, {my.made, n, 1}, {0}, my.y + s->at * my.width, my.over.apart * my.width, NULL, 0, 0};
            multiply_packed(&p, from, end, my.v);
        }
    }
}

KERNEL(lstm_walk_back, walk over; const float *w, *v, *gates, *c, *c0, *g; float *slopes, *back, *back_c, *projected, *made; long n, width;) {
    const long n = my.n, width = my.width;
    SHARE(from, last);
    STEPS_BACK(s) {
        const long end = lesser(last, s->count);
        if (my.v) {
            for (long r = from; r < end; r++) {
                const long at = now(&my.over, s, r) * width;
                for (long j = 0; j < width; j++) my.projected[at + j] = my.g ? my.back[r * width + j] + my.g[at + j] : my.back[r * width + j];
            }
            flow_back(&my.over, s, from, end, my.projected, width, width, my.v, my.made, n, 0);
        }
        for (long r = from; r < end; r++) {
            const long at = now(&my.over, s, r) * n;
            const float *d = (my.v ? my.made : my.back) + r * n, *before = past(&my.over, s, r, my.c, my.c0, n);
            lstm_back(my.slopes + 4 * at, my.gates + 4 * at, my.c + at, before, d, my.v || !my.g ? d : my.g + at, my.back_c + r * n, n);
        }
        flow_back(&my.over, s, from, end, my.slopes, 4 * n, 4 * n, my.w, my.back, width, 0);
    }
}

/* -- GRU ---------------------------------------------------------------------------------------------------------- */
KERNEL(gru_forth, walk over; const float *w, *v, *bias, *h0; float *gates, *inner, *y; long n;) {
    const long n = my.n;
    SHARE(from, last);
    STEPS(s) {
        const long end = lesser(last, s->count);
        forth(&my.over, s, from, end, my.y, my.h0, n, my.w, my.gates, 3 * n, 2 * n, NULL);
        forth(&my.over, s, from, end, my.y, my.h0, n, my.v, my.inner, n, n, my.bias);
        for (long r = from; r < end; r++) {
            const long at = now(&my.over, s, r) * n;
            gru_row(my.gates + 3 * at, my.inner + at, past(&my.over, s, r, my.y, my.h0, n), my.y + at, n);
        }
    }
}

KERNEL(gru_walk_back, walk over; const float *w, *gates, *inner, *y, *h0, *g; float *slopes, *back; long n;) {
    const long n = my.n;
    SHARE(from, last);
    STEPS_BACK(s) {
        const long end = lesser(last, s->count);
        for (long r = from; r < end; r++) {
            const long at = now(&my.over, s, r) * n;
            float *d = my.back + r * n;
            gru_back(my.slopes + 4 * at, my.gates + 3 * at, my.inner + at, past(&my.over, s, r, my.y, my.h0, n), d, my.g ? my.g + at : d, n);
        }
        flow_back(&my.over, s, from, end, my.slopes + n, 4 * n, 3 * n, my.w, my.back, n, 1);
    }
}

/* -- the gradient of a weight ------------------------------------------------------------------------------------- */
/* y (m, width) = the slopes' transpose times the states before, rows of which are gathered where they are packed. */
KERNEL(weight, const float *slopes; long lead; const float *const *before; float *y; long m, width, k, rows; _Atomic int *failed;) {
    const long across = up(my.width, WIDE);
    ROW(u, across * up(my.m, my.rows)) {
        const long j = u % across * WIDE, i = u / across * my.rows, n = lesser(WIDE, my.width - j), room = up(n, LANES) * LANES;
        const struct product p = {my.m, my.width, my.k, {my.slopes, 1, my.lead}, {0}, my.y, my.width, NULL, 0, 0};
        float *to = panel_room(lesser(my.k, DEEPEST) * WIDE);
        if (!to) {
            *my.failed = 1;
            return;
        }
        for (long first = 0; first < my.k; first += DEEPEST) {
            const long k = lesser(my.k - first, DEEPEST);
            for (long l = 0; l < k; l++) {
                const float *from = my.before[first + l] + j;
                if (n == WIDE)
                    memcpy(to + l * WIDE, from, WIDE * sizeof(float));
                else
                    for (long c = 0; c < room; c++) to[l * room + c] = c < n ? from[c] : 0;
            }
            strip(&p, i, lesser(my.m, i + my.rows), j, n, to, first, k);
        }
    }
}

/* -- what Python calls -------------------------------------------------------------------------------------------- */
/* Whether o is k rows of n numbers, one after the other. */
static int fits(const array *o, long k, long n) {
    return is_ordered(o, FLOAT32) && o->axes == 2 && o->shape[0] == k && o->shape[1] == n;
}

static int to_write(const array *o, long k, long n) { return fits(o, k, n) && o->flags & WRITEABLE; }

static int is_matrix(const array *o) { return is_ordered(o, FLOAT32) && o->axes == 2 && o->shape[0] > 0 && o->shape[1] > 0; }

/* Whether the table leads to no other rows than these, with as many sequences as there are first states. */
static int leads(walk *w, const array *table, long apart, const array *first, long rows) {
    if (!is_ordered(table, INT64) || table->axes != 2 || table->shape[1] != 4 || apart < 1 || !is_matrix(first)) return 0;
    *w = (walk){(const struct step *)table->data, table->shape[0], apart, first->shape[0]};
    for (long t = 0; t < w->length; t++) {
        const struct step *s = w->steps + t;
        if (s->count < 1 || s->count > w->rows || s->met < 0 || s->met > s->count || s->at < 0 || s->before < 0) return 0;
        if (s->at + (s->count - 1) * apart >= rows || (s->met && s->before + (s->met - 1) * apart >= rows)) return 0;
    }
    return w->length > 0;
}

/* Room for what is packed and more; or the entry ends. */
#define ROOM(room, numbers)                  \
    float *room = panel_room(numbers);       \
    if (!room) return REFUSED
#define GIVEN(o, absent) ((o) == (absent) ? NULL : F32(o))

ENTRY(rnn_walk)(array *y, array *w, array *h0, array *table, long apart, long relu) {
    walk over;
    if (!is_matrix(y) || !leads(&over, table, apart, h0, y->shape[0])) return REFUSED;
    const long all = y->shape[0], n = y->shape[1];
    if (!to_write(y, all, n) || !fits(w, n, n) || !fits(h0, over.rows, n)) return REFUSED;
    ROOM(room, packed_size(n, n));
    const float *weight = packed(transposed(F32(w), n), n, n, &room);
    LAUNCH(rnn_forth, parts_of(&over, n, n), 1, over, weight, F32(h0), F32(y), n, relu);
    return DONE;
}

/* g, what flows to the outputs: y itself where there is nothing. */
ENTRY(rnn_walk_gradient)(array *slopes, array *y, array *w, array *g, array *back, array *table, long apart, long relu) {
    walk over;
    if (!is_matrix(y) || !leads(&over, table, apart, back, y->shape[0])) return REFUSED;
    const long all = y->shape[0], n = y->shape[1];
    if (!to_write(slopes, all, n) || !fits(w, n, n) || !fits(g, all, n) || !to_write(back, over.rows, n)) return REFUSED;
    ROOM(room, packed_size(n, n));
    const float *weight = packed(plain(F32(w), n), n, n, &room);
    LAUNCH(rnn_walk_back, parts_of(&over, n, n), 1, over, weight, F32(y), GIVEN(g, y), F32(slopes), F32(back), n, relu);
    return DONE;
}

/* v, the projection: w itself where there is none. */
ENTRY(lstm_walk)(array *gates, array *w, array *v, array *h0, array *c0, array *y, array *c, array *table, long apart) {
    walk over;
    if (!is_matrix(y) || !is_matrix(c) || !leads(&over, table, apart, h0, y->shape[0])) return REFUSED;
    const long all = y->shape[0], width = y->shape[1], n = c->shape[1];
    if (!to_write(gates, all, 4 * n) || !to_write(y, all, width) || !to_write(c, all, n) || !fits(w, 4 * n, width)) return REFUSED;
    if (!fits(h0, over.rows, width) || !fits(c0, over.rows, n) || (v == w ? width != n : !fits(v, width, n))) return REFUSED;
    ROOM(room, packed_size(width, 4 * n) + (v == w ? 0 : packed_size(n, width) + over.rows * n));
    const float *weight = packed(transposed(F32(w), width), width, 4 * n, &room);
    const float *projection = v == w ? NULL : packed(transposed(F32(v), n), n, width, &room);
    LAUNCH(lstm_forth, parts_of(&over, width, 4 * n), 1, over, weight, projection, F32(h0), F32(c0), F32(gates), F32(y), F32(c), room, n, width);
    return DONE;
}

/* projected, what flows to the outputs in all: slopes itself where there is no projection. */
ENTRY(lstm_walk_gradient)(array *slopes, array *gates, array *c, array *c0, array *w, array *v, array *g, array *back, array *back_c,
                          array *projected, array *table, long apart) {
    walk over;
    if (!is_matrix(c) || !is_matrix(back) || !leads(&over, table, apart, c0, c->shape[0])) return REFUSED;
    const long all = c->shape[0], width = back->shape[1], n = c->shape[1];
    if (!to_write(slopes, all, 4 * n) || !fits(gates, all, 4 * n) || !fits(c0, over.rows, n) || !fits(w, 4 * n, width)) return REFUSED;
    if ((g != gates && !fits(g, all, width)) || !to_write(back, over.rows, width) || !to_write(back_c, over.rows, n)) return REFUSED;
    if (v == w ? width != n : !fits(v, width, n) || !to_write(projected, all, width)) return REFUSED;
    ROOM(room, packed_size(4 * n, width) + (v == w ? 0 : packed_size(width, n) + over.rows * n));
    const float *weight = packed(plain(F32(w), width), 4 * n, width, &room);
    const float *projection = v == w ? NULL : packed(plain(F32(v), n), width, n, &room);
    LAUNCH(lstm_walk_back, parts_of(&over, 4 * n, width), 1, over, weight, projection, F32(gates), F32(c), F32(c0), GIVEN(g, gates), F32(slopes),
           F32(back), F32(back_c), projection ? F32(projected) : NULL, room, n, width);
    return DONE;
}

/* bias: of what h gives to the last gate. */
ENTRY(gru_walk)(array *gates, array *w, array *bias, array *h0, array *inner, array *y, array *table, long apart) {
    walk over;
    if (!is_matrix(y) || !leads(&over, table, apart, h0, y->shape[0])) return REFUSED;
    const long all = y->shape[0], n = y->shape[1];
    if (!to_write(gates, all, 3 * n) || !to_write(inner, all, n) || !to_write(y, all, n) || !fits(w, 3 * n, n)) return REFUSED;
    if (!fits(h0, over.rows, n) || !is_ordered(bias, FLOAT32) || bias->axes != 1 || bias->shape[0] != n) return REFUSED;
    ROOM(room, packed_size(n, 2 * n) + packed_size(n, n));
    const float *two = packed(transposed(F32(w), n), n, 2 * n, &room), *last = packed(transposed(F32(w) + 2 * n * n, n), n, n, &room);
    LAUNCH(gru_forth, parts_of(&over, n, 3 * n), 1, over, two, last, F32(bias), F32(h0), F32(gates), F32(inner), F32(y), n);
    return DONE;
}

ENTRY(gru_walk_gradient)(array *slopes, array *gates, array *inner, array *y, array *h0, array *w, array *g, array *back, array *table,
                         long apart) {
    walk over;
    if (!is_matrix(y) || !leads(&over, table, apart, h0, y->shape[0])) return REFUSED;
    const long all = y->shape[0], n = y->shape[1];
    if (!to_write(slopes, all, 4 * n) || !fits(gates, all, 3 * n) || !fits(inner, all, n) || !fits(h0, over.rows, n)) return REFUSED;
    if (!fits(w, 3 * n, n) || !fits(g, all, n) || !to_write(back, over.rows, n)) return REFUSED;
    ROOM(room, packed_size(3 * n, n));
    const float *weight = packed(plain(F32(w), n), 3 * n, n, &room);
    LAUNCH(gru_walk_back, parts_of(&over, 3 * n, n), 1, over, weight, F32(gates), F32(inner), F32(y), F32(h0), GIVEN(g, y), F32(slopes), F32(back), n);
    return DONE;
}

/* The slopes are the columns of an array from `column` on, as many as y has rows. */
ENTRY(weight_slope)(array *slopes, array *states, array *first, array *y, array *table, long apart, long column) {
    walk over;
    if (!is_matrix(slopes) || !is_matrix(states) || !is_matrix(y) || !leads(&over, table, apart, first, states->shape[0])) return REFUSED;
    const long k = states->shape[0], width = states->shape[1], lead = slopes->shape[1], m = y->shape[0];
    if (!fits(slopes, k, lead) || column < 0 || column + m > lead || !to_write(y, m, width) || !fits(first, over.rows, width)) return REFUSED;
    if (reached(&over, over.rows) != k) return REFUSED;
    const float **before = malloc((size_t)k * sizeof *before);
    if (!before) return REFUSED;
    for (const struct step *s = over.steps; s < over.steps + over.length; s++)
        for (long r = 0; r < s->count; r++) before[now(&over, s, r)] = past(&over, s, r, F32(states), F32(first), width);
    const double work = (double)m * width * k;
    const long across = up(width, WIDE), wanted = work < 2 * WORK ? 1 : up(4 * threads, across), full = tall(SPANS);
    const long rows = up(up(m, wanted), full) * full;
    _Atomic int failed = 0;
    LAUNCH(weight, across * up(m, rows), wanted > 1 ? 1 : LONG_MAX, F32(slopes) + column, lead, before, F32(y), m, width, k, rows, &failed);
    free(before);
    return failed ? REFUSED : DONE;
}

/* -- before the library is used for the first time, in a process of its own --------------------------------------- */
/* The plain net on whole numbers, which are exact; three sequences, of which one ends early. */
ENTRY(self_test)(void) {
    enum { n = 71, ROOMY = n * (WIDE + n) };
    static const struct step steps[3] = {{0, 3, 0, 0}, {3, 3, 0, 3}, {6, 2, 3, 2}};
    static float w[n * n], x[8 * n], y[8 * n], g[8 * n], h[3 * n], d[3 * n], s[8 * n], back[3 * n], room[2 * ROOMY];
    const walk over = {steps, 3, 1, 3};
    float *to = room;
    for (int i = 0; i < n * n; i++) w[i] = (float)(i * 7 % 11 % 3 - 1);
    for (int i = 0; i < 8 * n; i++) x[i] = y[i] = (float)(i * 5 % 13 - 6), g[i] = (float)(i * 3 % 7 - 3);
    for (int i = 0; i < 3 * n; i++) h[i] = (float)(i % 5 - 2), d[i] = back[i] = (float)(i % 3 - 1);
    const float *across = packed(transposed(w, n), n, n, &to), *down = packed(plain(w, n), n, n, &to);
    LAUNCH(rnn_forth, 2, 1, over, across, h, y, n, 1);
    LAUNCH(rnn_walk_back, 2, 1, over, down, y, g, s, back, n, 1);
    for (const struct step *t = steps; t < steps + 3; t++)
        for (long r = 0; r < t->count; r++)
            for (int j = 0; j < n; j++) {
                float sum = x[(t->at + r) * n + j];
                for (int i = 0; i < n; i++) sum += w[j * n + i] * past(&over, t, r, y, h, n)[i];
                if (y[(t->at + r) * n + j] != (sum > 0 ? sum : 0)) return 10;
            }
    for (const struct step *t = steps + 3; t-- > steps;)
        for (long r = 0; r < t->count; r++) {
            float flow[n] = {0};
            for (long j = 0, at = (t->at + r) * n; j < n; j++, at++) {
                if (s[at] != (y[at] > 0 ? d[r * n + j] + g[at] : 0)) return 11;
                for (int i = 0; i < n; i++) flow[i] += s[at] * w[j * n + i];
            }
            memcpy(d + r * n, flow, sizeof flow);
        }
    return memcmp(back, d, sizeof d) ? 12 : cells_are_wrong();
}
