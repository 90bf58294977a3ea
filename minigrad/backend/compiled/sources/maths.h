/* Elementary functions of float32 without branches, which a compiler turns into vector code; the same everywhere.

   Infinities, NaN, signed zeros and denormal numbers come out as IEEE 754 has them. The errors stated are the largest of tests
   over the whole range, in units of the last place (ulp). Coefficients: minimax fits in double precision, unless said otherwise. */
FUNCTION int32_t bits(float x) {
    int32_t i;
    memcpy(&i, &x, 4);
    return i;
}

FUNCTION float real(int32_t i) {
    float x;
    memcpy(&x, &i, 4);
    return x;
}

FUNCTION float magnitude(float x) { return real(bits(x) & 0x7fffffff); }
FUNCTION float with_sign(float y, float x) { return real(bits(y) | (bits(x) & INT32_MIN)); } /* y >= 0 */
FUNCTION float least(float x, float high) { return x > high ? high : x; } /* these two let NaN through */
FUNCTION float most(float x, float low) { return x < low ? low : x; }

/* e**r - 1 and e**r for |r| <= ln(2)/2. */
FUNCTION float rise_near(float r) {
    float q = 0.00138142197f;
    q = q * r + 0.0083688989f;
    q = q * r + 0.0416684058f;
    q = q * r + 0.166665191f;
    q = q * r + 0.499999933f;
    return q * r * r + r;
}

FUNCTION float exp_near(float r) { return rise_near(r) + 1.0f; }

/* What is left of x without n times ln(2), which is in two parts. */
#define LEFT(x, n) ((x) - (n) * 0.693359375f + (n) * 2.12194440e-4f)

/* e**x, 1 ulp: 2**n e**r. The power of two is applied in two halves, so that neither overflows before the result does and denormal
   results are rounded once. */
FUNCTION float exp_of(float x) {
    x = most(least(x, 89.0f), -104.0f);
    const float big = 12582912.0f; /* 1.5 * 2**23, whose neighbours are integers */
    float shifted = x * 1.44269504f + big, n = shifted - big;
    int32_t k = bits(shifted) - 0x4b400000, half = k >> 1;
    return exp_near(LEFT(x, n)) * real((half + 127) << 23) * real((k - half + 127) << 23);
}

/* The same for x that are not much above 0 (30, say), with less work: 2**(n + 64), whose exponent is what was added, is never too large. */
#define BIASED (12582912.0f + 127 + 64)
#define UNBIASED 5.42101086e-20f /* 2**-64 */
FUNCTION float power(float shifted) { return real((int32_t)((uint32_t)bits(shifted) << 23)); }

FUNCTION float decay_of(float x) {
    x = most(x, -104.0f);
    float shifted = x * 1.44269504f + BIASED, n = shifted - BIASED;
    return exp_near(LEFT(x, n)) * power(shifted) * UNBIASED;
}

/* e**x - 1 for x <= 0, 2 ulp: with p = 2**n, that is p (e**r - 1) + (p - 1). */
FUNCTION float fall_of(float x) {
    const float big = 12582912.0f;
    float clear = most(x, -60.0f), shifted = clear * 1.44269504f + big, n = shifted - big;
    float p = real((int32_t)((uint32_t)(bits(shifted) - 0x4b400000 + 127) << 23));
    return with_sign(magnitude(p * rise_near(LEFT(clear, n)) + (p - 1.0f)), x);
}

/* log(1 + z) for 0 <= z <= 1, 2 ulp: twice the inverse hyperbolic tangent of s = z/(2 + z). */
FUNCTION float log_beyond(float z) {
    float s = z / (2.0f + z), t = s * s;
    float p = 0.12150473f;
    p = p * t + 0.10713828f;
    p = p * t + 0.14308443f;
    p = p * t + 0.19999439f;
    p = p * t + 0.33333338f;
    s += s;
    return s * t * p + s;
}

/* Natural logarithm, 1 ulp: of m 2**k with sqrt(1/2) <= m < sqrt(2), by a series in s = (m - 1)/(m + 1), in the order of terms
   of FreeBSD's logf (Sun Microsystems, 1993). */
FUNCTION float log_of(float x) {
    int tiny = x < 1.17549435e-38f;
    int32_t i = bits(tiny ? x * 8388608.0f : x) + (0x3f800000 - 0x3f3504f3);
    float k = (float)((i >> 23) - (tiny ? 150 : 127));
    float f = real((i & 0x7fffff) + 0x3f3504f3) - 1.0f;
    float s = f / (2.0f + f), z = s * s, h = 0.5f * f * f;
    float r = z * ((0.29872926f * z + 0.39977506f) * z + 0.66666777f);
    float y = k * 0.693359375f + (f - (h - (s * (h + r) - k * 2.12194440e-4f)));
    y = x == 0.0f ? -INFINITY : y;
    y = x < 0.0f ? NAN : y;
    return x < INFINITY ? y : x; /* x itself: infinity or NaN */
}

/* (tanh(x)/x - 1)/z with z = x**2, for |x| < 0.6. */
FUNCTION float tanh_near(float z) {
    float p = -0.00581908749f;
    p = p * z + 0.0207347544f;
    p = p * z - 0.0537670464f;
    p = p * z + 0.133317454f;
    return p * z - 0.333332922f;
}

/* 2 ulp: x and an odd polynomial near 0, elsewhere (1 - e)/(1 + e) with e = e**-2|x|, which cannot overflow. */
FUNCTION float tanh_of(float x) {
    float a = magnitude(x), z = x * x, e = decay_of(-2.0f * a), far = (1.0f - e) / (1.0f + e);
    return with_sign(a < 0.6f ? a + a * z * tanh_near(z) : far, x);
}

/* 1/(1 + e**-x), 2 ulp, of the small values too. */
FUNCTION float sigmoid_of(float x) {
    float z = decay_of(-magnitude(x));
    return (x < 0.0f ? z : 1.0f) / (z + 1.0f);
}

/* 2**64 e**(-x**2/2) for 0 <= x < 14.6, so that it is no denormal number: with what is lost when x is squared. */
FUNCTION float gauss(float x) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(ON_GPU)
    float square = x * x, low = fmaf(x, x, -square);
#else
    float head = real(bits(x) & (int32_t)0xfffff000), square = head * head, low = (x - head) * (x + head);
#endif
    float shifted = square * -0.721347520f + BIASED, n = shifted - BIASED;
    return exp_near(LEFT(-0.5f * square, n) - 0.5f * low) * power(shifted);
}

FUNCTION float within(float x) { return least(magnitude(x), 14.5f); } /* further out, the probability below is 0 in any case */

/* The probability that a standard normal number is above a >= 0, given e = gauss(a), 10 ulp, of the small values too: e times half the
   scaled complementary error function of a/sqrt(2), a fraction of polynomials without cancellation. */
FUNCTION float normal_tail(float a, float e) {
    float p = 0.00412380408f, q = 0.0103367258f;
    p = p * a + 0.0406836451f;
    p = p * a + 0.183384583f;
    p = p * a + 0.438496484f;
    p = p * a + 0.500000003f;
    q = q * a + 0.101985154f;
    q = q * a + 0.469865188f;
    q = q * a + 1.20312358f;
    q = q * a + 1.67487795f;
    q = q * a + 1.0f;
    return e * p / q * UNBIASED;
}

/* The probability that it is between 0 and x, for |x| < 1: an odd polynomial. */
FUNCTION float normal_centre(float x) {
    float z = x * x, p = -7.65430405e-6f;
    p = p * z + 0.000113486636f;
    p = p * z - 0.00118633021f;
    p = p * z + 0.00997332353f;
    p = p * z - 0.0664903599f;
    p = p * z + 0.39894228f;
    return x * p;
}

/* The probability that it is below x, given e = gauss(within(x)). */
FUNCTION float normal(float x, float e) {
    float tail = normal_tail(within(x), e);
    return x > 0.0f ? 1.0f - tail : tail;
}

/* The error function, 2 ulp. */
FUNCTION float erf_of(float x) {
    float a = magnitude(x) * 1.41421356f, far = 1.0f - 2.0f * normal_tail(within(a), gauss(within(a)));
    return with_sign(a < 1.0f ? 2.0f * normal_centre(a) : far, x);
}

/* x times a smooth step from 0 to 1, and the slopes of that. */
FUNCTION float gelu_of(float x) { return x * normal(x, gauss(within(x))); }

FUNCTION float gelu_slope(float x) {
    float e = gauss(within(x));
    return normal(x, e) + x * (e * (0.39894228f * UNBIASED));
}

/* (1 + tanh(u))/2 is the logistic function of this, 2u. */
FUNCTION float gelu_tanh_argument(float x) { return x * (x * x * 0.044715f + 1.0f) * 1.59576912f; }

/* With s = z/(1 + z) or 1/(1 + z), 1 - s is the other of the two: nothing is subtracted from 1. */
FUNCTION float gelu_tanh_slope(float x) {
    float w = gelu_tanh_argument(x), z = decay_of(-magnitude(w)), q = 1.0f / (1.0f + z);
    return (w < 0.0f ? z : 1.0f) * q + x * (z * q * q) * ((x * x * 0.134145f + 1.0f) * 1.59576912f);
}

FUNCTION float silu_slope(float x) {
    float z = decay_of(-magnitude(x)), q = 1.0f / (1.0f + z);
    return (x < 0.0f ? z : 1.0f) * q * (x * ((x < 0.0f ? 1.0f : z) * q) + 1.0f);
}
