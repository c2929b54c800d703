/* Keeps beside a data directory what a disk would hold of it if the power failed now: what was synced, and nothing else.
 *
 *   KPLAN_POWER_DATA  the data directory: absolute, no slash at its end
 *   KPLAN_POWER       the directory for the copy `disk`, the pending changes of `names` (names.h), and the files `active`
 *                     (a process opened a file of the data directory through this object) and `broken` (the copy is not
 *                     up to date: why)
 *
 * A sync of a file brings its content and its size up to date in the copy, and all earlier changes of names: so do the
 * journals of ext4 and XFS. The kernel is not asked to sync what is in the data directory: nothing here can really lose
 * power. A power loss is SIGKILL, then the copy over the data (restore.c).
 *
 * The copy is never worse than the last sync: it may be cut off at any moment, and ranges of files are overwritten and
 * not made anew. Stores through mapped memory are not seen: a sync of a mapped file copies all of it. */
#include "power.h"

#include "memory.h"
#include "names.h"
#include "sparse.h"

#define MOST_FDS 65536
#define SLOTS 4096
#define END INT64_MAX

struct file {
  struct file *next;
  uint64_t inode;
  int64_t from, to; /* what changed since the last sync; from > to: nothing */
  uint32_t fds, maps;
  int gone; /* it has no name any more */
  char *path;
};
struct handle {
  struct file *file;
  int directory, sync_always, append;
};
struct mapping {
  struct mapping *next;
  char *at;
  size_t size;
  int64_t offset;
  struct file *file;
};

static char live[PATH], disk[PATH], own[PATH];
static size_t live_length; /* 0: not active */
static long names_fd = -1;
static int names_pending = 1; /* those of an earlier life, if there are any */
static long pid;
static int proven, broken;
static struct file *files[SLOTS];
static struct handle *handles[MOST_FDS];
static struct mapping *mappings;

/* The value of a variable in the environment that the process began with. */
static int variable(const char *text, long size, const char *name, char out[PATH]) {
  size_t n = length(name);
  for (long at = 0; at < size; at += (long)length(text + at) + 1) {
    if (!same(text + at, name, n) || text[at + (long)n] != '=') continue;
    return join(out, text + at + n + 1, "");
  }
  return 0;
}

__attribute__((constructor)) static void begin(void) {
  static char text[1 << 17];
  long fd = open_at("/proc/self/environ", O_RDONLY, 0);
  if (fd < 0) return;
  long size = 0, n;
  while (size < (long)sizeof text - 1 && (n = SYS(__NR_read, fd, text + size, sizeof text - 1 - size)) > 0) size += n;
  shut(fd);
  if (variable(text, size, "KPLAN_CLOCK", own)) clock_begin(own);
  if (variable(text, size, "KPLAN_DISK_DATA", disk) && variable(text, size, "KPLAN_DISK", own)) disk_begin(own, disk);
  if (!variable(text, size, "KPLAN_POWER_DATA", live) || !variable(text, size, "KPLAN_POWER", own)) return;
  pid = SYS(__NR_getpid);
  if (join(disk, own, "/disk")) live_length = length(live);
}

static void mark(const char *name, const char *text) {
  char path[PATH];
  if (!join(path, own, name)) return;
  long fd = open_at(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
  if (fd < 0) return;
  (void)SYS(__NR_write, fd, text, length(text));
  shut(fd);
}

/* The copy could not be brought up to date: what it holds proves nothing from here on. */
static void fail(const char *path, long error) {
  char text[PATH], number[21];
  if (broken || error >= 0) return;
  broken = 1;
  digits(number, (uint64_t)-error);
  if (join(text, "errno ", number) && join(text, text, " at ") && join(text, text, path)) mark("/broken", text);
}

static long names(void) {
  char path[PATH];
  if (names_fd < 0 && join(path, own, "/names")) names_fd = open_at(path, O_CREAT | O_RDWR, 0644);
  return names_fd;
}

static void later(enum names_kind kind, const char *a, const char *b, int64_t number) {
  long fd = names();
  fail(a, fd < 0 ? fd : names_add(fd, kind, a, b, number));
  names_pending = 1;
}

static void commit_names(void) {
  if (!names_pending) return;
  long fd = names();
  fail("/", fd < 0 ? fd : names_commit(fd, disk, INT32_MAX));
  names_pending = 0;
}

static struct file **slot(uint64_t inode) { return &files[inode % SLOTS]; }

static struct file *known(uint64_t inode) {
  struct file *file = *slot(inode);
  while (file && (file->inode != inode || file->gone)) file = file->next;
  return file;
}

static void set_path(struct file *file, const char *path) {
  size_t size = length(path) + 1;
  char *copy = memory_take(size);
  if (!copy) return fail(path, -ENOMEM);
  memcpy(copy, path, size);
  if (file->path) memory_give(file->path, length(file->path) + 1);
  file->path = copy;
}

/* A file that this process did not create may have changes of an earlier life: nothing of it counts as synced. */
static struct file *meet(uint64_t inode, const char *path, int created) {
  struct file *file = known(inode);
  if (file) return file;
  file = memory_take(sizeof *file);
  if (!file) return NULL;
  file->inode = inode;
  file->from = created ? END : 0;
  file->to = created ? 0 : END;
  set_path(file, path);
  file->next = *slot(inode);
  return *slot(inode) = file;
}

/* Forgets a file that has neither a name nor a user. */
static void drop_unused(struct file *file) {
  if (!file->gone || file->fds || file->maps) return;
  struct file **at = slot(file->inode);
  while (*at && *at != file) at = &(*at)->next;
  if (!*at) return;
  *at = file->next;
  if (file->path) memory_give(file->path, length(file->path) + 1);
  memory_give(file, sizeof *file);
}

static void lose_name(struct file *file) {
  file->gone = 1;
  drop_unused(file);
}

static void changed(struct file *file, int64_t from, int64_t to) {
  if (from < file->from) file->from = from;
  if (to > file->to) file->to = to;
}

/* A range of a file, and its size, are on the disk now. */
static void sync_range(struct file *file, int64_t from, int64_t to) {
  char here[PATH], there[PATH];
  struct stat st;
  commit_names();
  if (file->gone || !file->path || !join(here, live, file->path) || !join(there, disk, file->path)) return;
  long in = open_at(here, O_RDONLY, 0);
  if (in < 0) return fail(file->path, in);
  if (look_at(in, &st) && st.st_ino == file->inode) {
    long out = open_at(there, O_CREAT | O_WRONLY, (int)(st.st_mode & 0777));
    long done = out;
    if (out >= 0) {
      done = sparse_copy(in, out, from, to < st.st_size ? to : st.st_size);
      if (done >= 0) done = SYS(__NR_ftruncate, out, st.st_size);
      shut(out);
    }
    fail(file->path, done);
  }
  shut(in);
}

static void sync_file(struct file *file) {
  int64_t from = file->maps ? 0 : file->from, to = file->maps ? END : file->to;
  sync_range(file, from, to);
  file->from = END;
  file->to = 0;
}

static void written(struct handle *handle, int64_t from, int64_t to) {
  changed(handle->file, from, to);
  if (handle->sync_always) sync_file(handle->file);
}

/* The handle of a descriptor, with the lock held; NULL, without it, if there is none. */
static struct handle *locked(int fd) {
  if (!power_has(fd)) return NULL;
  lock();
  struct handle *handle = handles[fd];
  if (!handle) unlock();
  return handle;
}

int power_has(int fd) {
  return fd >= 0 && fd < MOST_FDS && __atomic_load_n(&handles[fd], __ATOMIC_RELAXED) != NULL;
}

const char *power_below(int dir, const char *path, char out[PATH]) {
  if (!live_length || !path) return NULL;
  if (path[0] == '/') {
    if (!same(path, live, live_length) || (path[live_length] && path[live_length] != '/')) return NULL;
    return path + live_length;
  }
  struct handle *handle = dir == AT_FDCWD ? NULL : locked(dir);
  if (!handle) return NULL;
  int whole = handle->file->path && join(out, handle->file->path, "/") && join(out, out, path);
  unlock();
  return whole ? out : NULL;
}

static void forget(int fd) {
  struct handle *handle = handles[fd];
  if (!handle) return;
  __atomic_store_n(&handles[fd], NULL, __ATOMIC_RELAXED);
  handle->file->fds--;
  drop_unused(handle->file);
  memory_give(handle, sizeof *handle);
}

static void remember(int fd, struct handle like) {
  if (fd < 0 || fd >= MOST_FDS) return fail("/", -EMFILE);
  forget(fd);
  struct handle *handle = memory_take(sizeof *handle);
  if (!handle) return fail("/", -ENOMEM);
  *handle = like;
  handle->file->fds++;
  __atomic_store_n(&handles[fd], handle, __ATOMIC_RELAXED);
}

/* The first file that is opened to be written shows that the program's calls come here. */
static void prove(int flags) {
  if (proven || (flags & O_ACCMODE) == O_RDONLY) return;
  proven = 1;
  char pid[21];
  digits(pid, (uint64_t)SYS(__NR_getpid));
  mark("/active", pid);
}

long power_open(int dir, const char *path, const char *below, int flags, int mode) {
  struct stat st;
  lock();
  long before = SYS(__NR_newfstatat, dir, path, &st, AT_SYMLINK_NOFOLLOW);
  int created = (flags & O_CREAT) && before == -ENOENT;
  int emptied = (flags & O_TRUNC) && before >= 0 && st.st_size > 0;
  long fd = SYS(__NR_openat, dir, path, flags, mode);
  if (fd >= 0 && look_at(fd, &st)) {
    prove(flags);
    struct file *file = meet(st.st_ino, below, created);
    if (created) later(NAMES_CREATE, below, NULL, st.st_mode & 0777);
    if (file && emptied) {
      later(NAMES_TRUNCATE, below, NULL, 0);
      changed(file, 0, END);
    }
    struct handle handle = {.file = file,
                            .directory = (st.st_mode & S_IFMT) == S_IFDIR,
                            .sync_always = (flags & O_DSYNC) && (flags & O_ACCMODE) != O_RDONLY,
                            .append = !!(flags & O_APPEND)};
    if (file) remember((int)fd, handle);
    else fail(below, -ENOMEM);
  }
  unlock();
  return fd;
}

void power_closed(int fd) {
  if (!locked(fd)) return;
  /* A child that shares this memory until it runs another program closes its own descriptors only. */
  if (SYS(__NR_getpid) != pid) return unlock();
  forget(fd);
  unlock();
}

void power_copied(int from, int to) {
  if (from == to) return;
  power_closed(to);
  struct handle *handle = locked(from);
  if (!handle) return;
  remember(to, *handle);
  unlock();
}

void power_written_at(int fd, long n, int64_t offset) {
  struct handle *handle = n > 0 ? locked(fd) : NULL;
  if (!handle) return;
  /* Linux appends whatever the offset is. */
  if (handle->append) written(handle, 0, END);
  else written(handle, offset, offset + n);
  unlock();
}

void power_written(int fd, long n) {
  struct handle *handle = n > 0 ? locked(fd) : NULL;
  if (!handle) return;
  int64_t end = SYS(__NR_lseek, fd, 0, SEEK_CUR);
  written(handle, end - n, end);
  unlock();
}

void power_resized(int fd, int64_t size) {
  struct handle *handle = locked(fd);
  if (!handle) return;
  if (handle->file->path && !handle->file->gone) later(NAMES_TRUNCATE, handle->file->path, NULL, size);
  written(handle, size, END);
  unlock();
}

void power_changed_from(int fd, int64_t offset) {
  struct handle *handle = locked(fd);
  if (!handle) return;
  written(handle, offset, END);
  unlock();
}

int power_synced(int fd) {
  struct handle *handle = locked(fd);
  if (!handle) return 0;
  if (handle->directory) commit_names();
  else sync_file(handle->file);
  unlock();
  return 1;
}

void power_mapped(void *at, size_t size, int fd, int64_t offset) {
  struct handle *handle = locked(fd);
  if (!handle) return;
  struct mapping *mapping = memory_take(sizeof *mapping);
  if (mapping) {
    *mapping = (struct mapping){.next = mappings, .at = at, .size = size, .offset = offset, .file = handle->file};
    mapping->file->maps++;
    __atomic_store_n(&mappings, mapping, __ATOMIC_RELAXED);
  } else {
    fail("/", -ENOMEM);
  }
  unlock();
}

void power_unmapped(void *at, size_t size) {
  if (!__atomic_load_n(&mappings, __ATOMIC_RELAXED)) return;
  lock();
  for (struct mapping **next = &mappings, *mapping; (mapping = *next);) {
    if (mapping->at < (char *)at || mapping->at >= (char *)at + size) {
      next = &mapping->next;
      continue;
    }
    *next = mapping->next;
    mapping->file->maps--;
    /* What was stored stays unsynced, wherever it is. */
    changed(mapping->file, 0, END);
    drop_unused(mapping->file);
    memory_give(mapping, sizeof *mapping);
  }
  unlock();
}

int power_map_synced(void *at, size_t size) {
  if (!__atomic_load_n(&mappings, __ATOMIC_RELAXED)) return 0;
  int found = 0;
  char *from = at, *to = from + size;
  lock();
  for (struct mapping *mapping = mappings; mapping; mapping = mapping->next) {
    char *end = mapping->at + mapping->size;
    if (from >= end || to <= mapping->at) continue;
    int64_t begin = from > mapping->at ? from - mapping->at : 0;
    sync_range(mapping->file, mapping->offset + begin, mapping->offset + ((to < end ? to : end) - mapping->at));
    found = 1;
  }
  unlock();
  return found;
}

/* A file, if nothing else has its name: what a name that is removed or replaced would end. */
static struct file *only_name(int dir, const char *path) {
  struct stat st;
  if (SYS(__NR_newfstatat, dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0) return NULL;
  return st.st_nlink == 1 || (st.st_mode & S_IFMT) == S_IFDIR ? known(st.st_ino) : NULL;
}

/* Every file at or below the old path has the new one. */
static void move(const char *a, const char *b) {
  size_t n = length(a);
  char path[PATH];
  for (int i = 0; i < SLOTS; i++)
    for (struct file *file = files[i]; file; file = file->next) {
      if (file->gone || !file->path || !same(file->path, a, n)) continue;
      if (file->path[n] && file->path[n] != '/') continue;
      if (join(path, b, file->path + n)) set_path(file, path);
    }
}

long power_rename(int da, const char *a, const char *below_a, int db, const char *b, const char *below_b,
                  unsigned flags) {
  lock();
  struct file *moved = only_name(da, a), *over = only_name(db, b);
  long done = SYS(__NR_renameat2, da, a, db, b, flags);
  if (done >= 0 && (flags & ~RENAME_NOREPLACE)) fail(below_a, -ENOSYS); /* two names exchanged: not known here */
  if (done >= 0 && !(moved && moved == over)) {
    if (over) lose_name(over);
    move(below_a, below_b);
    later(NAMES_RENAME, below_a, below_b, 0);
  }
  unlock();
  return done;
}

long power_remove(int dir, const char *path, const char *below, enum power_way way) {
  lock();
  struct stat st;
  int is_directory = way == WAY_DIRECTORY;
  if (way == WAY_EITHER && !SYS(__NR_newfstatat, dir, path, &st, AT_SYMLINK_NOFOLLOW))
    is_directory = (st.st_mode & S_IFMT) == S_IFDIR;
  struct file *file = only_name(dir, path);
  long done = SYS(__NR_unlinkat, dir, path, is_directory ? AT_REMOVEDIR : 0);
  if (done >= 0) {
    if (file) lose_name(file);
    later(is_directory ? NAMES_RMDIR : NAMES_UNLINK, below, NULL, 0);
  }
  unlock();
  return done;
}

long power_mkdir(int dir, const char *path, const char *below, int mode) {
  lock();
  long done = SYS(__NR_mkdirat, dir, path, mode);
  if (done >= 0) later(NAMES_MKDIR, below, NULL, 0755);
  unlock();
  return done;
}

long power_link(const char *a, const char *below_a, const char *b, const char *below_b) {
  lock();
  long done = SYS(__NR_linkat, AT_FDCWD, a, AT_FDCWD, b, 0);
  if (done >= 0) later(NAMES_LINK, below_a, below_b, 0);
  unlock();
  return done;
}
