/* Makes frames on network devices and watches them come out of others, for measuring what is
 * between. All through packet sockets, in one thread.
 *
 * traffic flood BYTES WINDOW SECONDS WARM PRIORITY NEAR FAR [FAR NEAR]
 *   keeps WINDOW frames on their way from NEAR to FAR (and from FAR to NEAR); prints per direction
 *   "sent received missing refused", then up to eleven times "received at_ns", taken when a frame
 *   arrived, from WARM seconds on to the end at equal distances.
 * traffic probe BYTES COUNT GAP_NS PRIORITY NEAR FAR [NEAR FAR ...]
 *   sends COUNT frames, GAP_NS apart, through every pair at once; prints for each that arrived
 *   "pair sequence delay_ns".
 *
 * PRIORITY is this process's under SCHED_FIFO, 0 for an ordinary one.
 *
 * Frames have ethertype 0x88b5 (IEEE's first for local experiments), BYTES counts the header.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ETHERTYPE = 0x88b5, BATCH = 32, MAX_FRAME = 1 << 16, MAX_PAIRS = 64, MARKS = 11, NAP_NS = 20000 };

struct label { /* what a frame carries behind its Ethernet header */
    uint64_t sequence;
    int64_t sent_ns;
} __attribute__((packed));

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void hurry(int priority)
{
    struct sched_param urgent = {.sched_priority = priority};
    if (priority)
        sched_setscheduler(0, SCHED_FIFO, &urgent); /* where that is permitted */
    prctl(PR_SET_TIMERSLACK, 1);
}

static int open_device(const char *name)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE)};
    int size = 64 << 20, yes = 1, s = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);

    address.sll_ifindex = if_nametoindex(name);
    if (s < 0 || !address.sll_ifindex || bind(s, (void *)&address, sizeof address) < 0)
        err(1, "%s", name);
    setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    /* A device that cannot take a frame then says so, instead of dropping it silently. */
    setsockopt(s, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes);
    return s;
}

/* Frames to send and the head of those received, a batch of each. */
static unsigned char out[BATCH][MAX_FRAME], in[BATCH][ETH_HLEN + sizeof(struct label)];
static struct iovec out_parts[BATCH], in_parts[BATCH];
static struct mmsghdr out_messages[BATCH], in_messages[BATCH];

static void prepare(int bytes)
{
    for (int i = 0; i < BATCH; i++) {
        memset(out[i], 0xff, ETH_ALEN);
        memcpy(out[i] + ETH_ALEN, "\x02\0\0\0\0\x01\x88\xb5", ETH_ALEN + 2);
        out_parts[i] = (struct iovec){out[i], bytes};
        in_parts[i] = (struct iovec){in[i], sizeof in[i]};
        out_messages[i].msg_hdr = (struct msghdr){.msg_iov = &out_parts[i], .msg_iovlen = 1};
        in_messages[i].msg_hdr = (struct msghdr){.msg_iov = &in_parts[i], .msg_iovlen = 1};
    }
}

static struct label *label_of(unsigned char *frame) { return (void *)(frame + ETH_HLEN); }

struct way {
    int near, far;
    uint64_t sent, received, next, refused;
    int64_t heard_ns, mark_ns;
    int marks;
    struct { uint64_t received; int64_t at_ns; } mark[MARKS];
};

/* Returns whether there was anything to do. */
static int flood_once(struct way *way, uint64_t window, int64_t apart_ns)
{
    int64_t now = now_ns();
    int got = recvmmsg(way->far, in_messages, BATCH, MSG_TRUNC, NULL);

    for (int i = 0; i < got; i++) {
        way->received++;
        way->next = label_of(in[i])->sequence + 1;
    }
    if (got > 0) {
        way->heard_ns = now = now_ns();
        if (now >= way->mark_ns && way->marks < MARKS) {
            way->mark[way->marks].received = way->received;
            way->mark[way->marks++].at_ns = now;
            way->mark_ns += apart_ns;
        }
    } else if (now - way->heard_ns > 2000000000) {
        way->next = way->sent; /* all of the window was lost */
        way->heard_ns = now;
    }
    /* In bursts of half a window: a reader that slept on single frames would be woken for each. */
    if (window - (way->sent - way->next) < (window + 1) / 2)
        return got > 0;
    while (way->sent - way->next < window) {
        uint64_t room = window - (way->sent - way->next);
        int batch = room < BATCH ? room : BATCH;
        for (int i = 0; i < batch; i++)
            *label_of(out[i]) = (struct label){way->sent + i, now};
        int sent = sendmmsg(way->near, out_messages, batch, 0);
        if (sent < 0 && errno != ENOBUFS && errno != EAGAIN)
            err(1, "send");
        way->sent += sent > 0 ? sent : 0;
        if (sent < batch) {
            way->refused++;
            return got > 0 || sent > 0;
        }
    }
    return 1;
}

static void flood(char **arguments, int count)
{
    static struct way ways[2];
    uint64_t window = atoi(arguments[1]);
    int64_t begin = now_ns(), end = begin + atof(arguments[2]) * 1e9;
    int64_t warm = begin + atof(arguments[3]) * 1e9;
    int64_t apart = (end - warm) / MARKS; /* the last comes before the end */

    prepare(atoi(arguments[0]));
    hurry(atoi(arguments[4]));
    for (int i = 0; i < count / 2; i++)
        ways[i] = (struct way){.near = open_device(arguments[5 + 2 * i]),
                               .far = open_device(arguments[6 + 2 * i]),
                               .heard_ns = begin,
                               .mark_ns = warm};
    while (now_ns() < end) {
        int worked = 0;
        for (int i = 0; i < count / 2; i++)
            worked |= flood_once(&ways[i], window, apart);
        if (!worked) /* not by poll: what carries the frames would have to wake this process */
            nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    }
    for (int i = 0; i < count / 2; i++) {
        printf("%lu %lu %lu %lu", ways[i].sent, ways[i].received,
               ways[i].next - ways[i].received, ways[i].refused);
        for (int m = 0; m < ways[i].marks; m++)
            printf(" %lu %ld", ways[i].mark[m].received, ways[i].mark[m].at_ns);
        puts("");
    }
}

static void probe(char **arguments, int count)
{
    int pairs = count / 2, near[MAX_PAIRS];
    struct pollfd far[MAX_PAIRS];
    int64_t frames = atoll(arguments[1]), gap = atoll(arguments[2]);
    const int64_t linger = 1500000000;

    if (pairs > MAX_PAIRS)
        errx(2, "at most %d pairs", MAX_PAIRS);
    prepare(atoi(arguments[0]));
    for (int i = 0; i < pairs; i++) {
        near[i] = open_device(arguments[4 + 2 * i]);
        far[i] = (struct pollfd){.fd = open_device(arguments[5 + 2 * i]), .events = POLLIN};
    }
    hurry(atoi(arguments[3]));
    int64_t begin = now_ns(), end = begin + frames * gap + linger, turn = 0;
    for (int64_t now = begin; now < end; now = now_ns()) {
        /* The pairs take turns, so that their frames do not meet. */
        int64_t due = turn < frames * pairs ? begin + turn * gap / pairs : end;
        if (now >= due) {
            int pair = turn % pairs;
            *label_of(out[0]) = (struct label){turn / pairs, now_ns()};
            if (send(near[pair], out[0], out_parts[0].iov_len, 0) >= 0)
                turn++;
            else if (errno == ENOBUFS) /* the device is full: again, a little later */
                nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
            else
                err(1, "send");
            continue;
        }
        struct timespec wait = {(due - now) / 1000000000, (due - now) % 1000000000};
        if (ppoll(far, pairs, &wait, NULL) <= 0)
            continue;
        for (int i = 0; i < pairs; i++)
            while (far[i].revents & POLLIN && recv(far[i].fd, in[0], sizeof in[0], 0) > 0)
                printf("%d %lu %ld\n", i, label_of(in[0])->sequence,
                       now_ns() - label_of(in[0])->sent_ns);
    }
}

int main(int argc, char **argv)
{
    if (argc >= 9 && argc % 2 == 1 && !strcmp(argv[1], "flood"))
        flood(argv + 2, argc - 7);
    else if (argc >= 8 && argc % 2 == 0 && !strcmp(argv[1], "probe"))
        probe(argv + 2, argc - 6);
    else
        errx(2, "usage: see the head of traffic.c");
    return 0;
}
