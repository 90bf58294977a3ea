/* A small pool of threads that all families of kernels share.

   A launch is cut into parts, which the caller and the workers take one by one; the caller does not wait for a worker that has
   not begun. Workers that find nothing look again for a moment, yielding the processor to whoever wants it (the threads of BLAS, which
   wait in the same way), and then sleep. Written with POSIX threads and not with OpenMP, as not every compiler has OpenMP's library, as
   its threads hold the processor while they wait, and as a process forked from one that used them hangs. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))
#if defined(__x86_64__) || defined(__i386__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__) || defined(__arm__)
#define PAUSE() __asm__ volatile("yield")
#else
#define PAUSE() ((void)0)
#endif

typedef void task(const void *arguments, long part, long parts);
enum { MOST = 255, PAUSES = 200, YIELDS = 100 };
static const uint64_t CLOSED = 0xffffffff;

/* Which launch it is, in the upper half, and the next part to be taken, in the lower. It is closed while the next launch is being written
   down; whoever read the old one then fails to take a part of it, and looks again. */
static _Atomic uint64_t ticket;
static _Atomic(task *) job;
static _Atomic(const void *) given;
static _Atomic long total, finished;
static _Atomic int sleeping;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER, bed = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t morning = PTHREAD_COND_INITIALIZER;
static int workers, wanted, watched;

static void take(uint64_t launch) {
    for (;;) {
        uint64_t t = atomic_load(&ticket);
        task *f = atomic_load(&job);
        const void *arguments = atomic_load(&given);
        long parts = atomic_load(&total), part = (long)(t & CLOSED);
        if (t >> 32 != launch || part >= parts) return;
        if (atomic_compare_exchange_weak(&ticket, &t, t + 1)) {
            f(arguments, part, parts);
            atomic_fetch_add(&finished, 1);
        }
    }
}

static void *work(void *unused) {
    uint64_t seen = atomic_load(&ticket) >> 32;
    for (;;) {
        for (int i = 0; atomic_load(&ticket) >> 32 == seen && i < PAUSES + YIELDS; i++) {
            if (i < PAUSES)
                PAUSE();
            else
                sched_yield();
        }
        if (atomic_load(&ticket) >> 32 == seen) {
            pthread_mutex_lock(&bed);
            atomic_fetch_add(&sleeping, 1);
            while (atomic_load(&ticket) >> 32 == seen) pthread_cond_wait(&morning, &bed);
            atomic_fetch_sub(&sleeping, 1);
            pthread_mutex_unlock(&bed);
        }
        seen = atomic_load(&ticket) >> 32;
        take(seen);
    }
    return unused;
}

/* A forked process has one thread; the pool begins anew there. */
static void forked(void) {
    workers = 0;
    atomic_store(&sleeping, 0);
    pthread_mutex_init(&turn, 0);
    pthread_mutex_init(&bed, 0);
    pthread_cond_init(&morning, 0);
}

static void hire(void) {
    sigset_t all, before;
    pthread_attr_t attributes;
    if (!watched) watched = !pthread_atfork(0, 0, forked);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 1 << 21);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for Python's main thread */
    while (workers < wanted) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, work, 0)) {
            wanted = workers; /* the machine has no more to give */
            break;
        }
        workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, 0);
    pthread_attr_destroy(&attributes);
}

EXPORT void pool_threads(long threads) { wanted = (int)(threads > MOST ? MOST : threads) - 1; }

EXPORT void pool_run(task *f, const void *arguments, long parts) {
    if (pthread_mutex_trylock(&turn)) { /* another thread of the program is at it */
        for (long part = 0; part < parts; part++) f(arguments, part, parts);
        return;
    }
    if (workers < wanted) hire();
    uint64_t launch = (atomic_load(&ticket) >> 32) + 1;
    atomic_store(&ticket, (launch - 1) << 32 | CLOSED);
    atomic_store(&job, f);
    atomic_store(&given, arguments);
    atomic_store(&total, parts);
    atomic_store(&finished, 0);
    atomic_store(&ticket, launch << 32);
    if (atomic_load(&sleeping)) {
        pthread_mutex_lock(&bed);
        pthread_cond_broadcast(&morning);
        pthread_mutex_unlock(&bed);
    }
    take(launch & CLOSED);
    for (int i = 0; atomic_load(&finished) < parts; i++) {
        if (i < 10 * PAUSES)
            PAUSE();
        else
            sched_yield();
    }
    pthread_mutex_unlock(&turn);
}
