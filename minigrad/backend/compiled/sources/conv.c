/* Convolution and its two gradients, float32, directly: no matrix of columns is made. Headers say how: lanes of vectors hold either
   channels of the result or, where it has few, positions; usual kernels of 3 x 3 are transformed, which takes fewer multiplications. A
   kernel as large as the image makes a product of matrices. */
#include "kernel.h"
#include "gemm.h"

/* Images (n, c, h, w), kernels (o, c / groups, kh, kw), results (n, o, oh, ow). */
struct geometry {
    long n, c, h, w, o, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw, groups;
};

enum { PART = 128 }; /* products that are added one after the other */

/* Room for n numbers, kept by the thread for its next call, as fresh memory costs more than what is computed in it. */
enum { IMAGE, SUMMED, WEIGHTS, TOTALS, ROOMS };
static float *room(int which, long n) {
    static _Thread_local struct room kept[ROOMS];
    return room_of(&kept[which], n + 64);
}

#include "channels.h"
#include "positions.h"
#include "winograd.h"
#include "winograd_weights.h"

/* -- which of the ways -------------------------------------------------------------------------------------------- */
static int by_channels(long results) { return results >= LANES / 2; }

/* Whether the kernel sees the whole image, once: then each convolution is a product of matrices, of rows of all pixels. */
static int is_whole(const struct geometry *g) {
    return g->oh == 1 && g->ow == 1 && g->kh == g->h && g->kw == g->w && (g->kh == 1 || g->dh == 1) && (g->kw == 1 || g->dw == 1) && !g->ph && !g->pw &&
           g->groups == 1;
}

static struct matrix rows_of(const float *at, long row) { return (struct matrix){at, row, 1}; }
static struct matrix columns_of(const float *at, long column) { return (struct matrix){at, 1, column}; }

static int convolve_windows(struct geometry g, const float *x, const float *w, const float *bias, float *y) {
    const long taps = g.kh * g.kw, channels = g.c / g.groups;
    struct windows windows;
    if (!forward_windows(&windows, &g)) return 1;
    const int failed = gathered(windows, x, w, bias, y, channels * taps, taps, g.o / g.groups * channels * taps);
    free(windows.at);
    return failed;
}

static int convolve_back_windows(struct geometry g, const float *dy, const float *w, const float *bias, float *dx) {
    const long taps = g.kh * g.kw, channels = g.c / g.groups;
    struct windows windows;
    if (!backward_windows(&windows, &g)) return 1;
    const int failed = gathered(windows, dy, w, bias, dx, taps, channels * taps, g.o / g.groups * channels * taps);
    free(windows.at);
    return failed;
}

static int correlate_windows(struct geometry g, const float *x, const float *dy, float *dw) {
    struct windows windows;
    if (!forward_windows(&windows, &g)) return 1;
    const int failed = weighed(windows, x, dy, dw);
    free(windows.at);
    return failed;
}

static int convolve(struct geometry g, const float *x, const float *w, const float *bias, float *y) {
    const long pixels = g.c * g.h * g.w;
    if (is_whole(&g)) return multiplied((struct product){g.n, g.o, pixels, rows_of(x, pixels), columns_of(w, pixels), y, g.o, bias, 0, 0}, 1, NULL);
    if (!by_channels(g.o / g.groups)) return convolve_positions(g, x, w, bias, y);
    return by_squares(&g, g.oh, g.ow) ? convolve_squares(g, x, w, bias, y, convolve_windows) : convolve_windows(g, x, w, bias, y);
}

static int convolve_back(struct geometry g, const float *dy, const float *w, const float *bias, float *dx) {
    const long taps = g.kh * g.kw, channels = g.c / g.groups, pixels = g.c * g.h * g.w;
    if (is_whole(&g)) {
        float *each = bias ? room(WEIGHTS, pixels) : NULL;
        if (bias && !each) return 1;
        for (long i = 0; bias && i < pixels; i++) each[i] = bias[i / taps];
        return multiplied((struct product){g.n, pixels, g.o, rows_of(dy, g.o), rows_of(w, pixels), dx, pixels, each, 0, 0}, 1, NULL);
    }
    if (!by_channels(channels)) return convolve_back_positions(g, dy, w, bias, dx);
    if (!pays(g.h * g.w, g.oh * g.ow * g.sh * g.sw)) return 1;
    return by_squares(&g, g.h, g.w) ? convolve_back_squares(g, dy, w, bias, dx, convolve_back_windows) : convolve_back_windows(g, dy, w, bias, dx);
}

static int correlate(struct geometry g, const float *x, const float *dy, float *dw) {
    const long pixels = g.c * g.h * g.w;
    _Atomic int bad = 0;
    if (is_whole(&g)) return multiplied((struct product){g.o, pixels, g.n, columns_of(dy, g.o), rows_of(x, pixels), dw, pixels, NULL, 0, 0}, 1, NULL);
    if (!by_channels(g.o / g.groups)) return correlate_positions(g, x, dy, dw);
    if (by_squares_in_all(&g)) {
        const int failed = correlate_squares(g, x, dy, dw, &bad);
        if (failed || !bad) return failed;
    }
    return correlate_windows(g, x, dy, dw);
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
/* The three are derivatives of one product, and one number of the result is what it should be; all numbers are small integers. */
static int agree(long channels, long outs) {
    enum { H = 5, W = 7, OH = 3, OW = 4, MOST = 2 * LANES };
    const struct geometry g = {2, channels, H, W, outs, OH, OW, 3, 2, 2, 2, 1, 1, 1, 1, 1};
    static float x[2 * MOST * H * W], w[MOST * MOST * 3 * 2], dy[2 * MOST * OH * OW], bias[MOST];
    static float y[2 * MOST * OH * OW], dx[2 * MOST * H * W], dw[MOST * MOST * 3 * 2];
    const long pixels = 2 * channels * H * W, weights = outs * channels * 3 * 2, results = 2 * outs * OH * OW;
    double left = 0, right = 0, across = 0, want = 0;
    for (long i = 0; i < pixels; i++) x[i] = (float)(i * 7 % 11 - 5);
    for (long i = 0; i < weights; i++) w[i] = (float)(i * 5 % 7 - 3);
    for (long i = 0; i < results; i++) dy[i] = (float)(i * 3 % 5 - 2);
    for (long i = 0; i < outs; i++) bias[i] = (float)(i + 1);
    if (convolve(g, x, w, NULL, y) || convolve_back(g, dy, w, NULL, dx) || correlate(g, x, dy, dw)) return 0;
    for (long i = 0; i < results; i++) left += (double)y[i] * dy[i];
    for (long i = 0; i < pixels; i++) right += (double)dx[i] * x[i];
    for (long i = 0; i < weights; i++) across += (double)dw[i] * w[i];
    for (long c = 0; c < channels; c++)
        for (long u = 0; u < 3; u++)
            for (long v = 0; v < 2; v++) want += (double)w[(c * 3 + u) * 2 + v] * x[(c * H + 2 - 1 + u) * W + 2 - 1 + v];
    return left == right && left == across && left != 0 && y[OW + 1] == want && !convolve(g, x, w, bias, y) && y[OW + 1] == want + 1;
}

/* Fewer multiplications give the same: these numbers are multiples of a quarter, and none is rounded. */
static int agree_squares(void) {
    enum { C = 16, O = 17, H = 5, W = 6 };
    const struct geometry g = {2, C, H, W, O, H, W, 3, 3, 1, 1, 1, 1, 1, 1, 1};
    static float x[2 * C * H * W], w[O * C * 9], dy[2 * O * H * W], y[2][2 * O * H * W], dx[2][2 * C * H * W], dw[2][O * C * 9];
    _Atomic int bad = 0;
    for (long i = 0; i < 2 * C * H * W; i++) x[i] = (float)(i * 7 % 11 - 5);
    for (long i = 0; i < O * C * 9; i++) w[i] = (float)(i * 5 % 7 - 3);
    for (long i = 0; i < 2 * O * H * W; i++) dy[i] = (float)(i * 3 % 5 - 2);
    if (convolve_windows(g, x, w, NULL, y[0]) || convolve_squares(g, x, w, NULL, y[1], convolve_windows)) return 0;
    if (convolve_back_windows(g, dy, w, NULL, dx[0]) || convolve_back_squares(g, dy, w, NULL, dx[1], convolve_back_windows)) return 0;
    if (correlate_windows(g, x, dy, dw[0]) || correlate_squares(g, x, dy, dw[1], &bad) || bad) return 0;
    int same = 1; /* a zero may be negative */
    for (long i = 0; i < 2 * O * H * W; i++) same &= y[0][i] == y[1][i];
    for (long i = 0; i < 2 * C * H * W; i++) same &= dx[0][i] == dx[1][i];
    for (long i = 0; i < O * C * 9; i++) same &= dw[0][i] == dw[1][i];
    return same;
}

ENTRY(self_test)(void) {
    return agree(2, 3) && agree(LANES + 1, 1) && agree(1, LANES + 1) && agree(LANES, 2 * LANES) && agree_squares() ? DONE : REFUSED;
}
