/* A network disk's client, for LD_PRELOAD: it remembers for some seconds that a name was absent, as NFS and FUSE do, though
 * another machine has made it since. What it makes itself, or is refused because the name is there, it knows to be there.
 *
 * FORGETFUL_ROOT     what lies on that disk
 * FORGETFUL_CACHE    a folder of marks, one for each absent name: the processes of one machine share it
 * FORGETFUL_SECONDS  how long an absence is remembered
 * FORGETFUL_STALE    if set: the first time a file is opened for reading, it is ESTALE
 * FORGETFUL_FROZEN   once a file of this name is there, the disk is read-only
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = dlsym(RTLD_NEXT, #name)

static int real_open(const char *path, int flags, mode_t mode) {
    REAL(int, open, const char *, int, ...);
    return real(path, flags, mode);
}

static int real_lstat(const char *path, struct stat *found) {
    return fstatat(AT_FDCWD, path, found, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT);
}

/* Whether the path lies on the disk; only whole paths do, which is how the store names its files. */
static int shared(const char *path) {
    const char *root = getenv("FORGETFUL_ROOT");
    size_t length = root ? strlen(root) : 0;
    return length && path && !strncmp(path, root, length) && path[length] == '/';
}

static void mark_of(char mark[PATH_MAX], const char *kind, const char *path) {
    uint64_t hash = 14695981039346656037u;
    for (const char *at = path; *at; at++) hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    snprintf(mark, PATH_MAX, "%s/%s-%016lx", getenv("FORGETFUL_CACHE"), kind, (unsigned long)hash);
}

static int marked(const char *kind, const char *path) {
    char mark[PATH_MAX];
    struct stat found;
    struct timespec now;
    mark_of(mark, kind, path);
    if (real_lstat(mark, &found)) return 0;
    clock_gettime(CLOCK_REALTIME, &now);
    double age = now.tv_sec - found.st_mtim.tv_sec + (now.tv_nsec - found.st_mtim.tv_nsec) / 1e9;
    return age < atof(getenv("FORGETFUL_SECONDS"));
}

static void set_mark(const char *kind, const char *path) {
    char mark[PATH_MAX];
    mark_of(mark, kind, path);
    unlink(mark);
    int fd = real_open(mark, O_CREAT | O_WRONLY, 0600);
    if (fd >= 0) close(fd);
}

static void forget(const char *path) {
    char mark[PATH_MAX];
    int before = errno;
    mark_of(mark, "absent", path);
    unlink(mark);
    errno = before;
}

/* The parts of a path below the root, from the top: calls `what` until it returns something. */
static int each_part(const char *path, int (*what)(const char *)) {
    char part[PATH_MAX];
    size_t at = strlen(getenv("FORGETFUL_ROOT")) + 1;
    for (;; at++) {
        while (path[at] && path[at] != '/') at++;
        memcpy(part, path, at);
        part[at] = 0;
        int said = what(part);
        if (said || !path[at]) return said;
    }
}

static int remembered(const char *part) { return marked("absent", part); }

static int note(const char *part) {
    struct stat found;
    if (!real_lstat(part, &found)) return 0;
    set_mark("absent", part);
    return 1;
}

/* Whether the disk refuses to be changed. */
static int frozen(const char *path) {
    struct stat found;
    const char *mark = getenv("FORGETFUL_FROZEN");
    if (!mark || !shared(path) || real_lstat(mark, &found)) return 0;
    errno = EROFS;
    return 1;
}

/* Before a look: whether this machine believes that the name is absent. */
static int believed(const char *path) {
    if (!shared(path) || !each_part(path, remembered)) return 0;
    errno = ENOENT;
    return 1;
}

/* After a look: what it taught. */
static int taught(const char *path, int result) {
    int before = errno;
    if (result < 0 && before == ENOENT && shared(path)) each_part(path, note);
    errno = before;
    return result;
}

/* After an attempt to make a name. */
static int made(const char *path, int result) {
    if (shared(path) && (result >= 0 || errno == EEXIST || errno == ENOTEMPTY)) forget(path);
    return result;
}

static int opened(const char *path, int flags, mode_t mode) {
    if ((flags & (O_CREAT | O_WRONLY | O_RDWR)) && frozen(path)) return -1;
    if (flags & O_CREAT) {
        int plain = !(flags & O_EXCL);
        return made(path, plain && believed(path) ? (forget(path), real_open(path, flags, mode)) : real_open(path, flags, mode));
    }
    if (believed(path)) return -1;
    if (shared(path) && getenv("FORGETFUL_STALE") && !(flags & (O_WRONLY | O_RDWR | O_DIRECTORY))) {
        struct stat found;
        char mark[PATH_MAX];
        mark_of(mark, "stale", path);
        if (!real_lstat(path, &found) && S_ISREG(found.st_mode) && real_lstat(mark, &found)) {
            set_mark("stale", path);
            errno = ESTALE;
            return -1;
        }
    }
    return taught(path, real_open(path, flags, mode));
}

#define MODE mode_t mode = 0; \
    if (flags & O_CREAT) { va_list more; va_start(more, flags); mode = va_arg(more, int); va_end(more); }

int open(const char *path, int flags, ...) { MODE return opened(path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return opened(path, flags | O_LARGEFILE, mode); }

int openat(int folder, const char *path, int flags, ...) {
    MODE
    REAL(int, openat, int, const char *, int, ...);
    return shared(path) ? opened(path, flags, mode) : real(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    MODE
    REAL(int, openat64, int, const char *, int, ...);
    return shared(path) ? opened(path, flags | O_LARGEFILE, mode) : real(folder, path, flags, mode);
}

int stat(const char *path, struct stat *found) {
    REAL(int, stat, const char *, struct stat *);
    return believed(path) ? -1 : taught(path, real(path, found));
}

int stat64(const char *path, struct stat64 *found) {
    REAL(int, stat64, const char *, struct stat64 *);
    return believed(path) ? -1 : taught(path, real(path, found));
}

int lstat(const char *path, struct stat *found) {
    REAL(int, lstat, const char *, struct stat *);
    return believed(path) ? -1 : taught(path, real(path, found));
}

int lstat64(const char *path, struct stat64 *found) {
    REAL(int, lstat64, const char *, struct stat64 *);
    return believed(path) ? -1 : taught(path, real(path, found));
}

int access(const char *path, int how) {
    REAL(int, access, const char *, int);
    return believed(path) ? -1 : taught(path, real(path, how));
}

DIR *opendir(const char *path) {
    REAL(DIR *, opendir, const char *);
    if (believed(path)) return NULL;
    DIR *found = real(path);
    taught(path, found ? 0 : -1);
    return found;
}

int rmdir(const char *path) {
    REAL(int, rmdir, const char *);
    return frozen(path) || believed(path) ? -1 : taught(path, real(path));
}

int unlink(const char *path) {
    REAL(int, unlink, const char *);
    return frozen(path) || believed(path) ? -1 : taught(path, real(path));
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, mkdir, const char *, mode_t);
    return frozen(path) ? -1 : made(path, real(path, mode));
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    return frozen(to) || believed(from) ? -1 : made(to, taught(from, real(from, to)));
}

int linkat(int folder, const char *from, int other, const char *to, int flags) {
    REAL(int, linkat, int, const char *, int, const char *, int);
    return frozen(to) || believed(from) ? -1 : made(to, taught(from, real(folder, from, other, to, flags)));
}

int link(const char *from, const char *to) {
    REAL(int, link, const char *, const char *);
    return frozen(to) || believed(from) ? -1 : made(to, taught(from, real(from, to)));
}
