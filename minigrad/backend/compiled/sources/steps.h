/* The steps of recurrent nets: how they are shared out, and their products of matrices.

   What is there for each step of each sequence lies in matrices of as many rows. A table says of each step, in the order in which they
   are taken: the row of its first sequence, how many sequences reach it, and the same of the step before it, as far as they have one;
   all other sequences begin with the states that are given. The rows of neighbouring sequences are `apart` rows from one another. */
struct step { int64_t at, count, before, met; };
typedef struct {
    const struct step *steps;
    long length, apart, rows; /* steps, sequences */
} walk;

enum { BLOCK = 48 }; /* sequences whose gates are in cache together */

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
#define BLOCKS(from, end, first, last) \
    for (long from = first, end; from < last && (end = lesser(from + BLOCK, last)); from = end)
#define STEPS_BACK(s) for (const struct step *s = my.over.steps + my.over.length; s-- > my.over.steps;)

/* Rows of n numbers, of one sequence in this step and of the same in the step before. */
static inline long now(const walk *w, const struct step *s, long r) { return s->at + r * w->apart; }
static inline const float *past(const walk *w, const struct step *s, long r, const float *states, const float *first, long n) {
    return r < s->met ? states + (s->before + r * w->apart) * n : first + r * n;
}

/* What the next step, if there is one, will read or write of row r, n numbers: it comes nearer while a product is computed. */
static inline void fetch(const walk *w, const struct step *s, long r, const float *a, long n) {
    if (++s == w->steps + w->length || r >= s->count) return;
    for (long j = 0; j < n; j += 16) __builtin_prefetch(a + now(w, s, r) * n + j);
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

/* -- products ----------------------------------------------------------------------------------------------------- */
/* What x gives to the arguments of all steps: y = x times what was packed, plus a bias. A walk computes the rows of a step when it takes
   it, so that they need not come back into cache, if steps have rows enough for whole tiles; otherwise they are all computed beforehand. */
typedef struct {
    struct product p;
    const float *packed;
} input;

/* The arguments of the gates of a step, in rows from .. end: what x gives to all, and to the first `taken` of them what the states before
   give, `width` numbers each. They come to lie in `room`, in cache and not `apart`; or in y, where x has given its part beforehand.
   Returns row `from`; `line`, how far it is to the next. */
static float *arguments(const walk *w, const struct step *s, long from, long end, const input *in, const float *states, const float *first,
                        long width, const float *packed, long taken, float *room, long *line) {
    const long n = in->p.n, k = in->p.k, apart = w->apart, met = s->met < from ? from : lesser(s->met, end);
    const struct matrix rows = {in->p.a.at + now(w, s, from) * in->p.a.row, apart * in->p.a.row, in->p.a.column};
    float *y = in->packed ? room : in->p.y + now(w, s, from) * n;
    *line = in->packed ? n : apart * n;
    const struct product x = {0, n, k, rows, {0}, y, *line, in->p.bias, 0, 0};
    const struct product h = {0, taken, width, {states + (s->before + from * apart) * width, apart * width, 1}, {0}, y, *line, NULL, 1, 0};
    const struct product start = {0, taken, width, {first + met * width, width, 1}, {0}, y + (met - from) * *line, *line, NULL, 1, 0};
    for (long j = 0; j < n; j += WIDE) {
        if (in->packed) strip(&x, 0, end - from, j, lesser(WIDE, n - j), in->packed + j * k, 0, k);
        if (j >= taken) continue;
        strip(&h, 0, met - from, j, lesser(WIDE, taken - j), packed + j * width, 0, width);
        strip(&start, 0, end - met, j, lesser(WIDE, taken - j), packed + j * width, 0, width);
    }
    return y;
}

/* y, n numbers a row: the states before times what was packed (n, n), plus a bias. */
static void forth(const walk *w, const struct step *s, long from, long end, const float *states, const float *first, const float *packed,
                  float *y, long n, const float *bias) {
    const long met = s->met < from ? from : lesser(s->met, end), line = w->apart * n;
    struct product p = {0, n, n, {states + s->before * n, line, 1}, {0}, y + s->at * n, line, bias, 0, 0};
    multiply_packed(&p, from, met, packed);
    p.a = (struct matrix){first, n, 1};
    multiply_packed(&p, met, end, packed);
}

/* back, n numbers a row: the slopes (k, in rows of `line`) times what was packed. */
static void flow_back(const walk *w, const struct step *s, long from, long end, const float *slopes, long line, long k,
                      const float *packed, float *back, long n, int add) {
    multiply_packed(&(struct product){0, n, k, {slopes + s->at * line, w->apart * line, 1}, {0}, back, n, NULL, add, 0}, from, end, packed);
}

KERNEL(all_rows, struct product p; const float *packed;) {
    multiply_packed(&my.p, edge(my.p.m, ROWS, part, parts), edge(my.p.m, ROWS, part + 1, parts), my.packed);
}

static inline int stepwise(const walk *w) { return reached(w, w->rows) >= 16 * w->length; }

static void at_once(const input *of) {
    const struct product *p = &of->p;
    LAUNCH(all_rows, up(p->m, ROWS), 1 + (long)((double)WORK / ROWS / p->k / p->n), *p, of->packed);
}
