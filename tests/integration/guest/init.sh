#!/bin/sh
# The first process of a user-mode Linux guest that sees the machine's own files. It loads the
# kernel's netem and Open vSwitch, runs the shell script "job" of a folder, and halts. Kernel command
# line: the Python to use (spanlab_python), the folder to work in (spanlab_folder).
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
for word in $(cat /proc/cmdline); do
    case "$word" in
        spanlab_python=*) python=${word#*=} ;;
        spanlab_folder=*) folder=${word#*=} ;;
    esac
done
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /run
# modprobe looks for DIR/lib/modules; the guest's modules lie elsewhere on the machine.
mkdir -p /run/guest/lib/modules
mount --bind /usr/lib/uml/modules /run/guest/lib/modules
for module in sch_netem sch_tbf sch_red sch_ingress cls_matchall act_gact act_police act_mirred \
    openvswitch veth tun; do
    modprobe -d /run/guest "$module"
done
ip link set lo up
# Before 10 s of uptime Open vSwitch counts no processors here and handles no first packet.
while [ "$(cut -d. -f1 /proc/uptime)" -lt 12 ]; do sleep 0.5; done
cd "$folder"
python=$python sh job > log 2>&1
echo $? > code
halt -f
