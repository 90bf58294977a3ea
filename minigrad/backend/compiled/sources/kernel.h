/* The ground of every kernel: NumPy's arrays as C sees them, and loops that are shared out among threads.

   A kernel is written as CUDA's are: every part runs the same function on the same arguments and takes its share of the work.

       KERNEL(scale, const float *x; float *y; float by; long n;) {
           EACH(i, my.n) { my.y[i] = my.x[i] * my.by; }
       }

   KERNEL(name, fields) defines the function, whose arguments are the fields of `my`. EACH(i, n) runs over this part's share of
   0 <= i < n and may be vectorised; ROW(r, n) does the same without a promise that its turns are independent instructions, for
   bodies that have loops of their own. LAUNCH(name, n, grain, arguments) runs it on n things, in at least two parts only if each
   has `grain` of them. How many parts there are varies with the machine: what a kernel computes must not depend on it. So a sum
   over the things that are shared out is made of pieces whose number is fixed.

   An entry is what Python calls: ENTRY(name)(array *x, ...) looks at its arrays, launches, and returns DONE, or REFUSED before
   anything was written where they are not as it wants them; then NumPy computes instead. The interpreter's lock is not held: an
   entry touches nothing of Python's but the arrays that it was given. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

/* Where a part begins: at a multiple of unit, so that the last few of the whole are always the same few. */
static inline long edge(long n, long unit, long part, long parts) { return part == parts ? n : n / unit * part / parts * unit; }

#define KERNEL(name, ...)                                                                                   \
    struct name##_arguments {                                                                               \
        __VA_ARGS__                                                                                         \
    };                                                                                                      \
    static inline void name##_body(const struct name##_arguments my, const long part, const long parts);    \
    static void name##_task(const void *arguments, long part, long parts) {                                 \
        name##_body(*(const struct name##_arguments *)arguments, part, parts);                              \
    }                                                                                                       \
    static inline void name##_body(const struct name##_arguments my, const long part, const long parts)
#define LAUNCH(name, n, grain, ...) launch(name##_task, &(struct name##_arguments){__VA_ARGS__}, n, grain)
#define EACH(i, n)                                                                            \
    const long i##_first = edge(n, 64, part, parts), i##_end = edge(n, 64, part + 1, parts);  \
    _Pragma("omp simd") for (long i = i##_first; i < i##_end; i++)
#define ROW(r, n) for (long r = edge(n, 1, part, parts), r##_end = edge(n, 1, part + 1, parts); r < r##_end; r++)

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
