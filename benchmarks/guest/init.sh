#!/bin/sh
# The first process of a user-mode Linux guest that sees the machine's own files. It loads netem,
# measures what the job in a folder says (inside.py) and halts. Kernel command line: the Python to
# use (spanlab_python), where the project lies (spanlab_project), the folder (spanlab_folder).
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
for word in $(cat /proc/cmdline); do
    case "$word" in
        spanlab_python=*) python=${word#*=} ;;
        spanlab_project=*) project=${word#*=} ;;
        spanlab_folder=*) folder=${word#*=} ;;
    esac
done
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/guest/lib/modules
# modprobe looks for DIR/lib/modules; the guest's modules lie elsewhere on the machine.
mount --bind /usr/lib/uml/modules /run/guest/lib/modules
for module in sch_netem sch_htb sch_tbf sch_red sch_ingress cls_matchall cls_u32 act_gact \
    act_police act_mirred act_skbmod cls_basic em_meta veth tun; do
    modprobe -q -d /run/guest "$module"
done
ip link set lo up
cd "$project"
"$python" -m benchmarks.guest.inside "$folder" > "$folder/log" 2>&1
halt -f
