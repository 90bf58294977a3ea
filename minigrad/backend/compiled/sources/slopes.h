/* -- the gradients of weights and biases --------------------------------------------------------------------------- */
/* The sums of k rows of n numbers, `line` apart, added to those of the rows before, if there are `more`. */
static void add_rows(const float *a, long line, long k, long n, float *sums, int more) {
    long j = 0;
    for (; j + LANES <= n; j += LANES) {
        vector sum = {0};
        for (long l = 0; l < k; l++) sum += *(const vector *)(a + l * line + j);
        *(vector *)(sums + j) = more ? *(vector *)(sums + j) + sum : sum;
    }
    for (; j < n; j++) {
        float sum = 0;
        for (long l = 0; l < k; l++) sum += a[l * line + j];
        sums[j] = more ? sums[j] + sum : sum;
    }
}

/* Rows of a panel, n columns from j on: of x, or of the states before, which are gathered. */
static void gather(const struct matrix *x, const float *const *before, long j, long k, long n, float *to) {
    const long room = up(n, LANES) * LANES;
    if (x)
        pack((struct matrix){x->at + j * x->column, x->row, x->column}, k, n, to, room);
    else
        for (long l = 0; l < k; l++)
            if (n == WIDE)
                memcpy(to + l * WIDE, before[l] + j, WIDE * sizeof(float));
            else
                for (long c = 0; c < room; c++) to[l * room + c] = c < n ? before[l][j + c] : 0;
}

/* of_x (m, inside) = the transpose of the first m columns of the slopes, times x; of_h (m, width) = that of m columns from `column` on, times
   the states before; sums: of all columns. A unit takes some rows of both, and a group of panels. It takes a piece of the steps at a time,
   so that slopes that were summed are still in cache for the products. */
KERNEL(weights, const float *slopes; long lead, column; struct matrix x; long inside; const float *const *before; long width;
       float *of_x, *of_h, *sums; long m, k, rows, groups; _Atomic int *failed;) {
    const long split = my.of_x ? up(my.inside, WIDE) : 0, panels = split + up(my.width, WIDE);
    ROW(u, my.groups * up(my.m, my.rows)) {
        const long group = u % my.groups, i = u / my.groups * my.rows, end = lesser(my.m, i + my.rows);
        const long top = my.column + i > my.m ? my.column + i : my.m;
        float *to = panel_room(DEEP * WIDE);
        if (!to) {
            *my.failed = 1;
            return;
        }
        for (long first = 0; first < my.k; first += DEEP) {
            const long k = lesser(my.k - first, DEEP);
            const float *slopes = my.slopes + first * my.lead;
            if (my.sums && !group) {
                add_rows(slopes + i, my.lead, k, end - i, my.sums + i, first > 0);
                add_rows(slopes + top, my.lead, k, my.column + end - top, my.sums + top, first > 0);
            }
            for (long q = panels * group / my.groups; q < panels * (group + 1) / my.groups; q++) {
                const int input = q < split;
                const long j = (input ? q : q - split) * WIDE, width = input ? my.inside : my.width, n = lesser(WIDE, width - j);
                const struct matrix x = {my.x.at + first * my.x.row, my.x.row, my.x.column}, left = {my.slopes + (input ? 0 : my.column), 1, my.lead};
                gather(input ? &x : NULL, my.before + first, j, k, n, to);
                strip(&(struct product){my.m, width, my.k, left, {0}, input ? my.of_x : my.of_h, width, NULL, 0, 0}, i, end, j, n, to, first, k);
            }
        }
    }
}
