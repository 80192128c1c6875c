/* What a relay can reach at best on a machine: frames from one TAP device to another, both ways,
 * with nothing done to them. Usage: pump FIRST SECOND; says "ready", ends with its standard input. */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BATCH = 32, PRIORITY = 10 }; /* as spanlab's relay has them */

static int open_tap(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0)
        err(1, "%s", name);
    return tap;
}

int main(int argc, char **argv)
{
    static char frame[1 << 16];
    struct sched_param urgent = {.sched_priority = PRIORITY};
    struct pollfd polls[3] = {{.events = POLLIN}, {.events = POLLIN}, {.events = POLLIN}};

    if (argc != 3)
        errx(2, "usage: pump FIRST SECOND");
    for (int i = 0; i < 2; i++)
        polls[i].fd = open_tap(argv[i + 1]);
    sched_setscheduler(0, SCHED_FIFO, &urgent); /* where that is permitted */
    puts("ready");
    fflush(stdout);
    while (!polls[2].revents) {
        poll(polls, 3, -1);
        for (int i = 0; i < 2; i++)
            for (int n = 0; polls[i].revents & POLLIN && n < BATCH; n++) {
                ssize_t length = read(polls[i].fd, frame, sizeof frame);
                if (length <= 0)
                    break;
                if (write(polls[!i].fd, frame, length) != length)
                    err(1, "write");
            }
    }
    return 0;
}
