/* Elementary functions of float32 without branches, which a compiler turns into vector code; the same everywhere.

   Infinities, NaN, signed zeros and denormal numbers come out as IEEE 754 has them. The errors stated are the largest of tests
   over the whole range, in units of the last place (ulp). Coefficients: minimax fits in double precision, unless said otherwise. */
#define FUNCTION static inline __attribute__((always_inline))

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

/* e**(x + low) for a low that is small, 1 ulp: 2**n e**r with |r| <= ln(2)/2. The power of two is applied in two halves, so that
   neither overflows before the result does and denormal results are rounded once. */
FUNCTION float exp_sum(float x, float low) {
    x = most(least(x, 89.0f), -104.0f);
    const float big = 12582912.0f; /* 1.5 * 2**23, whose neighbours are integers */
    float shifted = x * 1.44269504f + big, n = shifted - big;
    float r = x - n * 0.693359375f + (n * 2.12194440e-4f + low);
    float q = 0.00138142197f;
    q = q * r + 0.0083688989f;
    q = q * r + 0.0416684058f;
    q = q * r + 0.166665191f;
    q = q * r + 0.499999933f;
    int32_t k = bits(shifted) - 0x4b400000, half = k >> 1;
    return (q * r * r + r + 1.0f) * real((half + 127) << 23) * real((k - half + 127) << 23);
}

FUNCTION float exp_of(float x) { return exp_sum(x, 0.0f); }

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
    y = x == 0.0f ? -__builtin_inff() : y;
    y = x < 0.0f ? __builtin_nanf("") : y;
    return x < __builtin_inff() ? y : x; /* x itself: infinity or NaN */
}

/* 2 ulp: x and an odd polynomial near 0, elsewhere (1 - e)/(1 + e) with e = e**-2|x|, which cannot overflow. */
FUNCTION float tanh_of(float x) {
    float a = magnitude(x), z = x * x, e = exp_of(-2.0f * a), far = (1.0f - e) / (1.0f + e);
    float p = -0.00581908749f;
    p = p * z + 0.0207347544f;
    p = p * z - 0.0537670464f;
    p = p * z + 0.133317454f;
    p = p * z - 0.333332922f;
    return with_sign(a < 0.6f ? a + a * z * p : far, x);
}

/* 1/(1 + e**-x), 2 ulp, of the small values too. */
FUNCTION float sigmoid_of(float x) {
    float z = exp_of(-magnitude(x));
    return (x < 0.0f ? z : 1.0f) / (z + 1.0f);
}

/* e**(-x**2/2): the square of the leading 12 bits of x is exact, and what is left of it is small. */
FUNCTION float gauss(float x) {
    x = least(magnitude(x), 40.0f);
    float h = real(bits(x) & (int32_t)0xfffff000);
    return exp_sum(-0.5f * (h * h), -0.5f * ((x - h) * (x + h)));
}

/* The probability that a standard normal number is above a >= 0, given e = gauss(a), 8 ulp, of the small values too: e/2 times the
   scaled complementary error function of a/sqrt(2), by the polynomial in t = (u - 3)/(u + 3) of ops/special/error.py. */
FUNCTION float normal_tail(float a, float e) {
    float u = least(a, 40.0f) * 0.707106781f, v = 2.0f * u + 1.0f, w = 1.0f / ((u + 3.0f) * v), t = (u - 3.0f) * v * w;
    float p = 8.00745497e-5f;
    p = p * t - 9.25376913e-5f;
    p = p * t - 0.000734082051f;
    p = p * t + 0.00187506025f;
    p = p * t + 0.00250677867f;
    p = p * t - 0.0237635597f;
    p = p * t + 0.0683131967f;
    p = p * t - 0.119275281f;
    p = p * t + 0.129644721f;
    p = p * t - 0.0475621561f;
    p = p * t - 0.1356211f;
    p = p * t + 1.25300806f;
    return 0.5f * e * (p * (u + 3.0f) * w);
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

/* The probability that it is below x, given e = gauss(x). */
FUNCTION float normal(float x, float e) {
    float a = magnitude(x), tail = normal_tail(a, e);
    return a < 1.0f ? 0.5f + normal_centre(x) : x > 0.0f ? 1.0f - tail : tail;
}

/* The error function, 2 ulp. */
FUNCTION float erf_of(float x) {
    float a = magnitude(x) * 1.41421356f, far = 1.0f - 2.0f * normal_tail(a, gauss(a));
    return with_sign(a < 1.0f ? 2.0f * normal_centre(a) : far, x);
}
