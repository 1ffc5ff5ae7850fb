#!/usr/bin/env bash
# Prepares a libvirt hypervisor for Berth: the account of the broker, its one sudo rule, the helper, the directories and
# SPICE by TLS. A second run changes nothing and says so; a newer helper replaces the older one.
#
# Usage:  install.sh --public-key 'ssh-ed25519 AAAA… berth-broker' (--helper FILE | --helper-base64-file FILE)
#                    [--root DIR]… [--import DIR] [--from CIDR,…]
#         install.sh --uninstall
#   --root    a directory under which the broker may keep images (default /var/lib/berth; may be repeated)
#   --import  the directory from which disk images are imported (default /var/lib/berth/import)
#   --from    the addresses from which the broker may come (default: any)
# The installer that a broker serves has key and helper in it and needs no arguments.
# Output: one line for each thing that was changed; last "berth: this host is ready".
# Exit:   0 ready (or uninstalled), 1 something is missing on this host, 2 wrong arguments.
set -euo pipefail

account=berth
account_home=/var/lib/berth-account
helper_path=/usr/local/libexec/berth/berth-helper
sudoers_path=/etc/sudoers.d/berth
settings_path=/etc/berth/helper.json
qemu_settings=/etc/libvirt/qemu.conf
spice_folder=/etc/pki/libvirt-spice

public_key="${BERTH_PUBLIC_KEY:-}"
helper_file=''
helper_base64_file=''
from_addresses=''
import_folder=/var/lib/berth/import
roots=()
wish=install
changes=0
libvirt_restart=no
work_folder=''

say() {
    printf 'berth: %s\n' "$1"
}

changed() {
    changes=$((changes + 1))
    say "$1"
}

fail() {
    printf 'berth: %s\n' "$1" >&2
    exit "${2:-1}"
}

# Puts standard input into a file, unless it is there already with these rights: put PATH MODE OWNER:GROUP WHAT
put() {
    local path="$1" mode="$2" owner="$3" what="$4" fresh
    fresh="$(mktemp -- "${path}.XXXXXX")"
    cat >"${fresh}"
    chown -- "${owner}" "${fresh}"
    chmod -- "${mode}" "${fresh}"
    if cmp -s -- "${fresh}" "${path}" &&
        [[ "$(stat -c '%a %U:%G' -- "${path}")" == "$(stat -c '%a %U:%G' -- "${fresh}")" ]]; then
        rm -f -- "${fresh}"
        return
    fi
    # On the disk before the name changes, and the name changes at once: a running helper is not disturbed.
    sync -- "${fresh}"
    mv -fT -- "${fresh}" "${path}"
    changed "${what}: ${path}"
}

make_folder() {
    local path="$1" mode="$2" owner="$3"
    if [[ -d "${path}" ]]; then
        return
    fi
    mkdir -p -- "${path}"
    chown -- "${owner}" "${path}"
    chmod -- "${mode}" "${path}"
    changed "made the directory ${path}"
}

# Corrects owner and mode of a directory, which must not be a link: own_folder PATH MODE OWNER:GROUP
own_folder() {
    local path="$1" mode="$2" owner="$3"
    [[ -d "${path}" && ! -L "${path}" ]] || fail "${path} is not a directory; move it away and run this again."
    if [[ "$(stat -c '%a %U:%G' -- "${path}")" == "${mode#0} ${owner}" ]]; then
        return
    fi
    chown --no-dereference -- "${owner}" "${path}"
    chmod -- "${mode}" "${path}"
    changed "closed the directory ${path}"
}

# The build puts the text of these files here, so that what a broker serves is one file.
# shellcheck source=installer/arguments.sh
source "${BASH_SOURCE[0]%/*}/installer/arguments.sh"
# shellcheck source=installer/checks.sh
source "${BASH_SOURCE[0]%/*}/installer/checks.sh"
# shellcheck source=installer/account.sh
source "${BASH_SOURCE[0]%/*}/installer/account.sh"
# shellcheck source=installer/images.sh
source "${BASH_SOURCE[0]%/*}/installer/images.sh"
# shellcheck source=installer/libvirt.sh
source "${BASH_SOURCE[0]%/*}/installer/libvirt.sh"

write_helper() {
    make_folder "${helper_path%/*}" 0755 root:root
    put "${helper_path}" 0755 root:root 'installed the helper' <"${work_folder}/helper"
}

# Gives the helper's bytes, from wherever they come.
unpack_helper() {
    if [[ -n "${helper_file}" ]]; then
        cat -- "${helper_file}"
    elif [[ -n "${helper_base64_file}" ]]; then
        base64 -d -- "${helper_base64_file}"
    elif declare -F embedded_helper >/dev/null; then
        embedded_helper
    else
        fail 'there is no helper to install; pass it with --helper or --helper-base64-file.' 2
    fi
}

check_helper() {
    unpack_helper >"${work_folder}/helper"
    head -c 22 -- "${work_folder}/helper" | grep -qx '#!/usr/bin/python3 -I' ||
        fail 'the file given as helper is not the Berth helper.' 2
}

write_settings() {
    local root list=''
    for root in "${roots[@]}"; do
        list+="${list:+, }\"${root}\""
        make_folder "${root}" 0711 root:root
    done
    make_folder "${import_folder}" 0700 root:root
    # One that the administrator chose may serve others too.
    if [[ "${import_folder}" == /var/lib/berth/import ]]; then
        own_folder "${import_folder}" 0700 root:root
    fi
    close_folders
    close_images
    make_folder "${settings_path%/*}" 0755 root:root
    printf '{"roots": [%s], "import": "%s"}\n' "${list}" "${import_folder}" |
        put "${settings_path}" 0644 root:root 'wrote the settings of the helper'
}

# The same way that the broker's key takes, but for sshd.
try_helper() {
    local hello
    if command -v restorecon >/dev/null; then
        restorecon -R -- "${account_home}" "${helper_path%/*}" "${sudoers_path}" "${settings_path%/*}"
    fi
    hello="$(setpriv --reuid="${account}" --regid="${account}" --init-groups -- sudo -n "${helper_path}" </dev/null)" ||
        fail "the account ${account} cannot start the helper by sudo; does /etc/sudoers include /etc/sudoers.d?"
    [[ "${hello}" == *'"hello":"berth-helper"'* ]] || fail "the helper does not answer as it should: ${hello}"
}

install_all() {
    check_arguments
    check_host
    check_helper
    make_account
    write_helper
    write_sudo_rule
    write_settings
    set_spice_tls
    write_authorized_key
    restart_libvirt
    try_helper
    if ((changes == 0)); then
        say 'everything was in place already; nothing was changed.'
    fi
    say 'this host is ready'
}

uninstall() {
    local path
    ((EUID == 0)) || fail 'this must run as root; use sudo.'
    for path in "${sudoers_path}" "${settings_path}" "${helper_path}"; do
        if [[ -e "${path}" ]]; then
            rm -f -- "${path}"
            changed "removed ${path}"
        fi
    done
    if [[ "$(getent passwd "${account}" | cut -d: -f6)" == "${account_home}" ]]; then
        userdel -f -- "${account}" 2>"${work_folder}/userdel" ||
            fail "the account ${account} cannot be removed: $(head -n 1 -- "${work_folder}/userdel")"
        rm -rf -- "${account_home}"
        changed "removed the account ${account}"
    fi
    if ((changes == 0)); then
        say 'nothing of Berth was installed here.'
    fi
    say 'images, machines and qemu.conf were left as they are; Berth is uninstalled'
}

clean_up() {
    rm -rf -- "${work_folder}"
}

main() {
    umask 022
    read_arguments "$@"
    work_folder="$(mktemp -d)"
    trap clean_up EXIT
    case "${wish}" in
        install) install_all ;;
        uninstall) uninstall ;;
    esac
}

main "$@"
