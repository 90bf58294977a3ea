/* Lines of numbers that are added up or otherwise brought together, and who walks along one.

   Where a line's numbers lie side by side, a team walks along it, so that neighbours read neighbouring numbers. Where they lie apart,
   the next line's lie beside them: then each thread walks along a line of its own, alone, and neighbours again read neighbouring
   numbers. Short lines are walked alone as well. It is said by the kernel's arguments, and is the same for all of its threads:

       LINE(me, r, lines, alone)      a line each, 0 <= r < lines, for a team or for one member who is alone
         SHARE(me, j, n)              this member's share of 0 <= j < n
         SUM(me, x), TOP(me, x)       the sum, the largest of what the members found, known to all of them
         FIRST(me)                    true for one of them

   A TALLY is what a member adds up in: on a processor, where it adds up a whole line, it is double. */
#include "kernel.h"

struct member {
    long first, step;
};

#ifdef __CUDACC_RTC__
#define TALLY WIDER
#define LINE(me, r, lines, alone)                                                                           \
    const struct member me = {(alone) ? 0 : threadIdx.x, (alone) ? 1 : blockDim.x};                         \
    for (long r = (alone) ? blockIdx.x * (long)blockDim.x + threadIdx.x : blockIdx.x; r < (lines);          \
         r += (alone) ? gridDim.x * (long)blockDim.x : gridDim.x)
#define SHARE(me, j, n) _Pragma("unroll 4") for (long j = me.first; j < (n); j += me.step) /* several readings under way at a time */
#define SUM(me, x) (me.step == 1 ? (x) : TOTAL(x))
#define TOP(me, x) (me.step == 1 ? (x) : HIGHEST(x))
#else
#include <tgmath.h>
#define TALLY double
#define LINE(me, r, lines, alone)        \
    const struct member me = {0, 1};     \
    ROW(r, lines)
#define SHARE(me, j, n) for (long j = 0; j < (n); j++)
#define SUM(me, x) (x)
#define TOP(me, x) (x)
#endif

#define FIRST(me) (me.first == 0)

/* Whole quotients and remainders, of numbers below 2**32: GPUs take five times as long for longer ones. Mostly there is nothing to
   divide. */
FUNCTION long quotient(long j, long n) { return n == 1 ? j : j < n ? 0 : (uint32_t)j / (uint32_t)n; }
FUNCTION long remainder_of(long j, long n) { return j < n ? j : (uint32_t)j % (uint32_t)n; }
