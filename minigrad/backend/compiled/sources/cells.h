/* What a step of a recurrent net does to the n units of one sequence, once the products of matrices are in the arguments of its gates; and
   the way back, from what flows back to the output: d + extra, where extra is not d again. */
#define UNITS _Pragma("omp simd") for (long j = 0; j < n; j++)

/* -- functions of gates ------------------------------------------------------------------------------------------- */
/* 2**(u by) where that has an exponent: infinity from 2**128 on. It is quicker than e**x, whose error is smaller far from 0. */
FUNCTION float two_to(float u, float by) {
    const float big = 12582912.0f + 127; /* the exponent is in the last bits of what is near it */
    float shifted = u * by + big, r = u * by - (shifted - big), q = 0.00132745644f;
    q = q * r + 0.00967196282f;
    q = q * r + 0.0555067882f;
    q = q * r + 0.24022235f;
    q = q * r + 0.693147063f;
    return (q * r + 1.0f) * power(shifted);
}

/* 1/(1 + e**-u), 2 ulp of 1; below -88 it is 0. */
FUNCTION float gate_of(float u) { return 1.0f / (1.0f + two_to(most(least(u, 87.0f), -88.7229f), -1.44269502f)); }

/* tanh, 2 ulp: as tanh_of, with less work. */
FUNCTION float state_of(float x) {
    float a = magnitude(x), z = x * x, e = two_to(least(a, 43.5f), -2.88539004f), far = (1.0f - e) / (1.0f + e);
    return with_sign(a < 0.6f ? a + a * z * tanh_near(z) : far, x);
}

/* -- the plain net ------------------------------------------------------------------------------------------------ */
/* u: the arguments; here and below, results may take their place. */
FUNCTION void rnn_row(const float *u, float *h, long relu, long n) {
    if (relu)
        UNITS h[j] = u[j] <= 0 ? 0 : u[j]; /* NaN is not below 0 */
    else
        UNITS h[j] = state_of(u[j]);
}

FUNCTION void rnn_back(float *restrict s, const float *restrict h, const float *d, const float *extra, long relu, long n) {
    const int more = extra != d;
    if (relu)
        UNITS s[j] = h[j] > 0 ? more ? d[j] + extra[j] : d[j] : 0;
    else
        UNITS s[j] = (more ? d[j] + extra[j] : d[j]) * (1.0f - h[j] * h[j]);
}

/* -- LSTM: gates i, f, g, o --------------------------------------------------------------------------------------- */
/* u: the gates' arguments; b and c: the state before and after. */
FUNCTION void lstm_row(const float *u, float *gates, const float *restrict b, float *restrict c, float *restrict h, long n) {
    UNITS {
        const float i = gate_of(u[j]), f = gate_of(u[n + j]);
        const float g = state_of(u[2 * n + j]), o = gate_of(u[3 * n + j]);
        const float s = f * b[j] + i * g;
        gates[j] = i, gates[n + j] = f, gates[2 * n + j] = g, gates[3 * n + j] = o;
        c[j] = s;
        h[j] = o * state_of(s);
    }
}

/* s: the slopes of the gates; flow: what flows back to the state, and then to the state before. */
FUNCTION void lstm_back(float *restrict s, const float *restrict u, const float *restrict c, const float *restrict b, const float *d,
                        const float *extra, float *restrict flow, long n) {
    const int more = extra != d;
    UNITS {
        const float i = u[j], f = u[n + j], g = u[2 * n + j], o = u[3 * n + j], t = state_of(c[j]);
        const float dh = more ? d[j] + extra[j] : d[j], dc = flow[j] + (1.0f - t * t) * o * dh;
        s[j] = (i - i * i) * dc * g;
        s[n + j] = (f - f * f) * dc * b[j];
        s[2 * n + j] = (1.0f - g * g) * dc * i;
        s[3 * n + j] = (o - o * o) * dh * t;
        flow[j] = dc * f;
    }
}

/* -- GRU: gates r, z, n ------------------------------------------------------------------------------------------- */
/* u: the gates' arguments, of the last one only what x gives; q: what h gives to it; b and h: the output before and after. */
FUNCTION void gru_row(const float *u, float *gates, const float *restrict q, const float *restrict b, float *restrict h, long n) {
    UNITS {
        const float r = gate_of(u[j]), z = gate_of(u[n + j]), new = state_of(u[2 * n + j] + r * q[j]);
        gates[j] = r, gates[n + j] = z, gates[2 * n + j] = new;
        h[j] = (b[j] - new) * z + new;
    }
}

/* s: the slopes of (n, r, z, q); d becomes what flows to the output before not by way of the gates. */
FUNCTION void gru_back(float *restrict s, const float *restrict u, const float *restrict q, const float *restrict b, float *d,
                       const float *extra, long n) {
    const int more = extra != d;
    UNITS {
        const float r = u[j], z = u[n + j], new = u[2 * n + j], dh = more ? d[j] + extra[j] : d[j];
        const float slope = (1.0f - new * new) * ((1.0f - z) * dh);
        s[j] = slope;
        s[n + j] = (r - r * r) * slope * q[j];
        s[2 * n + j] = (z - z * z) * ((b[j] - new) * dh);
        s[3 * n + j] = slope * r;
        d[j] = dh * z;
    }
}

/* -- whether a compiler makes of it what it should ---------------------------------------------------------------- */
#define WRONG(found, wanted) !(fabs((found) - (wanted)) <= 1e-5 * (1 + fabs(wanted)))
static double logistic(double x) { return 1 / (1 + exp(-x)); }

static int cells_are_wrong(void) {
    enum { n = 19 }; /* a whole vector, and some left */
    float u[4 * n], gates[4 * n], b[n], c[n], h[n], d[n], e[n], flow[n], s[4 * n], q[n];
    for (int i = 0; i < 4 * n; i++) u[i] = gates[i] = 2 * sinf(i);
    for (int i = 0; i < n; i++) b[i] = flow[i] = sinf(3 * i), d[i] = cosf(i), e[i] = sinf(i), q[i] = cosf(2 * i);
    lstm_row(u, gates, b, c, h, n);
    lstm_back(s, gates, c, b, d, e, flow, n);
    for (int j = 0; j < n; j++) {
        const double i = logistic(u[j]), f = logistic(u[n + j]), g = tanh(u[2 * n + j]), o = logistic(u[3 * n + j]);
        const double state = f * b[j] + i * g, t = tanh(state), dh = (double)d[j] + e[j], dc = b[j] + dh * o * (1 - t * t);
        if (WRONG(c[j], state) || WRONG(h[j], o * t) || WRONG(flow[j], dc * f)) return 1;
        if (WRONG(s[j], dc * g * i * (1 - i)) || WRONG(s[n + j], dc * b[j] * f * (1 - f))) return 2;
        if (WRONG(s[2 * n + j], dc * i * (1 - g * g)) || WRONG(s[3 * n + j], dh * t * o * (1 - o))) return 3;
    }
    memcpy(flow, d, sizeof d);
    gru_row(u, gates, q, b, h, n);
    gru_back(s, gates, q, b, flow, e, n);
    for (int j = 0; j < n; j++) {
        const double r = logistic(u[j]), z = logistic(u[n + j]), new = tanh(u[2 * n + j] + r * q[j]);
        const double dh = (double)d[j] + e[j], slope = (1 - new * new) * (1 - z) * dh;
        if (WRONG(h[j], (1 - z) * new + z * b[j]) || WRONG(flow[j], dh * z)) return 4;
        if (WRONG(s[j], slope) || WRONG(s[n + j], slope * q[j] * r * (1 - r)) || WRONG(s[3 * n + j], slope * r)) return 5;
        if (WRONG(s[2 * n + j], dh * (b[j] - new) * z * (1 - z))) return 6;
    }
    rnn_row(u, h, 0, n);
    rnn_back(s, h, d, e, 0, n);
    for (int j = 0; j < n; j++)
        if (WRONG(h[j], tanh(u[j])) || WRONG(s[j], ((double)d[j] + e[j]) * (1 - tanh(u[j]) * tanh(u[j])))) return 7;
    return 0;
}
