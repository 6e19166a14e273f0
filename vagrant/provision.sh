#!/bin/sh
# Makes a Debian machine a host that boots from its user data, of what the Vagrantfile has put below
# /tmp/fleet. Arguments: its address, and the packages that it needs.
set -eu
address=$1
shift
from=/tmp/fleet
policy=/usr/sbin/policy-rc.d
trap 'rm -rf "$from" "$policy"' EXIT

chmod 755 "$from"/root/usr/bin/*
if ! "$from/root/usr/bin/fleetd" --version; then
    echo 'fleetd does not run here: build it on this version of Debian, or an older one' >&2
    exit 1
fi

if ! dpkg --status "$@" >/dev/null 2>&1; then
    # What etcd is to be, the user data say: a start by its package would make it a member of its own.
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    apt-get -qy --no-install-recommends install "$@"
    rm "$policy"
fi
# Its script of before systemd, if there is one, is in nobody's way.
SYSTEMCTL_SKIP_SYSV=1 systemctl --quiet disable etcd.service

# Whoever pulls `busybox` means that of docker.
mkdir -p /etc/containers/registries.conf.d
echo 'unqualified-search-registries = ["docker.io"]' >/etc/containers/registries.conf.d/docker.conf
touch /etc/containers/nodocker

cp -rT --no-preserve=ownership --remove-destination "$from/root" /
systemd-sysusers
usermod --append --groups fleet "${SUDO_USER:-vagrant}"
systemctl daemon-reexec
systemctl try-restart fleet.service

# The route to the world goes through an address that all machines have alike.
touch /etc/environment
for kind in PRIVATE PUBLIC; do
    sed -i "/^COREOS_${kind}_IPV4=/d" /etc/environment
    echo "COREOS_${kind}_IPV4=$address" >>/etc/environment
done
install -D -m 600 "$from/user-data" /var/lib/coreos-vagrant/vagrantfile-user-data

systemctl --quiet enable cloud-config-early.service cloud-config.service
systemctl restart cloud-config.service
