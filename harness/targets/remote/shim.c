/* What a member's clocks tell, and what its disk does when it is told to sync: by LD_PRELOAD.
 *
 * A file that the agent writes and the process maps says how; nothing here asks anybody else. Only
 * what is called through the dynamic linker is met: not a static program, and no system call made
 * by hand. Waits are made as long as they would be by the clock that the process is shown.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define FAIL_SYNC 1
#define FAIL_WRITE 2
/* What a sync counts as taking: a slow one takes as many times this longer. */
#define SYNC 1000000LL
#define NAP 10000000LL
/* Deadlines after this are by the clock of the day: no machine is up for so many seconds. */
#define DAY_CLOCK 500000000LL

/* The layout of agent/shim.py. From `seen` on the process writes, before it the agent does; `pid` both
 * do: the agent when it has started a process, and a process that finds none there. */
struct control {
    uint64_t sequence;
    int64_t day_true, day_shown, steady_true, steady_shown;
    double rate, slow;
    uint64_t fails;
    uint64_t seen, pid;
    int64_t day_read, day_told, steady_read, steady_told;
    uint64_t slowed, failed_syncs, failed_writes;
};

struct state {
    uint64_t sequence;
    int64_t day_true, day_shown, steady_true, steady_shown;
    double rate, slow;
    uint64_t fails;
};

static struct control *control;
static uint64_t own;
static dev_t device;
static int has_device;

static int (*real_clock)(clockid_t, struct timespec *);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_epoll_pwait)(int, struct epoll_event *, int, int, const sigset_t *);
static int (*real_poll)(struct pollfd *, nfds_t, int);
static int (*real_clock_nanosleep)(clockid_t, int, const struct timespec *, struct timespec *);
static int (*real_sem_timedwait)(sem_t *, const struct timespec *);
static int (*real_sem_clockwait)(sem_t *, clockid_t, const struct timespec *);
static int (*real_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_cond_clockwait)(pthread_cond_t *, pthread_mutex_t *, clockid_t,
                                  const struct timespec *);

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

static void learn_own(void) { own = (uint64_t)getpid(); }

__attribute__((constructor)) static void begin(void) {
    real_fsync = next("fsync");
    real_fdatasync = next("fdatasync");
    real_write = next("write");
    real_writev = next("writev");
    real_pwrite = next("pwrite64");
    real_epoll_pwait = next("epoll_pwait");
    real_poll = next("poll");
    real_clock_nanosleep = next("clock_nanosleep");
    real_sem_timedwait = next("sem_timedwait");
    real_sem_clockwait = next("sem_clockwait");
    /* There is an older one of that name, which takes another kind of condition. */
    real_cond_timedwait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!real_cond_timedwait) real_cond_timedwait = next("pthread_cond_timedwait");
    real_cond_clockwait = next("pthread_cond_clockwait");
    const char *folder = getenv("DELPHIC_SHIM_FOLDER"), *path = getenv("DELPHIC_SHIM");
    struct stat seen;
    if (folder && stat(folder, &seen) == 0) {
        device = seen.st_dev;
        has_device = 1;
    }
    int handle = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (handle >= 0) {
        void *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, handle, 0);
        close(handle);
        if (mapped != MAP_FAILED) {
            uint64_t nobody = 0;
            control = mapped;
            learn_own();
            pthread_atfork(NULL, NULL, learn_own);
            __atomic_compare_exchange_n(&control->pid, &nobody, own, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE);
        }
    }
    __atomic_store_n(&real_clock, next("clock_gettime"), __ATOMIC_RELEASE);
}

/* Other libraries may begin before this one does. */
static void ready(void) {
    if (!__atomic_load_n(&real_clock, __ATOMIC_ACQUIRE)) begin();
}

/* What the agent has written, never half of it. */
static int look(struct state *now) {
    if (!control) return 0;
    for (;;) {
        uint64_t before = __atomic_load_n(&control->sequence, __ATOMIC_ACQUIRE);
        if (before & 1) continue;
        now->sequence = before;
        now->day_true = control->day_true;
        now->day_shown = control->day_shown;
        now->steady_true = control->steady_true;
        now->steady_shown = control->steady_shown;
        now->rate = control->rate;
        now->slow = control->slow;
        now->fails = control->fails;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&control->sequence, __ATOMIC_RELAXED) == before) return 1;
    }
}

static int64_t true_ns(clockid_t id) {
    struct timespec at;
    int (*ask)(clockid_t, struct timespec *) = __atomic_load_n(&real_clock, __ATOMIC_ACQUIRE);
    if (ask)
        ask(id, &at);
    else
        syscall(SYS_clock_gettime, id, &at);
    return at.tv_sec * SECOND + at.tv_nsec;
}

static int is_day(clockid_t id) { return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE; }

static int is_steady(clockid_t id) {
    return id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_MONOTONIC_RAW ||
           id == CLOCK_BOOTTIME;
}

static int64_t scaled(int64_t span, double by) { return by == 1.0 ? span : (int64_t)(span * by); }

static int64_t shown(const struct state *now, int day, int64_t at) {
    return day ? now->day_shown + scaled(at - now->day_true, now->rate)
               : now->steady_shown + scaled(at - now->steady_true, now->rate);
}

static int64_t truly(const struct state *now, int day, int64_t at) {
    return day ? now->day_true + scaled(at - now->day_shown, 1 / now->rate)
               : now->steady_true + scaled(at - now->steady_shown, 1 / now->rate);
}

/* What a process starts is shown the same clocks; what it reads is not what the process has read. */
static void note(const struct state *now, int day, int64_t at, int64_t told) {
    if (__atomic_load_n(&control->pid, __ATOMIC_ACQUIRE) != own) return;
    if (day) {
        control->day_read = at;
        control->day_told = told;
    } else {
        control->steady_read = at;
        control->steady_told = told;
    }
    if (control->seen != now->sequence) {
        /* The other clock, too: a process that looks at one may not look at it for long. */
        int64_t other = true_ns(day ? CLOCK_MONOTONIC : CLOCK_REALTIME);
        if (day) {
            control->steady_read = other;
            control->steady_told = shown(now, 0, other);
        } else {
            control->day_read = other;
            control->day_told = shown(now, 1, other);
        }
        __atomic_store_n(&control->seen, now->sequence, __ATOMIC_RELEASE);
    }
}

static struct timespec spec(int64_t ns) {
    struct timespec at = {ns / SECOND, ns % SECOND};
    return at;
}

static int64_t span(const struct timespec *at) { return at->tv_sec * SECOND + at->tv_nsec; }

int clock_gettime(clockid_t id, struct timespec *at) {
    struct state now;
    if (!(is_day(id) || is_steady(id)) || !look(&now)) {
        int (*ask)(clockid_t, struct timespec *) = __atomic_load_n(&real_clock, __ATOMIC_ACQUIRE);
        return ask ? ask(id, at) : (int)syscall(SYS_clock_gettime, id, at);
    }
    int64_t read = true_ns(id), told = shown(&now, is_day(id), read);
    if (id == CLOCK_REALTIME || id == CLOCK_MONOTONIC) note(&now, is_day(id), read, told);
    *at = spec(told);
    return 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

static int milliseconds(int asked) {
    struct state now;
    if (asked <= 0 || !look(&now) || now.rate == 1.0) return asked;
    return (int)(asked / now.rate) + 1;
}

int epoll_pwait(int handle, struct epoll_event *events, int count, int wait, const sigset_t *mask) {
    ready();
    return real_epoll_pwait(handle, events, count, milliseconds(wait), mask);
}

int epoll_wait(int handle, struct epoll_event *events, int count, int wait) {
    ready();
    return real_epoll_pwait(handle, events, count, milliseconds(wait), NULL);
}

int poll(struct pollfd *those, nfds_t count, int wait) {
    ready();
    return real_poll(those, count, milliseconds(wait));
}

int clock_nanosleep(clockid_t id, int flags, const struct timespec *asked, struct timespec *left) {
    struct state now;
    ready();
    if (!(is_day(id) || is_steady(id)) || !look(&now))
        return real_clock_nanosleep(id, flags, asked, left);
    int64_t wait = flags & TIMER_ABSTIME ? truly(&now, is_day(id), span(asked))
                                         : scaled(span(asked), 1 / now.rate);
    struct timespec truth = spec(wait < 0 ? 0 : wait);
    int failed = real_clock_nanosleep(id, flags, &truth, left);
    if (failed == EINTR && left && !(flags & TIMER_ABSTIME))
        *left = spec(scaled(span(left), now.rate));
    return failed;
}

int nanosleep(const struct timespec *asked, struct timespec *left) {
    errno = clock_nanosleep(CLOCK_REALTIME, 0, asked, left);
    return errno ? -1 : 0;
}

static const struct timespec *deadline(int day, const struct timespec *asked,
                                       struct timespec *held) {
    struct state now;
    if (!look(&now)) return asked;
    int64_t at = truly(&now, day, span(asked));
    *held = spec(at < 0 ? 0 : at);
    return held;
}

int sem_timedwait(sem_t *restrict one, const struct timespec *restrict asked) {
    struct timespec held;
    ready();
    return real_sem_timedwait(one, deadline(1, asked, &held));
}

int sem_clockwait(sem_t *restrict one, clockid_t id, const struct timespec *restrict asked) {
    struct timespec held;
    ready();
    return real_sem_clockwait(one, id, deadline(is_day(id), asked, &held));
}

int pthread_cond_timedwait(pthread_cond_t *restrict one, pthread_mutex_t *restrict with,
                           const struct timespec *restrict asked) {
    struct timespec held;
    ready();
    return real_cond_timedwait(one, with, deadline(asked->tv_sec > DAY_CLOCK, asked, &held));
}

int pthread_cond_clockwait(pthread_cond_t *restrict one, pthread_mutex_t *restrict with,
                           clockid_t id, const struct timespec *restrict asked) {
    struct timespec held;
    ready();
    return real_cond_clockwait(one, with, id, deadline(is_day(id), asked, &held));
}

static int is_disk(int handle) {
    struct stat seen;
    return has_device && fstat(handle, &seen) == 0 && seen.st_dev == device;
}

static int synced(int handle, int (*sync)(int)) {
    struct state now;
    if (!look(&now) || !is_disk(handle)) return sync(handle);
    if (now.fails & FAIL_SYNC) {
        __atomic_add_fetch(&control->failed_syncs, 1, __ATOMIC_RELAXED);
        errno = EIO;
        return -1;
    }
    if (now.slow > 1.0) {
        __atomic_add_fetch(&control->slowed, 1, __ATOMIC_RELAXED);
        /* First the wait, then the sync: what is waited for is not on the disk yet. */
        int64_t began = true_ns(CLOCK_MONOTONIC);
        while (look(&now) && now.slow > 1.0) {
            int64_t left = began + (int64_t)(SYNC * (now.slow - 1)) - true_ns(CLOCK_MONOTONIC);
            if (left <= 0) break;
            struct timespec nap = spec(left < NAP ? left : NAP);
            syscall(SYS_nanosleep, &nap, NULL);
        }
    }
    return sync(handle);
}

int fsync(int handle) {
    ready();
    return synced(handle, real_fsync);
}

int fdatasync(int handle) {
    ready();
    return synced(handle, real_fdatasync);
}

static int fails_to_write(int handle) {
    struct state now;
    ready();
    if (!look(&now) || !(now.fails & FAIL_WRITE) || !is_disk(handle)) return 0;
    __atomic_add_fetch(&control->failed_writes, 1, __ATOMIC_RELAXED);
    errno = EIO;
    return 1;
}

ssize_t write(int handle, const void *data, size_t size) {
    return fails_to_write(handle) ? -1 : real_write(handle, data, size);
}

ssize_t writev(int handle, const struct iovec *pieces, int count) {
    return fails_to_write(handle) ? -1 : real_writev(handle, pieces, count);
}

ssize_t pwrite64(int handle, const void *data, size_t size, off64_t at) {
    return fails_to_write(handle) ? -1 : real_pwrite(handle, data, size, at);
}

ssize_t pwrite(int handle, const void *data, size_t size, off_t at) {
    return fails_to_write(handle) ? -1 : real_pwrite(handle, data, size, at);
}
