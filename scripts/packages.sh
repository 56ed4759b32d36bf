# Sourced by quickstart and test: which Debian packages are needed, and how they are installed.
# SPDX-License-Identifier: MIT

BUILD_PACKAGES="gcc cmake ninja-build pkg-config libc6-dev libevent-dev libc-ares-dev \
libdb5.3-dev libpcre2-dev libxxhash-dev libssl-dev libidn2-dev liblmdb-dev libcdb-dev"
TEST_PACKAGES="clang clang-tidy clang-format libclang-rt-14-dev libcmocka-dev python3 \
python3-pytest valgrind mandoc swaks libio-socket-inet6-perl libnet-ssleay-perl s-nail curl dovecot-imapd dovecot-pop3d openssl sasl2-bin \
universal-ctags strace"
# bench/: perf, what the load generators and the plots need.
BENCH_PACKAGES="linux-perf libssl-dev openssl python3-matplotlib"

missing_packages() {
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' ||
            printf '%s ' "$package"
    done
}

# Install what is missing of the packages named, or say how to.
need_packages() {
    if ! command -v dpkg-query >/dev/null 2>&1; then
        echo "This is not a Debian system: please install the equivalents of: $*" >&2
        return 0
    fi
    missing=$(missing_packages "$@")
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        echo "Missing packages. As root: apt-get install $missing" >&2
        return 1
    fi
    echo "Installing: $missing"
    # A policy that denies starting services: the test machine's own Dovecot stays down.
    policy=/usr/sbin/policy-rc.d
    made_policy=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && made_policy=yes
    fi
    status=0
    { apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
        --no-install-recommends $missing >/dev/null; } || status=1
    [ -n "$made_policy" ] && rm -f "$policy"
    [ "$status" -eq 0 ] || echo "apt-get install failed" >&2
    return "$status"
}
