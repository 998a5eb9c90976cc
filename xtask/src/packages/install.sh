# Runs as root: installs the Debian package $1. Debian starts a package's service on installation and
# makes a database cluster: a policy-rc.d that forbids starting services stands in place meanwhile,
# unless there is one, and the cluster goes to a folder that is thrown away.
set -eu
policy=/usr/sbin/policy-rc.d own_policy= scratch=$(mktemp -d)
trap 'rm -rf "$scratch" $own_policy' EXIT
chmod 755 "$scratch"
install -d -m 777 "$scratch/data" "$scratch/clusters"
printf "data_directory = '%s/data/%%v/%%c'\n" "$scratch" >"$scratch/createcluster.conf"
if [ ! -e $policy ]; then
    own_policy=$policy
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
fi
if [ -z "$(find /var/lib/apt/lists -name '*_Packages*' -mtime -1 2>/dev/null | head -n 1)" ]; then
    apt-get update
fi
DEBIAN_FRONTEND=noninteractive PG_CLUSTER_CONF_ROOT=$scratch/clusters PGSYSCONFDIR=$scratch \
    apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$1"
