/* The ground of every kernel: loops that are shared out, among the threads of a processor or of a GPU, and NumPy's arrays as C sees them.

   A kernel is written as CUDA's are: every part runs the same function on the same arguments and takes its share of the work.

       KERNEL(scale, const float *x; float *y; float by; long n;) {
           EACH(i, my.n) { my.y[i] = my.x[i] * my.by; }
       }

   KERNEL(name, fields) defines the function, whose arguments are the fields of `my`. Its work is shared out by one of these:

       EACH(i, n)    a number each, 0 <= i < n: turns may be computed in any order, several at once
       ROW(r, n)     a row each, for bodies that have loops of their own
       TEAM(r, n)    a row each, by a team that walks along it together:
         ALONG(j, n)    this member's share of the row's n numbers; TOTAL(x), HIGHEST(x): the sum, the largest of what the members
                        found, known to all of them afterwards, so all must get there; LEADER: true for one of them
       const float *APART x = my.x   for a pointer to numbers that no other pointer writes to meanwhile: a thread of a GPU then reads the
                     numbers of several turns before it writes the first, and waits for memory once and not each time

   On a processor (C, compiled by the system's compiler) a part is a thread's share, a run of neighbours; a team has one member. On a
   GPU (CUDA, compiled by NVRTC, which defines __CUDACC_RTC__) the threads number in the thousands: neighbours belong to neighbouring
   threads, which read memory together; ROW has a thread a row, TEAM a block of threads. How many there are varies with the
   machine: what a kernel computes must not depend on it. So a sum over the things that are shared out is made of pieces whose number
   is fixed.

   NUMBER is what is stored, where a kernel is there for several dtypes, and WIDER what is computed with: UP(x) and DOWN(x) go from one
   to the other. FUNCTION begins a function that kernels call. Where there is no ENTRY, there is nothing of NumPy's arrays either: what
   concerns them stands under #ifdef ENTRY, so that the same source serves both. ON_GPU says that it is CUDA. */
#ifndef NUMBER
#define NUMBER float
#define WIDER float
#endif
#define UP(x) ((WIDER)(x))
#define DOWN(x) ((NUMBER)(x))

#ifdef __CUDACC_RTC__
/* == on a GPU ===================================================================================================== */
#define ON_GPU
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long int64_t;
typedef unsigned long uint64_t;
enum : int32_t { INT32_MIN = -0x7fffffff - 1, INT32_MAX = 0x7fffffff };

#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#define restrict __restrict__
#define APART restrict
#pragma nv_diag_suppress 177, 550 /* a function that no kernel of this source calls; a pointer that a method does without */
#define FUNCTION static __device__ __forceinline__

/* Half precision, which is stored and never computed with: float32 rounded to the nearest, ties to even. */
struct float16 {
    unsigned short bits;
    float16() = default;
    __device__ explicit float16(float x) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x)); }
    __device__ explicit operator float() const {
        float x;
        asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
        return x;
    }
};
struct bfloat16 { /* the upper half of a float32 */
    unsigned short bits;
    bfloat16() = default;
    __device__ explicit bfloat16(float x) {
        const uint32_t i = __float_as_uint(x);
        bits = x != x ? 0x7fff : (i + 0x7fff + (i >> 16 & 1)) >> 16;
    }
    __device__ explicit operator float() const { return __uint_as_float((uint32_t)bits << 16); }
};

#ifdef INDIRECT /* arguments lie in the GPU's memory, where they can be changed before what was recorded is run again */
#define GIVEN(name) const struct name##_arguments *restrict given
#define GIVE *given
#else
#define GIVEN(name) const struct name##_arguments given
#define GIVE given
#endif
#define KERNEL(name, ...)                                                                                       \
    struct name##_arguments {                                                                                   \
        __VA_ARGS__                                                                                             \
    };                                                                                                          \
    FUNCTION void name##_body(const struct name##_arguments &my);                                               \
    extern "C" __global__ void run_##name(GIVEN(name)) { name##_body(GIVE); }                                   \
    FUNCTION void name##_body(const struct name##_arguments &my)
#define ROW(r, n) for (long r = blockIdx.x * (long)blockDim.x + threadIdx.x; r < (n); r += gridDim.x * (long)blockDim.x)
#define EACH(i, n) _Pragma("unroll 4") ROW(i, n)
#define TEAM(r, n) for (long r = blockIdx.x; r < (n); r += gridDim.x)
#define ALONG(j, n) _Pragma("unroll 4") for (long j = threadIdx.x; j < (n); j += blockDim.x)
#define LEADER (threadIdx.x == 0)
#define TOTAL(x) agreed<sum_of_two>(x)
#define HIGHEST(x) agreed<higher_of_two>(x)

struct sum_of_two {
    template <class T> static __device__ T of(T a, T b) { return a + b; }
};
struct higher_of_two { /* NaN, if one is */
    template <class T> static __device__ T of(T a, T b) { return a > b || a != a ? a : b; }
};

/* What the threads of a block have found, brought together two by two: by the 32 of each warp first, then what the warps have. All
   of them get the same bits. A block has 32, 64, 128 ... 1024 threads. */
template <class TWO, class T>
FUNCTION T agreed(T x) {
    __shared__ T found[32];
    const int warps = blockDim.x / 32;
    for (int far = 16; far; far /= 2) x = TWO::of(x, __shfl_xor_sync(~0u, x, far));
    if (warps == 1) return x;
    if (threadIdx.x % 32 == 0) found[threadIdx.x / 32] = x;
    __syncthreads();
    x = found[threadIdx.x % warps];
    for (int far = warps / 2; far; far /= 2) x = TWO::of(x, __shfl_xor_sync(~0u, x, far));
    __syncthreads(); /* all have read: the next call may write there */
    return x;
}

#else
/* == on a processor =============================================================================================== */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FUNCTION static inline __attribute__((always_inline))
#define APART /* EACH has said as much */

/* Where a part begins: at a multiple of unit, so that the last few of the whole are always the same few. */
static inline long edge(long n, long unit, long part, long parts) { return part == parts ? n : n / unit * part / parts * unit; }

#define KERNEL(name, ...)                                                                                   \
    struct name##_arguments {                                                                               \
        __VA_ARGS__                                                                                         \
    };                                                                                                      \
    static inline void name##_body(const struct name##_arguments my, const long part, const long parts);    \
    TASK(name)(const void *arguments, long part, long parts) {                                              \
        name##_body(*(const struct name##_arguments *)arguments, part, parts);                              \
    }                                                                                                       \
    static inline void name##_body(const struct name##_arguments my, const long part, const long parts)
#define EACH(i, n)                                                                            \
    const long i##_first = edge(n, 64, part, parts), i##_end = edge(n, 64, part + 1, parts);  \
    _Pragma("omp simd") for (long i = i##_first; i < i##_end; i++)
#define ROW(r, n) for (long r = edge(n, 1, part, parts), r##_end = edge(n, 1, part + 1, parts); r < r##_end; r++)
#define TEAM(r, n) ROW(r, n)
#define ALONG(j, n) for (long j = 0; j < (n); j++)
#define LEADER 1
#define TOTAL(x) (x)
#define HIGHEST(x) (x)

#ifdef EXPORTED /* what a GPU would run, for tests that have none: only kernels, which are called from outside */
#define TASK(name)                                                                                          \
    const long size_##name = sizeof(struct name##_arguments);                                               \
    void run_##name
#define float16 _Float16
#else
#define TASK(name) static void name##_task

/* -- parts -------------------------------------------------------------------------------------------------------- */
typedef void task(const void *arguments, long part, long parts);
static void (*pool)(task *, const void *arguments, long parts);
static long threads = 1;

static inline void launch(task *f, const void *arguments, long n, long grain) {
    long parts = n / grain, most = 4 * threads; /* more than threads, so that a thread that comes late holds nobody up */
    if (parts < 2 || threads < 2)
        f(arguments, 0, 1);
    else
        pool(f, arguments, parts < most ? parts : most);
}

/* Run a kernel on n things, in at least two parts only if each has `grain` of them. */
#define LAUNCH(name, n, grain, ...) launch(name##_task, &(struct name##_arguments){__VA_ARGS__}, n, grain)

/* -- arrays ------------------------------------------------------------------------------------------------------- */
struct dtype {
    char head[HEAD]; /* what every Python object begins with, ending in its type; its size is object.__basicsize__ */
    void *type;
    char kind, code, order, former;
    int number;
};
typedef struct {
    char head[HEAD];
    char *data;
    int axes;
    long *shape, *strides; /* in bytes */
    void *base;
    struct dtype *dtype;
    int flags;
} array;

enum { BOOL = 0, INT32 = 5, INT64 = 7, FLOAT32 = 11, FLOAT64 = 12 }; /* dtype.number */
enum { ORDERED = 1, ALIGNED = 0x100, WRITEABLE = 0x400 };            /* bits of flags; ORDERED: as C lays arrays out */
enum { DONE = 0, REFUSED = 1 };

/* An entry is what Python calls: ENTRY(name)(array *x, ...) looks at its arrays, launches, and returns DONE, or REFUSED before
   anything was written where they are not as it wants them; then NumPy computes instead. The interpreter's lock is not held: an
   entry touches nothing of Python's but the arrays that it was given. */
#define ENTRY(name) __attribute__((visibility("default"))) int mg_##name

static void *array_type;

/* Whether o is an array of this dtype that a pointer can walk: numpy.ndarray itself, aligned, in the machine's byte order. */
static inline int is(const array *o, int number) {
    return *(void *const *)(o->head + HEAD - sizeof(void *)) == array_type && o->dtype->number == number &&
           (o->dtype->order == '=' || o->dtype->order == '|') && o->flags & ALIGNED;
}

static inline int is_ordered(const array *o, int number) { return is(o, number) && o->flags & ORDERED; }

/* Of two arrays, ask is() first: whether both have the same shape and lie in memory in the same order. One that was just made by empty_like has no gaps; what
   is like it has none either, and both are walked from end to end as one row. */
static inline int like(const array *a, const array *b) {
    if (a->axes != b->axes) return 0;
    for (int i = 0; i < a->axes; i++)
        if (a->shape[i] != b->shape[i] || (a->shape[i] > 1 && a->strides[i] != b->strides[i])) return 0;
    return 1;
}

static inline long size(const array *o) {
    long n = 1;
    for (int i = 0; i < o->axes; i++) n *= o->shape[i];
    return n;
}

#define F32(o) ((float *)(o)->data)
#define F64(o) ((double *)(o)->data)

/* -- what Python calls after loading ------------------------------------------------------------------------------ */
ENTRY(attach)(void *type, void *run, long count) {
    array_type = type;
    pool = (void (*)(task *, const void *, long))run;
    threads = run ? count : 1;
    return DONE;
}

/* Whether an array of two axes is where it is expected: what Python knows of it is what is read here. */
ENTRY(look)(const array *o, void *data, long rows, long columns, long stride, int number) {
    return *(void *const *)(o->head + HEAD - sizeof(void *)) == array_type && o->data == data && o->axes == 2 && o->shape[0] == rows &&
           o->shape[1] == columns && o->strides[0] == stride && is_ordered(o, number) && o->flags & WRITEABLE;
}
#endif
#endif
