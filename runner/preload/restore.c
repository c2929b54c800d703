/* restore DATA POWER [SEED]: takes the power from a data directory whose processes are dead. Afterwards it holds what the
 * copy holds (power.c). With a seed, a share of what was not synced survives, as a kernel that was writing back leaves it:
 * of the pending changes of names the first few, and of the changed pages of files some, a few of them torn.
 *
 * Removes the mark `active` of the last life when it is done. Prints `files N bytes N`: how many files lost how much,
 * because they became shorter, or with a seed by their pages; then `held NAME` for each directory at the top that has a
 * log (*.log) with anything in it. Files at the top whose names begin with `.kplan-` stay. */
#include "names.h"
#include "sparse.h"
#include "sys.h"

#define PAGE 4096
#define SECTOR 512
/* Of 256: changed pages that survive, and those among them that are torn. */
#define SURVIVE 128
#define TORN 16

static char data[PATH], disk[PATH];
static uint64_t lost_files, lost_bytes, state;
static int seeded;

static void say(const char *text) { (void)SYS(__NR_write, 1, text, length(text)); }

static void stop(const char *what, const char *path, long error) {
  char number[21];
  digits(number, (uint64_t)-error);
  say(what);
  say(" ");
  say(path);
  say(": errno ");
  say(number);
  say("\n");
  for (;;) SYS(__NR_exit_group, 1);
}

static void must(const char *what, const char *path, long done) {
  if (done < 0) stop(what, path, done);
}

static uint64_t draw(void) { /* SplitMix64 */
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/* From here on the numbers depend on the seed and this name, and not on the order of a directory. */
static void draw_for(uint64_t seed, const char *name) {
  state = seed ^ 0xcbf29ce484222325;
  for (; *name; name++) state = (state ^ (uint8_t)*name) * 0x100000001b3;
}

static int is_directory(const struct stat *st) { return (st->st_mode & S_IFMT) == S_IFDIR; }

struct entry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

/* Calls a function with the path, below the top, of each entry of the directory at `top` + `below`. */
static void each(const char *top, const char *below, void (*visit)(const char *, void *), void *with) {
  char path[PATH], child[PATH], entries[8192];
  if (!join(path, top, below)) stop("read", below, -ENAMETOOLONG);
  long fd = open_at(path, O_RDONLY | O_DIRECTORY, 0), n;
  must("read", path, fd);
  while ((n = SYS(__NR_getdents64, fd, entries, sizeof entries)) > 0) {
    for (long at = 0; at < n; at += ((struct entry *)(entries + at))->size) {
      const char *name = ((struct entry *)(entries + at))->name;
      if (same(name, ".", 2) || same(name, "..", 3)) continue;
      if (!join(child, below, "/") || !join(child, child, name)) stop("read", path, -ENAMETOOLONG);
      visit(child, with);
    }
  }
  must("read", path, n);
  shut(fd);
}

/* Writes down what a file has behind a size, and is about to lose. Holes do not count: Kafka's index files are long and
 * have next to nothing in them. */
static void count_lost(const char *path, int64_t at) {
  long fd = open_at(path, O_RDONLY, 0);
  must("read", path, fd);
  uint64_t lost = 0;
  for (int64_t data; (data = SYS(__NR_lseek, fd, at, SEEK_DATA)) >= 0;) {
    at = SYS(__NR_lseek, fd, data, SEEK_HOLE);
    if (at <= data) break;
    lost += (uint64_t)(at - data);
  }
  shut(fd);
  lost_files += lost > 0;
  lost_bytes += lost;
}

static void remove_all(const char *below, void *unused) {
  char path[PATH];
  struct stat st;
  (void)unused;
  if (!join(path, data, below) || !look(path, &st)) return;
  if (is_directory(&st)) each(data, below, remove_all, NULL);
  else count_lost(path, 0);
  must("remove", path, SYS(__NR_unlinkat, AT_FDCWD, path, is_directory(&st) ? AT_REMOVEDIR : 0));
}

/* Removes what the disk does not have. */
static void sweep(const char *below, void *unused) {
  char here[PATH], there[PATH];
  struct stat has, held;
  (void)unused;
  if (same(below, "/.kplan-", 8)) return;
  if (!join(here, data, below) || !join(there, disk, below) || !look(here, &has)) return;
  if (look(there, &held) && is_directory(&has) == is_directory(&held)) {
    if (is_directory(&has)) each(data, below, sweep, NULL);
    return;
  }
  remove_all(below, NULL);
}

/* Makes everything that the disk has. */
static void fill(const char *below, void *unused) {
  char here[PATH], there[PATH];
  struct stat held;
  (void)unused;
  if (!join(here, data, below) || !join(there, disk, below) || !look(there, &held)) return;
  if (is_directory(&held)) {
    long made = SYS(__NR_mkdirat, AT_FDCWD, here, held.st_mode & 0777);
    if (made != -EEXIST) must("make", here, made);
    return each(disk, below, fill, NULL);
  }
  struct stat has;
  if (!seeded && look(here, &has)) count_lost(here, held.st_size); /* with a seed, pages were counted */
  (void)SYS(__NR_unlinkat, AT_FDCWD, here, 0);
  long from = open_at(there, O_RDONLY, 0), to = open_at(here, O_CREAT | O_EXCL | O_WRONLY, held.st_mode & 0777);
  must("read", there, from);
  must("make", here, to);
  must("copy", here, sparse_copy(from, to, 0, held.st_size));
  must("copy", here, SYS(__NR_ftruncate, to, held.st_size));
  shut(from);
  shut(to);
}

/* A page of the data may survive in the copy: all of it, or its first sectors. Returns how many bytes do not. */
static long keep_page(const char *path, long to, const char *page, long n, int64_t at) {
  uint64_t drawn = draw();
  if ((drawn & 255) >= SURVIVE) return n;
  long part = n;
  if (((drawn >> 8) & 255) < TORN) part = (long)(1 + (drawn >> 16) % (PAGE / SECTOR - 1)) * SECTOR;
  if (part > n) part = n;
  long done = SYS(__NR_pwrite64, to, page, part, at);
  must("write", path, done == part ? 0 : done < 0 ? done : -EIO);
  return n - part;
}

/* Some of the pages that differ survive. The copy grows up to the last of them: its size is written with it. */
static void keep_pages(const char *below, void *with) {
  char here[PATH], there[PATH];
  static char new[PAGE], old[PAGE];
  struct stat has, held;
  uint64_t seed = *(uint64_t *)with;
  if (!join(here, data, below) || !join(there, disk, below)) return;
  if (!look(here, &has) || !look(there, &held) || is_directory(&has) != is_directory(&held)) return;
  if (is_directory(&has)) return each(data, below, keep_pages, with);
  draw_for(seed, below);
  long from = open_at(here, O_RDONLY, 0), to = open_at(there, O_RDWR, 0);
  must("read", here, from);
  must("write", there, to);
  int64_t at = 0, next;
  uint64_t lost = 0;
  while ((next = SYS(__NR_lseek, from, at, SEEK_DATA)) >= 0 && next < (int64_t)has.st_size) {
    at = next & ~(int64_t)(PAGE - 1);
    long n = SYS(__NR_pread64, from, new, PAGE, at);
    must("read", here, n);
    memset(old, 0, PAGE);
    long known = SYS(__NR_pread64, to, old, PAGE, at);
    must("read", there, known);
    int differs = known < n;
    for (long i = 0; i < n && !differs; i++) differs = new[i] != old[i];
    if (differs) lost += keep_page(there, to, new, n, at);
    at += PAGE;
  }
  lost_files += lost > 0;
  lost_bytes += lost;
  shut(from);
  shut(to);
}

static void power_off(const char *power, uint64_t seed) {
  char names[PATH];
  if (!join(disk, power, "/disk") || !join(names, power, "/names")) stop("use", power, -ENAMETOOLONG);
  long fd = open_at(names, O_CREAT | O_RDWR, 0644);
  must("open", names, fd);
  if (seeded) {
    /* How many there are is known when all are carried out: the drawn number is small, as few are pending. */
    draw_for(seed, "names");
    must("carry out", names, names_commit(fd, disk, (long)(draw() % 16)));
    each(data, "", keep_pages, &seed);
  }
  must("empty", names, SYS(__NR_ftruncate, fd, 0));
  shut(fd);
  each(data, "", sweep, NULL);
  each(disk, "", fill, NULL);
  /* Last: who looks for it knows that the power is gone, and that all of this is done. */
  if (join(names, power, "/active")) (void)SYS(__NR_unlinkat, AT_FDCWD, names, 0);
}

static int ends_with(const char *text, const char *end) {
  size_t n = length(text), m = length(end);
  return n >= m && same(text + n - m, end, m + 1);
}

/* Notes that a log has anything in it. */
static void look_into(const char *below, void *has) {
  char path[PATH];
  struct stat st;
  if (ends_with(below, ".log") && join(path, data, below) && look(path, &st) && st.st_size) *(int *)has = 1;
}

static void tell_held(const char *below, void *unused) {
  char path[PATH];
  struct stat st;
  int has = 0;
  (void)unused;
  if (!join(path, data, below) || !look(path, &st) || !is_directory(&st)) return;
  each(data, below, look_into, &has);
  if (!has) return;
  say("held ");
  say(below + 1);
  say("\n");
}

static uint64_t number(const char *text) {
  uint64_t n = 0;
  for (; *text >= '0' && *text <= '9'; text++) n = n * 10 + (uint64_t)(*text - '0');
  return n;
}

/* The kernel's stack: the number of arguments, then they. */
__attribute__((used)) static void start(long *stack) {
  char **arguments = (char **)(stack + 1);
  if (stack[0] < 3 || !join(data, arguments[1], "")) stop("use", "restore DATA POWER [SEED]", -EINVAL);
  seeded = stack[0] > 3;
  power_off(arguments[2], seeded ? number(arguments[3]) : 0);
  char text[21];
  say("files ");
  digits(text, lost_files);
  say(text);
  say(" bytes ");
  digits(text, lost_bytes);
  say(text);
  say("\n");
  each(data, "", tell_held, NULL);
  for (;;) SYS(__NR_exit_group, 0);
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call start\n");
#else
__asm__(".globl _start\n_start:\n  mov x0, sp\n  bl start\n");
#endif
