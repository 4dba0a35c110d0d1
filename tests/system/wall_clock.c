/* Has a process, and all that it starts, see the wall clock so many seconds off as the file JUMP holds as a
 * 64-bit number, from one moment to the next. What the kernel is asked to wait for until a time of that clock
 * it is asked for in its own. The monotonic clock is left alone, as it is when a real clock is set. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Times before 2001 are none of the wall clock's. */
#define LEAST 1000000000

static volatile int64_t *jump;

__attribute__((constructor)) static void begin(void) {
    int file = open(JUMP, O_RDONLY);
    void *map = file < 0 ? MAP_FAILED : mmap(0, sizeof *jump, PROT_READ, MAP_SHARED, file, 0);
    jump = map == MAP_FAILED ? 0 : map;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && jump && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *jump;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now) *now = found.tv_sec;
    return found.tv_sec;
}

static struct timespec kernels(const struct timespec *end) {
    struct timespec shifted = *end;
    if (jump && end->tv_sec > LEAST) shifted.tv_sec -= *jump;
    return shifted;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict end) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real) real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!real) real = dlsym(RTLD_NEXT, "pthread_cond_timedwait"); /* where there is but one */
    struct timespec shifted = kernels(end);
    return real(condition, mutex, &shifted);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict end) {
    static int (*real)(pthread_mutex_t *, const struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "pthread_mutex_timedlock");
    struct timespec shifted = kernels(end);
    return real(mutex, &shifted);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict end) {
    static int (*real)(sem_t *, const struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "sem_timedwait");
    struct timespec shifted = kernels(end);
    return real(semaphore, &shifted);
}
