/* What a disk would hold of a data directory: see power.c. Paths of these functions are below the directory and begin with
 * a slash; functions without a path are for descriptors. All of them may be called for what is not below it. */
#ifndef KPLAN_POWER_H
#define KPLAN_POWER_H

#include "sys.h"

#define HIDDEN __attribute__((visibility("hidden")))

enum power_way { WAY_FILE, WAY_DIRECTORY, WAY_EITHER };

/* The part of a path below the data directory; NULL if it is elsewhere. `out` has room for a path that is relative to the
 * directory of a descriptor. */
HIDDEN const char *power_below(int dir, const char *path, char out[PATH]);
/* These five do what the call of the kernel does, and return what it returns. */
HIDDEN long power_open(int dir, const char *path, const char *below, int flags, int mode);
HIDDEN long power_rename(int da, const char *a, const char *below_a, int db, const char *b, const char *below_b,
                         unsigned flags);
HIDDEN long power_remove(int dir, const char *path, const char *below, enum power_way way);
HIDDEN long power_mkdir(int dir, const char *path, const char *below, int mode);
HIDDEN long power_link(const char *a, const char *below_a, const char *b, const char *below_b);
/* A descriptor is closed, or becomes the copy of another. */
HIDDEN void power_closed(int fd);
HIDDEN void power_copied(int from, int to);
/* Whether a descriptor is one of a file in the data directory. */
HIDDEN int power_has(int fd);
/* n bytes were written: before the current position, or from an offset. */
HIDDEN void power_written(int fd, long n);
HIDDEN void power_written_at(int fd, long n, int64_t offset);
/* A file has a new size, or other space from an offset. */
HIDDEN void power_resized(int fd, int64_t size);
HIDDEN void power_changed_from(int fd, int64_t offset);
/* A descriptor was synced. False if it is not in the data directory: then the kernel must do it. */
HIDDEN int power_synced(int fd);
HIDDEN void power_mapped(void *at, size_t size, int fd, int64_t offset);
HIDDEN void power_unmapped(void *at, size_t size);
/* A range of memory was synced. False if no file of the data directory is mapped there. */
HIDDEN int power_map_synced(void *at, size_t size);

/* The same for the caller of a C library's function: -1 and errno, or the result. */
HIDDEN long result(long done);
/* The file that shifts the wall clock of this process (clock.c). */
HIDDEN void clock_begin(const char *path);

/* Calls on the files of a data directory that fail or take longer (disk.c). The last three are asked before a call: they
 * wait if it is to take longer, and return a negative errno if it is to fail, otherwise 0. */
enum disk_call { DISK_READ, DISK_WRITE, DISK_SYNC };
HIDDEN void disk_begin(const char *path, const char *data);
HIDDEN long disk_meets(int fd, enum disk_call kind);
HIDDEN long disk_meets_both(int from, int to);
/* A file or directory may be made. */
HIDDEN long disk_makes(int dir, const char *path);

#endif
