# What `run` and `install-wstest` share. Sourced, not run.
# shellcheck shell=bash

say() { printf 'autobahn: %s\n' "$*"; }

# Status 2 is "no verdict was reached"; 1 is kept for a verdict that is bad.
die() {
    printf 'autobahn: error: %s\n' "$*" >&2
    exit 2
}

# The end of a log, so that a failure shows its cause at once.
show_tail() {
    [[ -s $1 ]] || return 0
    printf 'the end of %s:\n' "$1" >&2
    # awk, since it also ends a last line that its writer did not end.
    tail -n "${2:-15}" -- "$1" | awk '{ print "  | " $0 }' >&2
}

# Runs a command up to three times: a download that failed often works a moment
# later, and a check that fails for such reasons is soon no longer looked at.
retry() {
    local try
    for try in 1 2 3; do
        if "$@"; then return 0; fi
        if ((try < 3)); then sleep $((try * 2)); fi
    done
    return 1
}

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || die "this needs '$tool' on the PATH"
    done
}
