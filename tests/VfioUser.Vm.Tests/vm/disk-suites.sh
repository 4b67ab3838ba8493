#!/bin/bash
# In the guest: runs tests of one of Linux's suites, whose archive is in /files, for so long at most. Prints a line for each test.
# Usage: disk-suites.sh blktests SECONDS TEST...          on /dev/vda
#        disk-suites.sh xfstests SECONDS ARGUMENT...      of its check, on ext4 on /dev/vda and /dev/vdb
suite=$1 seconds=$2; shift 2
hash -r
dmesg -n 1 # the kernel's messages are read afterwards, and stand in nobody's line
ln -sf gawk /bin/awk
ln -sf kmod /bin/modprobe
printf '#!/bin/sh\nexit 0\n' >/bin/udevadm; chmod +x /bin/udevadm # there is no udev, and nothing to settle
mkdir -p /dev/shm /dev/pts /sys/kernel/debug /var/tmp /var/lib /var/run /usr/sbin /usr/bin /test /scratch
mount -t tmpfs shm /dev/shm; mount -t devpts pts /dev/pts; mount -t debugfs debug /sys/kernel/debug
chmod 1777 /tmp /var/tmp
ln -sf /proc/mounts /etc/mtab
ln -sf /proc/self/fd /dev/fd
printf 'root:x:0:0::/:/bin/bash\nfsgqa:x:1000:1000::/tmp:/bin/bash\nfsgqa2:x:1001:1001::/tmp:/bin/bash\n123456-fsgqa:x:1002:1002::/tmp:/bin/bash\n' >/etc/passwd
printf 'root:x:0:\nsys:x:3:\nfsgqa:x:1000:\nfsgqa2:x:1001:\n123456-fsgqa:x:1002:\n' >/etc/group
hostname guest
mkdir /suite && tar -xf "/files/$suite.tar" -C /suite && rm "/files/$suite.tar" && cd /suite || exit 9

case $suite in
  blktests)
    printf 'TEST_DEVS=(/dev/vda)\nDEVICE_ONLY=1\nTIMEOUT=30\n' >config
    timeout -s INT "$seconds" ./check "$@" 2>&1 | cat # which is no terminal
    code=${PIPESTATUS[0]}
    ;;
  xfstests)
    export DM_DISABLE_UDEV=1 FSTYP=ext4 TEST_DEV=/dev/vda TEST_DIR=/test SCRATCH_DEV=/dev/vdb SCRATCH_MNT=/scratch LOGWRITES_DEV=/dev/vdc
    mkfs.ext4 -q -F /dev/vda >/dev/null 2>&1
    timeout -s INT "$seconds" ./check "$@" 2>&1 | cat # which is no terminal
    code=${PIPESTATUS[0]}
    ;;
esac
exit "$code"
