# shellcheck shell=bash
# The virtual environment .venv, which demo, test, check and bench share. Sourced by them, never run.
#
# What was installed is written down when it is done, in .venv/installed-*: a hash of what it came from. Where that is
# right nothing is done: no network, no pip, a tenth of a second. An install that was cut off half-way leaves
# .venv/installing behind, and the next run makes .venv anew (pip keeps what it downloaded).

oldest_python="3, 11" # pyproject.toml: requires-python

fail() { # EXIT-CODE TEXT...
    local code=$1
    shift
    printf 'edged: %s\n' "$@" >&2
    exit "$code"
}

# The interpreter that .venv is made with; $PYTHON names another one.
find_python() {
    local candidate found=""
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        command -v "$candidate" >/dev/null || continue
        if "$candidate" -c "import sys; sys.exit(sys.version_info < ($oldest_python))" 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
        found+="${found:+, }$candidate ($("$candidate" --version 2>&1 || true))"
    done
    fail 69 "needs Python 3.11 or newer, and there is ${found:-none} here." \
        "Debian 12, Raspberry Pi OS and Ubuntu 24.04 have it: apt-get install python3 python3-venv" \
        "Elsewhere, name one that you have: PYTHON=/path/to/python3.12 $0"
}

# Which of Debian's packages brings `venv` for this interpreter; nothing where it is there.
missing_venv_package() { # PYTHON
    if ! "$1" -c 'import ensurepip, venv' 2>/dev/null; then
        case ${1##*/} in python3.*) printf '%s-venv\n' "${1##*/}" ;; *) printf 'python3-venv\n' ;; esac
    fi
}

# Debian's packages, installed where this user may (root, or sudo without a password), else named.
install_packages() { # PACKAGE...
    local as_root=()
    if ! command -v apt-get >/dev/null; then
        fail 69 "please install, by your system's own means: $*"
    elif [[ $EUID -ne 0 ]]; then
        if ! sudo -n true 2>/dev/null; then
            fail 69 "please install what is missing, then run this again: sudo apt-get install $*"
        fi
        as_root=(sudo -n)
    fi
    printf 'Installing %s\n' "$*" >&2
    if ! { "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"; } \
        >/dev/null; then
        fail 69 "apt-get could not install: $*. Install it by hand (sudo apt-get install $*), then run this again."
    fi
}

says() { # FILE TEXT: is this what the file says?
    [[ -r $1 ]] && [[ "$(<"$1")" == "$2" ]]
}

is_installed() { # NAME...
    local name
    for name in "$@"; do
        says ".venv/installed-$name" "$(sha256sum "requirements/$name.txt")" || return
    done
}

# It holds the checkout's path, so that counts too: a checkout that was moved gets this step again, and no other.
edged_fingerprint() {
    sha256sum pyproject.toml
    pwd -P
}

edged_is_installed() {
    says .venv/installed-edged "$(edged_fingerprint)"
}

# Does .venv start, and is it of the Python that would make it now?
is_whole() { # PYTHON
    local code='import sys; print("%d.%d" % sys.version_info[:2])' version
    version=$("$1" -c "$code")
    [[ ! -e .venv/installing && -d .venv/lib/python$version/site-packages/pip ]] &&
        [[ "$(.venv/bin/python -S -c "$code" 2>/dev/null)" == "$version" ]]
}

make_venv() { # PYTHON
    local package
    package=$(missing_venv_package "$1")
    if [[ -n $package ]]; then
        fail 69 "$1 cannot make virtual environments. Install what is missing: sudo apt-get install $package"
    fi
    printf 'Making .venv with %s\n' "$("$1" --version)" >&2
    rm -rf .venv
    mkdir .venv
    touch .venv/installing
    "$1" -m venv .venv || fail 69 "could not make the virtual environment .venv with $1 (see above)."
    rm .venv/installing
}

# pip's words go into a log. A person at a terminal sees one line that changes.
run_pip() { # ARGUMENT...
    PIP_USER=no PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install --progress-bar off "$@" 2>&1 |
        tee -a .venv/install.log | show_progress >&2
}

show_progress() {
    if [[ -t 1 ]]; then
        awk '/^Collecting/ { count++; printf "\r\033[K  %d: %s", count, $2; fflush() }
            /^Installing collected/ { printf "\r\033[K  unpacking"; fflush() }
            END { printf "\r\033[K" }'
    else
        cat >/dev/null
    fi
}

site_packages() {
    find .venv/lib -maxdepth 3 -printf '%p %T@ %s\n' | sort | cksum
}

install_requirements() { # NAME
    local before
    before=$(site_packages)
    printf 'Installing requirements/%s.txt\n' "$1" >&2
    touch .venv/installing
    # The lock names every package, so pip has nothing to resolve. Byte code is made when a module is first used.
    if ! run_pip --require-hashes --no-deps --no-compile --only-binary=:all: -r "requirements/$1.txt"; then
        # Most often there is no network; then pip stops before it has touched anything, and what was there still works.
        [[ "$(site_packages)" != "$before" ]] || rm .venv/installing
        grep '^ERROR' .venv/install.log | cut -c -300 >&2 || true
        fail 69 "could not install requirements/$1.txt (all of pip's words: .venv/install.log)." \
            "The first run has to download packages: connect this machine to the internet once, then run this again."
    fi
    sha256sum "requirements/$1.txt" >".venv/installed-$1"
    rm .venv/installing
}

install_edged() {
    touch .venv/installing
    if ! run_pip --no-index --no-deps --no-build-isolation --editable .; then
        rm .venv/installing # an editable install is a few small files, laid anew by the next try
        grep -v '^ *$' .venv/install.log | tail -n 20 >&2
        fail 70 "could not install edged itself (see above, or .venv/install.log)."
    fi
    edged_fingerprint >.venv/installed-edged
    rm .venv/installing
}

# Makes sure that .venv holds what requirements/NAME.txt says, and edged from this checkout.
ensure_venv() { # NAME...
    local python lock name
    python=$(find_python)
    if is_whole "$python" && is_installed "$@" && edged_is_installed; then
        return
    fi
    exec {lock}<pyproject.toml
    if command -v flock >/dev/null && ! flock --nonblock "$lock"; then
        printf 'Waiting for another run that is installing\n' >&2
        flock "$lock"
    fi
    is_whole "$python" || make_venv "$python"
    : >.venv/install.log
    for name in "$@"; do
        is_installed "$name" || install_requirements "$name"
    done
    edged_is_installed || install_edged
    exec {lock}<&-
}
