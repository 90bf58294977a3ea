/* Recurrent nets over whole sequences, float32. Sequences are independent: each thread takes some of them through all steps, and waits
   for no other. The weights are packed once for all steps, and what lies between two products is done to rows that are still in cache. */
#include <math.h>

#include "kernel.h"
#include "gemm.h"
#include "maths.h"
#include "cells.h"
#include "steps.h"
#include "slopes.h"

/* -- the plain net ------------------------------------------------------------------------------------------------ */
KERNEL(rnn_forth, walk over; input in; const float *w, *h0; float *y, *room; long n, relu;) {
    const long n = my.n;
    long line;
    SHARE(first, last);
    STEPS(s) BLOCKS(from, end, first, lesser(last, s->count)) {
        const float *u = arguments(&my.over, s, from, end, &my.in, my.y, my.h0, n, my.w, n, my.room + part * BLOCK * n, &line);
        for (long r = from; r < end; r++, u += line) {
            rnn_row(u, my.y + now(&my.over, s, r) * n, my.relu, n);
            fetch(&my.over, s, r, my.y, n);
        }
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
KERNEL(lstm_forth, walk over; input in; const float *w, *v, *h0, *c0; float *gates, *y, *c, *made, *room; long n, width;) {
    const long n = my.n;
    long line;
    SHARE(first, last);
    STEPS(s) BLOCKS(from, end, first, lesser(last, s->count)) {
        const float *u = arguments(&my.over, s, from, end, &my.in, my.y, my.h0, my.width, my.w, 4 * n, my.room + part * BLOCK * 4 * n, &line);
        for (long r = from; r < end; r++, u += line) {
            const long at = now(&my.over, s, r) * n;
            lstm_row(u, my.gates + 4 * at, past(&my.over, s, r, my.c, my.c0, n), my.c + at, my.v ? my.made + r * n : my.y + at, n);
            fetch(&my.over, s, r, my.gates, 4 * n);
            fetch(&my.over, s, r, my.c, n);
            fetch(&my.over, s, r, my.y, my.width);
            if (my.in.packed && my.in.p.a.row == my.in.p.k) fetch(&my.over, s, r, my.in.p.a.at, my.in.p.k);
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
KERNEL(gru_forth, walk over; input in; const float *w, *v, *bias, *h0; float *gates, *inner, *y, *room; long n;) {
    const long n = my.n;
    long line;
    SHARE(first, last);
    STEPS(s) BLOCKS(from, end, first, lesser(last, s->count)) {
        const float *u = arguments(&my.over, s, from, end, &my.in, my.y, my.h0, n, my.w, 2 * n, my.room + part * BLOCK * 3 * n, &line);
        forth(&my.over, s, from, end, my.y, my.h0, my.v, my.inner, n, my.bias);
        for (long r = from; r < end; r++, u += line) {
            const long at = now(&my.over, s, r) * n;
            gru_row(u, my.gates + 3 * at, my.inner + at, past(&my.over, s, r, my.y, my.h0, n), my.y + at, n);
            fetch(&my.over, s, r, my.gates, 3 * n);
            fetch(&my.over, s, r, my.inner, n);
            fetch(&my.over, s, r, my.y, n);
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
/* The product of x, rows of any layout, with a weight (n, inside), plus a bias if that is not x itself. */
static int takes(input *in, const array *x, const array *w, const array *bias, long all, long n) {
    if (!is(x, FLOAT32) || x->axes != 2 || x->shape[0] != all || x->shape[1] < 1 || !fits(w, n, x->shape[1])) return 0;
    if (bias != x && (!is_ordered(bias, FLOAT32) || bias->axes != 1 || bias->shape[0] != n)) return 0;
    const struct matrix rows = {F32(x), x->strides[0] / 4, x->strides[1] / 4};
    in->p = (struct product){all, n, x->shape[1], rows, {0}, NULL, n, bias == x ? NULL : F32(bias), 0, 0};
    return 1;
}

static void prepare(input *in, const walk *over, const array *w, float *y, float **room) {
    in->p.y = y;
    in->packed = packed(transposed(F32(w), in->p.k), in->p.k, in->p.n, room);
    if (stepwise(over)) return;
    at_once(in);
    in->packed = NULL;
}

#define GIVEN(o, absent) ((o) == (absent) ? NULL : F32(o))

ENTRY(rnn_walk)(array *x, array *w_x, array *bias, array *w, array *h0, array *y, array *table, long apart, long relu) {
    walk over;
    input in;
    if (!is_matrix(y) || !leads(&over, table, apart, h0, y->shape[0])) return REFUSED;
    const long all = y->shape[0], n = y->shape[1];
    if (!takes(&in, x, w_x, bias, all, n) || !to_write(y, all, n) || !fits(w, n, n) || !fits(h0, over.rows, n)) return REFUSED;
    const long parts = parts_of(&over, n, n);
    ROOM(room, packed_size(in.p.k, n) + packed_size(n, n) + parts * BLOCK * n);
    prepare(&in, &over, w_x, F32(y), &room);
    const float *weight = packed(transposed(F32(w), n), n, n, &room);
    LAUNCH(rnn_forth, parts, 1, over, in, weight, F32(h0), F32(y), room, n, relu);
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
ENTRY(lstm_walk)(array *x, array *w_x, array *bias, array *w, array *v, array *h0, array *c0, array *gates, array *y, array *c, array *table,
                 long apart) {
    walk over;
    input in;
    if (!is_matrix(y) || !is_matrix(c) || !leads(&over, table, apart, h0, y->shape[0])) return REFUSED;
    const long all = y->shape[0], width = y->shape[1], n = c->shape[1];
    if (!to_write(gates, all, 4 * n) || !to_write(y, all, width) || !to_write(c, all, n) || !fits(w, 4 * n, width)) return REFUSED;
    if (!fits(h0, over.rows, width) || !fits(c0, over.rows, n) || (v == w ? width != n : !fits(v, width, n))) return REFUSED;
    if (!takes(&in, x, w_x, bias, all, 4 * n)) return REFUSED;
    const long parts = parts_of(&over, width, 4 * n), blocks = parts * BLOCK * 4 * n;
    ROOM(room, packed_size(in.p.k, 4 * n) + packed_size(width, 4 * n) + blocks + (v == w ? 0 : packed_size(n, width) + over.rows * n));
    prepare(&in, &over, w_x, F32(gates), &room);
    const float *weight = packed(transposed(F32(w), width), width, 4 * n, &room);
    const float *projection = v == w ? NULL : packed(transposed(F32(v), n), n, width, &room);
    LAUNCH(lstm_forth, parts, 1, over, in, weight, projection, F32(h0), F32(c0), F32(gates), F32(y), F32(c), room + blocks, room, n, width);
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
    LAUNCH(lstm_walk_back, parts_of(&over, 4 * n, width), 1, over, weight, projection, F32(gates), F32(c), F32(c0), GIVEN(g, gates),
           F32(slopes), F32(back), F32(back_c), F32(projected), room, n, width);
    return DONE;
}

ENTRY(gru_walk)(array *x, array *w_x, array *bias, array *w, array *inner_bias, array *h0, array *gates, array *inner, array *y, array *table,
                long apart) {
    walk over;
    input in;
    if (!is_matrix(y) || !leads(&over, table, apart, h0, y->shape[0])) return REFUSED;
    const long all = y->shape[0], n = y->shape[1];
    if (!to_write(gates, all, 3 * n) || !to_write(inner, all, n) || !to_write(y, all, n) || !fits(w, 3 * n, n)) return REFUSED;
    if (!fits(h0, over.rows, n) || !is_ordered(inner_bias, FLOAT32) || inner_bias->axes != 1 || inner_bias->shape[0] != n) return REFUSED;
    if (!takes(&in, x, w_x, bias, all, 3 * n)) return REFUSED;
    const long parts = parts_of(&over, n, 3 * n);
    ROOM(room, packed_size(in.p.k, 3 * n) + packed_size(n, 2 * n) + packed_size(n, n) + parts * BLOCK * 3 * n);
    prepare(&in, &over, w_x, F32(gates), &room);
    const float *two = packed(transposed(F32(w), n), n, 2 * n, &room), *last = packed(transposed(F32(w) + 2 * n * n, n), n, n, &room);
    LAUNCH(gru_forth, parts, 1, over, in, two, last, F32(inner_bias), F32(h0), F32(gates), F32(inner), F32(y), room, n);
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
    LAUNCH(gru_walk_back, parts_of(&over, 3 * n, n), 1, over, weight, F32(gates), F32(inner), F32(y), F32(h0), GIVEN(g, y), F32(slopes),
           F32(back), n);
    return DONE;
}

/* The states' part, from `column` on, and for x that is not the slopes themselves its part and the sums of all columns. */
ENTRY(weight_slopes)(array *slopes, array *x, array *states, array *first, array *of_x, array *of_h, array *sums, array *table, long apart,
                     long column) {
    walk over;
    if (!is_matrix(slopes) || !is_matrix(states) || !is_matrix(of_h) || !leads(&over, table, apart, first, states->shape[0])) return REFUSED;
    const long k = states->shape[0], width = states->shape[1], lead = slopes->shape[1], m = of_h->shape[0], both = x != slopes;
    if (!fits(slopes, k, lead) || column < 0 || column + m > lead || !to_write(of_h, m, width) || !fits(first, over.rows, width)) return REFUSED;
    if (both) {
        if (!is(x, FLOAT32) || x->axes != 2 || x->shape[0] != k || x->shape[1] < 1 || !to_write(of_x, m, x->shape[1])) return REFUSED;
        if (!is_ordered(sums, FLOAT32) || sums->axes != 1 || sums->shape[0] != lead || column + m != lead || !(sums->flags & WRITEABLE)) return REFUSED;
    }
    if (reached(&over, over.rows) != k) return REFUSED;
    const float **before = malloc((size_t)k * sizeof *before);
    if (!before) return REFUSED;
    for (const struct step *s = over.steps; s < over.steps + over.length; s++)
        for (long r = 0; r < s->count; r++) before[now(&over, s, r)] = past(&over, s, r, F32(states), F32(first), width);
    const long inside = both ? x->shape[1] : 0, panels = up(inside, WIDE) + up(width, WIDE), full = tall(SPANS);
    const long most = (double)m * (width + inside) * k < 2 * WORK ? 1 : threads, blocks = lesser(most, up(m, 128));
    const long groups = lesser(panels, up(most, blocks)), rows = up(up(m, blocks), full) * full;
    const struct matrix of = {both ? F32(x) : NULL, both ? x->strides[0] / 4 : 0, both ? x->strides[1] / 4 : 0};
    _Atomic int failed = 0;
    LAUNCH(weights, groups * up(m, rows), 1, F32(slopes), lead, column, of, inside, before, width,
           both ? F32(of_x) : NULL, F32(of_h), both ? F32(sums) : NULL, m, k, rows, groups, &failed);
    free(before);
    return failed ? REFUSED : DONE;
}

/* -- before the library is used for the first time, in a process of its own --------------------------------------- */
/* The plain net on whole numbers, which are exact; three sequences, of which one ends early. */
ENTRY(self_test)(void) {
    enum { n = 71, ROOMY = n * (WIDE + n) };
    static const struct step steps[3] = {{0, 3, 0, 0}, {3, 3, 0, 3}, {6, 2, 3, 2}};
    static float w[n * n], x[8 * n], y[8 * n], g[8 * n], h[3 * n], d[3 * n], s[8 * n], back[3 * n], room[2 * ROOMY + 2 * BLOCK * n];
    const walk over = {steps, 3, 1, 3};
    float *to = room;
    for (int i = 0; i < n * n; i++) w[i] = (float)(i * 7 % 11 % 3 - 1);
    for (int i = 0; i < 8 * n; i++) x[i] = (float)(i * 5 % 13 - 6), g[i] = (float)(i * 3 % 7 - 3);
    for (int i = 0; i < 3 * n; i++) h[i] = (float)(i % 5 - 2), d[i] = back[i] = (float)(i % 3 - 1);
    const float *across = packed(transposed(w, n), n, n, &to), *down = packed(plain(w, n), n, n, &to);
    const input in = {{8, n, n, {x, n, 1}, {0}, y, n, NULL, 0, 0}, across};
    LAUNCH(rnn_forth, 2, 1, over, in, across, h, y, to, n, 1);
    LAUNCH(rnn_walk_back, 2, 1, over, down, y, g, s, back, n, 1);
    for (const struct step *t = steps; t < steps + 3; t++)
        for (long r = 0; r < t->count; r++)
            for (int j = 0; j < n; j++) {
                float sum = 0;
                for (int i = 0; i < n; i++) sum += w[j * n + i] * (x[(t->at + r) * n + i] + past(&over, t, r, y, h, n)[i]);
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
