/* Dropout: random bits by position (see philox.py, which says what they are), compared and applied in one pass.

   Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011. Entry i is dropped if word i % 4 of counter
   i / 4 is below the threshold, so any part can be computed by itself. */
#include "kernel.h"

enum { PIECE = 1024, GRAIN = 16 }; /* numbers drawn at once; and how many times as many make a second thread pay */

/* Vectors of words, each in the lower half of a lane for its products with a constant: of the upper half these see nothing. */
#if defined(__AVX512F__)
#include <immintrin.h>
#define BYTES 64
#define PRODUCT(x, by) ((lanes)_mm512_mul_epu32((__m512i)(x), _mm512_set1_epi64(by)))
#elif defined(__AVX2__)
#include <immintrin.h>
#define BYTES 32
#define PRODUCT(x, by) ((lanes)_mm256_mul_epu32((__m256i)(x), _mm256_set1_epi64x(by)))
#else
#define BYTES 16
#define PRODUCT(x, by) (((x) & 0xffffffff) * (by))
#endif
typedef uint64_t lanes __attribute__((vector_size(BYTES)));
typedef uint64_t pair __attribute__((may_alias, aligned(4)));
enum { LANES = BYTES / 8, DEEP = 4 }; /* DEEP: vectors under way at once, as each waits for its own products */

/* The words of `count` counters from `first` on, PIECE / 4 at most: as pairs (a, b) and (c, d), which are then put in turn. */
static inline void draw(uint32_t *words, uint64_t key, uint64_t first, long count) {
    uint64_t former[PIECE / 4], latter[PIECE / 4], steps[LANES];
    lanes counter, left[10], right[10];
    for (int i = 0; i < 10; i++) {
        left[i] = (lanes){0} + (uint32_t)(key + i * 0x9E3779B9ull);
        right[i] = (lanes){0} + (uint32_t)((key >> 32) + i * 0xBB67AE85ull);
    }
    for (int i = 0; i < LANES; i++) steps[i] = first + (uint64_t)i;
    memcpy(&counter, steps, sizeof counter);
    for (long i = 0; i < count; i += DEEP * LANES) {
        lanes a[DEEP], b[DEEP], c[DEEP], d[DEEP];
        for (int j = 0; j < DEEP; j++, counter += LANES) a[j] = counter, b[j] = counter >> 32, c[j] = d[j] = (lanes){0};
        for (int round = 0; round < 10; round++)
            for (int j = 0; j < DEEP; j++) {
                lanes p = PRODUCT(a[j], 0xD2511F53), q = PRODUCT(c[j], 0xCD9E8D57);
                a[j] = (q >> 32) ^ b[j] ^ left[round], b[j] = q;
                c[j] = (p >> 32) ^ d[j] ^ right[round], d[j] = p;
            }
        for (int j = 0; j < DEEP; j++) {
            lanes first_two = (a[j] & 0xffffffff) | b[j] << 32, others = (c[j] & 0xffffffff) | d[j] << 32;
            memcpy(former + i + j * LANES, &first_two, sizeof first_two);
            memcpy(latter + i + j * LANES, &others, sizeof others);
        }
    }
    pair *pairs = (pair *)words;
    _Pragma("omp simd") for (long i = 0; i < count; i++) pairs[2 * i] = former[i], pairs[2 * i + 1] = latter[i];
}

static inline long pieces(long n) { return (n + PIECE - 1) / PIECE; }

/* `word` and i, the numbers of an array of n: each piece has its own counters. */
#define DRAWN(n)                                                                             \
    uint32_t words[PIECE];                                                                   \
    ROW(r, pieces(n))                                                                        \
        for (long once = 1, first = r * PIECE, count = n - first < PIECE ? n - first : PIECE; once; once = 0)

#define SCALED(name, type)                                                                   \
    KERNEL(name, const type *x; type *y; uint64_t key; uint32_t threshold; type gain; long n;) { \
        DRAWN(my.n) {                                                                        \
            const type *x = my.x + first, gain = my.gain;                                    \
            type *y = my.y + first;                                                          \
            const uint32_t threshold = my.threshold;                                         \
            draw(words, my.key, (uint64_t)first / 4, (count + 3) / 4);                       \
            _Pragma("omp simd") for (long i = 0; i < count; i++)                             \
                y[i] = x[i] * (words[i] >= threshold ? gain : 0);                            \
        }                                                                                    \
    }
SCALED(scaled32, float)
SCALED(scaled64, double)

KERNEL(mask, uint8_t *y; uint64_t key; uint32_t threshold; long n;) {
    DRAWN(my.n) {
        uint8_t *y = my.y + first;
        const uint32_t threshold = my.threshold;
        draw(words, my.key, (uint64_t)first / 4, (count + 3) / 4);
        _Pragma("omp simd") for (long i = 0; i < count; i++) y[i] = words[i] >= threshold;
    }
}

/* The threshold is at most 2**32, which drops all. */
ENTRY(dropout)(array *x, array *y, long key, long threshold, double gain) {
    int all = threshold > UINT32_MAX;
    uint32_t t = all ? 0 : (uint32_t)threshold;
    gain = all ? 0 : gain;
    if (is_ordered(x, FLOAT32) && is_ordered(y, FLOAT32) && size(x) == size(y))
        LAUNCH(scaled32, pieces(size(x)), GRAIN, F32(x), F32(y), (uint64_t)key, t, (float)gain, size(x));
    else if (is_ordered(x, FLOAT64) && is_ordered(y, FLOAT64) && size(x) == size(y))
        LAUNCH(scaled64, pieces(size(x)), GRAIN, F64(x), F64(y), (uint64_t)key, t, gain, size(x));
    else
        return REFUSED;
    return DONE;
}

ENTRY(keep)(array *y, long key, long threshold) {
    if (!is_ordered(y, BOOL) || threshold > UINT32_MAX) return REFUSED;
    LAUNCH(mask, pieces(size(y)), GRAIN, (uint8_t *)y->data, (uint64_t)key, (uint32_t)threshold, size(y));
    return DONE;
}

/* -- before the library is used for the first time ---------------------------------------------------------------- */
ENTRY(self_test)(void) {
    uint32_t words[36], one[4];
    draw(words, 0, 0, 9);
    if (words[0] != 0x6627e8d5 || words[1] != 0xe169c58d || words[2] != 0xbc57ac4c || words[3] != 0x9b00dbd8) return 1;
    draw(words, 0x0123456789abcdef, 0xfffffffd, 9); /* vectors and single numbers, across the end of the first word */
    for (int i = 0; i < 9; i++) {
        draw(one, 0x0123456789abcdef, 0xfffffffd + (uint64_t)i, 1);
        if (memcmp(one, words + 4 * i, sizeof one)) return 2;
    }
    float x[75], y[75];
    for (int i = 0; i < 75; i++) x[i] = 1;
    LAUNCH(scaled32, pieces(75), 1, x, y, 0, 1u << 31, 2, 75);
    draw(words, 0, 0, 9);
    for (int i = 0; i < 36; i++)
        if (y[i] != (words[i] >> 31 ? 2 : 0)) return 3;
    return 0;
}
