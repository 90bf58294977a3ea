/* Functions of one number, and slopes in terms of two, on float32 arrays that lie alike in memory: a line each.

   ONE(name, formula) is y in terms of x; TWO(name, formula) in terms of g, the gradient of the output, and of x, which is the input
   or the output. ONE_OF and TWO_OF have up to three numbers more, which the formula calls my.a where a is what they are called. */
#include "kernel.h"
#include "maths.h"

#define GRAIN 16384 /* numbers for which a second thread pays */

#define LOOP1(name, type, formula)                                  \
    KERNEL(name, const type *a; type *y; long n;) {                 \
        EACH(i, my.n) {                                             \
            const type x = my.a[i];                                 \
            my.y[i] = formula;                                      \
        }                                                           \
    }
#define LOOP2(name, type, formula)                                  \
    KERNEL(name, const type *a, *b; type *y; long n;) {             \
        EACH(i, my.n) {                                             \
            const type g = my.a[i], x = my.b[i];                    \
            my.y[i] = formula;                                      \
        }                                                           \
    }
/* y in terms of x */
#define ONE(name, formula)                                          \
    LOOP1(name, float, formula)                                     \
    ENTRY(name)(array *x, array *y) {                               \
        if (!is(x, FLOAT32) || !like(x, y)) return REFUSED;         \
        LAUNCH(name, size(x), GRAIN, F32(x), F32(y), size(x));      \
        return DONE;                                                \
    }
/* y in terms of g, the gradient of the output, and of x, which is the input or the output */
#define TWO(name, formula)                                                              \
    LOOP2(name, float, formula)                                                         \
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
#define ONE_OF(name, formula, ...)                                  \
    KERNEL(name, const float *a; float *y; long n; float __VA_ARGS__;) { \
        EACH(i, my.n) {                                             \
            const float x = my.a[i];                                \
            my.y[i] = formula;                                      \
        }                                                           \
    }                                                               \
    ENTRY(name)(array *x, array *y, FLOATS(__VA_ARGS__)) {          \
        if (!is(x, FLOAT32) || !like(x, y)) return REFUSED;         \
        LAUNCH(name, size(x), GRAIN, F32(x), F32(y), size(x), __VA_ARGS__); \
        return DONE;                                                \
    }
#define TWO_OF(name, formula, ...)                                  \
    KERNEL(name, const float *a, *b; float *y; long n; float __VA_ARGS__;) { \
        EACH(i, my.n) {                                             \
            const float g = my.a[i], x = my.b[i];                   \
            my.y[i] = formula;                                      \
        }                                                           \
    }                                                               \
    ENTRY(name)(array *g, array *x, array *y, FLOATS(__VA_ARGS__)) { \
        if (!is(g, FLOAT32) || !is(x, FLOAT32) || !like(g, y) || !like(x, y)) return REFUSED; \
        LAUNCH(name, size(y), GRAIN, F32(g), F32(x), F32(y), size(y), __VA_ARGS__); \
        return DONE;                                                \
    }
