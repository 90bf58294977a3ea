/* Functions of one number, and slopes in terms of two, on arrays that lie alike in memory: a line each.

   ONE(name, formula) is y in terms of x; TWO(name, formula) in terms of g, the gradient of the output, and of x, which is the input
   or the output. ONE_OF and TWO_OF have up to three numbers more, which the formula calls my.a where a is what they are called. */
#include "kernel.h"
#include "maths.h"

#define GRAIN 16384 /* numbers for which a second thread pays */

/* A function of x, or of g and x, with fields for more numbers: stored as one type, computed in another. */
#define LOOP1(name, stored, type, formula, ...)                     \
    KERNEL(name, const stored *a; stored *y; long n; __VA_ARGS__) { \
        const stored *APART a = my.a;                               \
        stored *APART y = my.y;                                     \
        EACH(i, my.n) {                                             \
            const type x = (type)a[i];                              \
            y[i] = (stored)(formula);                               \
        }                                                           \
    }
#define LOOP2(name, stored, type, formula, ...)                     \
    KERNEL(name, const stored *a, *b; stored *y; long n; __VA_ARGS__) { \
        const stored *APART a = my.a, *APART b = my.b;              \
        stored *APART y = my.y;                                     \
        EACH(i, my.n) {                                             \
            const type g = (type)a[i], x = (type)b[i];              \
            y[i] = (stored)(formula);                               \
        }                                                           \
    }

#define ONE(name, formula) LOOP1(name, NUMBER, WIDER, formula, ) TAKES1(name)
#define TWO(name, formula) LOOP2(name, NUMBER, WIDER, formula, ) TAKES2(name)
#define ONE_OF(name, formula, ...) LOOP1(name, NUMBER, WIDER, formula, float __VA_ARGS__;) TAKES1_OF(name, __VA_ARGS__)
#define TWO_OF(name, formula, ...) LOOP2(name, NUMBER, WIDER, formula, float __VA_ARGS__;) TAKES2_OF(name, __VA_ARGS__)

#ifndef ENTRY
#define TAKES1(name)
#define TAKES2(name)
#define TAKES1_OF(name, ...)
#define TAKES2_OF(name, ...)
#else
/* Their entries, for float32. */
#define TAKES1(name)                                                \
    ENTRY(name)(array *x, array *y) {                               \
        if (!is(x, FLOAT32) || !like(x, y)) return REFUSED;         \
        LAUNCH(name, size(x), GRAIN, F32(x), F32(y), size(x));      \
        return DONE;                                                \
    }
#define TAKES2(name)                                                                    \
    ENTRY(name)(array *g, array *x, array *y) {                                         \
        if (!is(g, FLOAT32) || !is(x, FLOAT32) || !like(g, y) || !like(x, y)) return REFUSED; \
        LAUNCH(name, size(y), GRAIN, F32(g), F32(x), F32(y), size(y));                  \
        return DONE;                                                                    \
    }

#define CHOSEN(_1, _2, _3, chosen, ...) chosen
#define FLOATS1(a) float a
#define FLOATS2(a, b) float a, float b
#define FLOATS3(a, b, c) float a, float b, float c
#define FLOATS(...) CHOSEN(__VA_ARGS__, FLOATS3, FLOATS2, FLOATS1, )(__VA_ARGS__)
#define TAKES1_OF(name, ...)                                        \
    ENTRY(name)(array *x, array *y, FLOATS(__VA_ARGS__)) {          \
        if (!is(x, FLOAT32) || !like(x, y)) return REFUSED;         \
        LAUNCH(name, size(x), GRAIN, F32(x), F32(y), size(x), __VA_ARGS__); \
        return DONE;                                                \
    }
#define TAKES2_OF(name, ...)                                        \
    ENTRY(name)(array *g, array *x, array *y, FLOATS(__VA_ARGS__)) { \
        if (!is(g, FLOAT32) || !is(x, FLOAT32) || !like(g, y) || !like(x, y)) return REFUSED; \
        LAUNCH(name, size(y), GRAIN, F32(g), F32(x), F32(y), size(y), __VA_ARGS__); \
        return DONE;                                                \
    }
#endif
