/* Preloaded into qhop: strikes as soon as a line is in the record of its steps, before qhop does anything else. A step is
 * noted before it is taken.
 *
 * STRIKE_LINE: so many lines on record, or STRIKE_STEP: a step of that name. STRIKE_SIGNAL (9) is sent to the QEMU that the
 * record names STRIKE_VM, or to qhop itself, STRIKE_AFTER microseconds later; with STRIKE_FULL the record's disk is filled
 * up instead. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static long lines;
static char step[64], name[64];
static int armed, struck, whom, sign, full, after;

static const char *given(const char *variable) {
    const char *text = getenv(variable);
    return text ? text : "";
}

__attribute__((constructor)) static void begin(void) {
    lines = atol(given("STRIKE_LINE"));
    if (*given("STRIKE_STEP")) snprintf(step, sizeof step, "\"step\":\"%s\"", given("STRIKE_STEP"));
    if (*given("STRIKE_VM")) snprintf(name, sizeof name, "\"vm\":{\"name\":\"%s\",\"pid\":", given("STRIKE_VM"));
    sign = *given("STRIKE_SIGNAL") ? atoi(given("STRIKE_SIGNAL")) : SIGKILL;
    full = *given("STRIKE_FULL") != 0;
    after = atoi(given("STRIKE_AFTER"));
    armed = lines || *step;
    /* Not into the QEMUs. */
    unsetenv("LD_PRELOAD");
}

static void fill(char *path) {
    static const char zeros[4096];
    strcpy(strrchr(path, '/'), "/full");
    int file = open(path, O_CREAT | O_WRONLY, 0600);
    while (syscall(SYS_write, file, zeros, sizeof zeros) > 0) {}
    close(file);
}

static void strike(char *path) {
    struck = 1;
    if (full) return fill(path);
    int victim = *name ? whom : getpid();
    /* Meanwhile qhop goes on. */
    if (after && fork()) return;
    if (after) usleep(after);
    if (victim > 0) kill(victim, sign);
    if (after) _exit(0);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    ssize_t written = syscall(SYS_write, fd, bytes, count);
    char link[64], path[4096], line[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = armed && !struck ? readlink(link, path, sizeof path - 1) : 0;
    if (length < 6 || memcmp(path + length - 6, "/steps", 6)) return written;
    path[length] = 0;
    snprintf(line, sizeof line, "%.*s", (int)count, (const char *)bytes);
    char *vm = *name ? strstr(line, name) : NULL;
    if (vm) whom = atoi(vm + strlen(name));
    if (*step ? strstr(line, step) != NULL : --lines == 0) strike(path);
    return written;
}
