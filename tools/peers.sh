#!/bin/sh
# The real programs that tests talk to (tests/peers.toml). As root on Debian they are installed from Debian's packages, and
# no daemon of theirs is started, now or at the next boot. Without root: one line says what is absent and which tests that
# leaves out. Never fails the build.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/sbin"

programs=$(sed -n 's/^\([a-z0-9_-]*\) *= *".*"$/\1/p' tests/peers.toml)
packages_of() { sed -n "s/^$1 *= *\"\(.*\)\"\$/\1/p" tests/peers.toml; }
present() { command -v "$1" >/dev/null 2>&1; }
absent() { for program in $programs; do present "$program" || echo "$program"; done; }
tests_of() { grep -rlE "peer\(\"$1\"\)" tests --include='*.py' 2>/dev/null | sed 's|^tests/||' | sort | tr '\n' ' '; }

say_absent() {
    line=""
    for program in $1; do
        tests=$(tests_of "$program")
        line="$line $program (${tests:-no test needs it }"
        line="${line% }),"
    done
    echo "absent peers, and the tests that use them:${line%,}${2:+. $2}"
}

missing=$(absent)
[ -n "$missing" ] || exit 0
wanted=$(for program in $missing; do packages_of "$program"; done | tr ' ' '\n' | sort -u | tr '\n' ' ')
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1 || ! [ -f /etc/debian_version ]; then
    say_absent "$missing" "To install them, as root: apt-get install $wanted"
    exit 0
fi

# invoke-rc.d asks this file whether it may start a daemon; 101 means no. One that was there already is put back.
policy=/usr/sbin/policy-rc.d
room=$(mktemp -d)
restore() {
    if [ -e "$room/policy" ]; then mv -f "$room/policy" "$policy"; elif [ -e "$room/ours" ]; then rm -f "$policy"; fi
    rm -rf "$room"
}
trap restore EXIT
trap 'exit 1' HUP INT TERM
if [ -e "$policy" ]; then mv "$policy" "$room/policy"; fi
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"
touch "$room/ours"

install() {
    # shellcheck disable=SC2086 - a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 \
        -o Acquire::Retries=1 -o Acquire::http::Timeout=20 $wanted >"$room/log" 2>&1
}
units() { find /lib/systemd/system /usr/lib/systemd/system -maxdepth 1 -name '*.service' 2>/dev/null | sort; }

echo "installing the real peers that tests talk to: $wanted..."
units >"$room/before"
install || { apt-get update -qq >"$room/update" 2>&1 && install; } || tail -n 2 "$room/log" >&2
# A package may ask that its daemon starts at the next boot: take that back.
units | grep -vxFf "$room/before" | while read -r unit; do
    name=$(basename "$unit" .service)
    if command -v systemctl >/dev/null 2>&1; then systemctl --root=/ disable "$name.service" >/dev/null 2>&1 || true; fi
    if [ -e "/etc/init.d/$name" ]; then update-rc.d "$name" disable >/dev/null 2>&1 || true; fi
done
missing=$(absent)
[ -z "$missing" ] || say_absent "$missing" "They could not be installed just now"
exit 0
