/* Blocks of a GPU on a processor, one after the other: the threads of a block are contexts that take turns, from barrier to barrier. What
   kernel.h has for NVRTC is compiled as it is, for float32 and bfloat16. Arguments lie in memory (-DINDIRECT), so that all kernels are called alike. */
#include <math.h>
#include <string.h>
#include <ucontext.h>
#undef INFINITY
#undef NAN
#define __CUDACC_RTC__
#define __device__
#define __forceinline__ inline
#define __global__
#define __shared__ static
#define asm(...) ((void)0) /* PTX, for float16 alone */

struct three {
    unsigned x, y, z;
};
static three threadIdx, blockIdx, blockDim, gridDim;
static ucontext_t contexts[1024], home;
static char stacks[1024][1 << 15];
static unsigned done;

static void __syncthreads() {
    const three own = threadIdx;
    swapcontext(&contexts[own.x], &home);
    threadIdx = own;
}

template <class T>
static T __shfl_xor_sync(unsigned, T x, int far) {
    static T seen[1024];
    seen[threadIdx.x] = x;
    __syncthreads();
    x = seen[threadIdx.x ^ far];
    __syncthreads();
    return x;
}

template <class T>
static T atomicAdd(T *p, T x) {
    const T before = *p;
    *p += x;
    return before;
}

static float __int_as_float(int i) {
    float x;
    memcpy(&x, &i, sizeof x);
    return x;
}

static float __uint_as_float(unsigned i) { return __int_as_float((int)i); }

static unsigned __float_as_uint(float x) {
    unsigned i;
    memcpy(&i, &x, sizeof i);
    return i;
}

static void (*kernel)(const void *);
static const void *arguments;

static void thread() {
    kernel(arguments);
    done++;
}

/* Run a kernel; 1 if some threads of a block end while others wait for them. */
extern "C" int blocks(void (*f)(const void *), const void *given, unsigned count, unsigned threads) {
    kernel = f, arguments = given, gridDim.x = count, blockDim.x = threads;
    for (blockIdx.x = 0; blockIdx.x < count; blockIdx.x++) {
        for (unsigned t = 0; t < threads; t++) {
            getcontext(&contexts[t]);
            contexts[t].uc_stack.ss_sp = stacks[t];
            contexts[t].uc_stack.ss_size = sizeof stacks[t];
            contexts[t].uc_link = &home;
            makecontext(&contexts[t], thread, 0);
        }
        for (done = 0; done < threads;) {
            for (unsigned t = 0; t < threads; t++) threadIdx.x = t, swapcontext(&home, &contexts[t]);
            if (done != 0 && done != threads) return 1;
        }
    }
    return 0;
}
