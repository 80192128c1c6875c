#!/bin/bash
# The first process of a clean Debian machine: a root of its own in memory, namespaces of its own,
# the kernel and the network of the machine it runs on. Nothing of it outlives the process.
#
#     provision.sh RELEASE MIRROR PROJECT SETTINGS COMMAND...
#
# PROJECT is an archive of the checkout; SETTINGS is a folder: files under etc/ for the clean machine,
# and in "folders" those of this machine that package indexes need, seen read-only. Each COMMAND is
# run as an ordinary user with sudo, as Vagrant does; after it a line says how it ended and how long
# it took. The first that fails is the last.
set -euo pipefail
release=$1 mirror=$2 project=$3 settings=$4
shift 4

root=$settings/root
mkdir "$root"
mount --make-rprivate /
mount -t tmpfs -o mode=755,size=8g clean "$root"
debootstrap --variant=minbase --include=sudo "$release" "$root" "$mirror" >&2

hostname spanlab
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o mode=755 dev "$root/dev"
while read -r name major minor; do
  mkdir -p "$(dirname "$root/dev/$name")"
  mknod -m 666 "$root/dev/$name" c "$major" "$minor"
done <<'END'
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
net/tun 10 200
END
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"

printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # there is no init to start services
chmod +x "$root/usr/sbin/policy-rc.d"
cp -rL "$settings/etc" "$root/"
while read -r folder; do
  mkdir -p "$root$folder"
  mount --bind "$folder" "$root$folder"
  mount -o remount,bind,ro "$root$folder"
done <"$settings/folders"

chroot "$root" useradd --create-home --shell /bin/bash vagrant
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/vagrant"
mkdir "$root/home/vagrant/spanlab"
tar -C "$root/home/vagrant/spanlab" -xf "$project"
chroot "$root" chown -R vagrant:vagrant /home/vagrant

# Its own root, not a chroot: who joins a mount namespace, as Mininet's hosts do, finds its real one.
mkdir "$root/outside"
cd "$root"
pivot_root . outside
cd /
umount --lazy /outside
rmdir /outside
hash -r
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

for command in "$@"; do
  start=$SECONDS code=0
  printf '== %s\n' "$command"
  su - vagrant -c "$command" </dev/null 2>&1 || code=$?
  printf '\n-- ended with %d after %d s\n' "$code" $((SECONDS - start))
  ((code == 0)) || exit 1
done
