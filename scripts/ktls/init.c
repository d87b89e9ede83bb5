// The first process of the guest in which scripts/test-ktls.mjs runs the tests of kernel TLS: mounts what node needs,
// loads modules, runs one command and switches the machine off.
//   init MODULE[:MODULE...] COMMAND [ARGUMENT...] :
// What is behind the colon the kernel has added.
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int check(int result, const char* what) {
  if (result != 0) perror(what);
  return result;
}

static void mount_all(void) {
  check(mount("proc", "/proc", "proc", 0, NULL), "mount /proc");
  check(mount("sysfs", "/sys", "sysfs", 0, NULL), "mount /sys");
  // All that the tests write: the root is the host's, and read-only.
  check(mount("tmpfs", "/run", "tmpfs", 0, NULL), "mount /run");
}

static void load(char* modules) {
  for (char* module = strtok(modules, ":"); module != NULL; module = strtok(NULL, ":")) {
    const int fd = open(module, O_RDONLY | O_CLOEXEC);
    check(fd < 0 ? -1 : (int)syscall(SYS_finit_module, fd, "", 0), module);
    close(fd);
  }
}

static void loopback_up(void) {
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  check(ioctl(fd, SIOCSIFFLAGS, &request), "lo");
}

int main(int count, char** arguments) {
  if (count < 3) return 2;
  for (int i = 2; i < count; ++i) {
    if (strcmp(arguments[i], ":") == 0) arguments[i] = NULL, count = i;
  }
  mount_all();
  load(arguments[1]);
  loopback_up();
  const struct rlimit files = {4096, 4096};
  setrlimit(RLIMIT_NOFILE, &files);
  setenv("TMPDIR", "/run", 1);
  const pid_t child = fork();
  if (child == 0) {
    setsid();
    execv(arguments[2], arguments + 2);
    perror(arguments[2]);
    _exit(127);
  }
  int status = 0;
  while (wait(&status) != child) {  // orphans come to us too
  }
  printf("\nguest: status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  fflush(stdout);
  sync();
  reboot(RB_POWER_OFF);
  return 1;
}
