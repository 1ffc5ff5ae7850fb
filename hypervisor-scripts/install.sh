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

read_arguments() {
    while (($# > 0)); do
        case "$1" in
            --uninstall)
                wish=uninstall
                shift
                continue
                ;;
            --public-key | --helper | --helper-base64-file | --root | --import | --from) ;;
            *) fail "the argument '$1' is unknown; the head of this script lists what it takes." 2 ;;
        esac
        (($# > 1)) || fail "the argument $1 needs a value." 2
        case "$1" in
            --public-key) public_key="$2" ;;
            --helper) helper_file="$2" ;;
            --helper-base64-file) helper_base64_file="$2" ;;
            --root) roots+=("$2") ;;
            --import) import_folder="$2" ;;
            --from) from_addresses="$2" ;;
        esac
        shift 2
    done
    if ((${#roots[@]} == 0)); then
        roots=(/var/lib/berth)
    fi
}

check_arguments() {
    local folder
    local key_form='^ssh-ed25519 [A-Za-z0-9+/]+=*( [A-Za-z0-9@._-]+)?$'
    local folder_form='^/[A-Za-z0-9._/+-]+$'
    local from_form='^[0-9A-Fa-f.:/,*]+$'
    [[ "${public_key}" =~ ${key_form} ]] ||
        fail "the public key of the broker is missing or is not of the form 'ssh-ed25519 AAAA… name'; pass it with --public-key." 2
    for folder in "${roots[@]}" "${import_folder}"; do
        [[ "${folder}" =~ ${folder_form} && "${folder}" != *..* ]] ||
            fail "the directory '${folder}' must be an absolute path of letters, digits and . _ / + -." 2
    done
    [[ -z "${from_addresses}" || "${from_addresses}" =~ ${from_form} ]] ||
        fail "the value of --from must be addresses or networks with commas between them, such as 192.0.2.0/24." 2
}

# What must be here already; each with the words that help.
check_host() {
    local program
    ((EUID == 0)) || fail 'this must run as root; use sudo.'
    [[ -x /usr/bin/python3 ]] || fail 'there is no /usr/bin/python3; install python3.'
    /usr/bin/python3 -I -c 'import sys; sys.exit(sys.version_info < (3, 9))' ||
        fail 'Python is older than 3.9; use a newer release of this system.'
    command -v libvirtd >/dev/null || command -v virtqemud >/dev/null ||
        fail 'libvirt is not installed; install libvirt-daemon-system (Debian, Ubuntu) or libvirt-daemon-kvm (RHEL).'
    command -v virsh >/dev/null || fail 'virsh is missing; install libvirt-clients (Debian, Ubuntu) or libvirt-client (RHEL).'
    command -v qemu-system-x86_64 >/dev/null || [[ -x /usr/libexec/qemu-kvm ]] ||
        fail 'QEMU is not installed; install qemu-system-x86 (Debian, Ubuntu) or qemu-kvm (RHEL).'
    command -v qemu-img >/dev/null || fail 'qemu-img is missing; install qemu-utils (Debian, Ubuntu) or qemu-img (RHEL).'
    for program in sudo visudo openssl setpriv prlimit useradd usermod; do
        command -v "${program}" >/dev/null || fail "${program} is missing; install it."
    done
    getent group libvirt >/dev/null || fail 'there is no group libvirt; is libvirt completely installed?'
    check_sshd
}

# The effective settings for our account, Match blocks included.
check_sshd() {
    local settings sshd=/usr/sbin/sshd
    [[ -x "${sshd}" ]] || fail 'there is no /usr/sbin/sshd; install openssh-server.'
    settings="$("${sshd}" -T -C "user=${account},host=localhost,addr=127.0.0.1" 2>"${work_folder}/sshd")" ||
        fail "sshd refuses its own settings: $(head -n 1 -- "${work_folder}/sshd")"
    grep -qxE 'allowtcpforwarding (yes|all|local)' <<<"${settings}" ||
        fail "sshd forbids port forwarding; set 'AllowTcpForwarding yes' for user ${account} in /etc/ssh/sshd_config and restart sshd."
    grep -qxE 'allowstreamlocalforwarding (yes|all|local)' <<<"${settings}" ||
        fail "sshd forbids forwarding to sockets; set 'AllowStreamLocalForwarding yes' for user ${account} in /etc/ssh/sshd_config and restart sshd."
    if grep -qx 'disableforwarding yes' <<<"${settings}"; then
        fail "sshd forbids all forwarding; remove 'DisableForwarding yes' from /etc/ssh/sshd_config and restart sshd."
    fi
    grep -qx 'pubkeyauthentication yes' <<<"${settings}" ||
        fail "sshd refuses keys; set 'PubkeyAuthentication yes' in /etc/ssh/sshd_config and restart sshd."
    grep -qE '^authorizedkeysfile (.* )?(%h/)?\.ssh/authorized_keys( |$)' <<<"${settings}" ||
        fail "sshd does not read .ssh/authorized_keys; add it to AuthorizedKeysFile in /etc/ssh/sshd_config and restart sshd."
    if grep -q '^allowusers ' <<<"${settings}" && ! grep -qE "^allowusers ${account}(@|\$)" <<<"${settings}"; then
        fail "sshd lets only some users in; add ${account} to AllowUsers in /etc/ssh/sshd_config and restart sshd."
    fi
}

# Puts standard input into a file, unless it is there already with these rights: put PATH MODE OWNER:GROUP WHAT
put() {
    local path="$1" mode="$2" owner="$3" what="$4" fresh
    fresh="$(mktemp -- "${path}.XXXXXX")"
    cat >"${fresh}"
    chown -- "${owner}" "${fresh}"
    chmod -- "${mode}" "${fresh}"
    if cmp -s -- "${fresh}" "${path}" && [[ "$(stat -c '%a %U:%G' -- "${path}")" == "$(stat -c '%a %U:%G' -- "${fresh}")" ]]; then
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

make_account() {
    local home
    if ! getent passwd "${account}" >/dev/null; then
        # A forced command is run by the account's shell, so it must have one.
        useradd --system --user-group --home-dir "${account_home}" --no-create-home --shell /bin/sh \
            --comment 'Berth broker' -- "${account}"
        # "*" is no password that anybody could type; "!" would make sshd without PAM refuse the keys too.
        usermod --password '*' -- "${account}"
        changed "made the account ${account}"
    fi
    home="$(getent passwd "${account}" | cut -d: -f6)"
    [[ "${home}" == "${account_home}" ]] ||
        fail "an account ${account} with the home ${home} exists that is not from this installer; rename or remove it."
    if ! id -nG "${account}" | tr ' ' '\n' | grep -qx libvirt; then
        usermod --append --groups libvirt -- "${account}"
        changed "put ${account} into the group libvirt"
    fi
    make_folder "${account_home}" 0755 root:root
    make_folder "${account_home}/.ssh" 0700 "${account}:${account}"
}

write_authorized_key() {
    local options="restrict,port-forwarding,command=\"sudo -n ${helper_path}\""
    if [[ -n "${from_addresses}" ]]; then
        options="from=\"${from_addresses}\",${options}"
    fi
    printf '%s %s\n' "${options}" "${public_key}" |
        put "${account_home}/.ssh/authorized_keys" 0600 "${account}:${account}" 'wrote the key of the broker'
}

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

write_sudo_rule() {
    local draft="${work_folder}/sudoers"
    # The helper talks through a pipe: without a terminal, and without sudo copying every byte.
    cat >"${draft}" <<-RULES
		# Berth: the broker's account may start the helper, without arguments, and nothing else.
		Defaults:${account} !requiretty, !use_pty
		${account} ALL=(root) NOPASSWD: ${helper_path} ""
	RULES
    visudo -cqf "${draft}" || fail "sudo on this host does not accept the rule in ${sudoers_path}; is its version very old?"
    make_folder "${sudoers_path%/*}" 0750 root:root
    put "${sudoers_path}" 0440 root:root 'wrote the sudo rule' <"${draft}"
}

write_settings() {
    local root list=''
    for root in "${roots[@]}"; do
        list+="${list:+, }\"${root}\""
        make_folder "${root}" 0711 root:root
    done
    make_folder "${import_folder}" 0755 root:root
    make_folder "${settings_path%/*}" 0755 root:root
    printf '{"roots": [%s], "import": "%s"}\n' "${list}" "${import_folder}" |
        put "${settings_path}" 0644 root:root 'wrote the settings of the helper'
}

# The file with KEY = VALUE in force: in place of the line that was, or at the end.
with_setting() {
    local file="$1" key="$2" value="$3"
    awk -v key="${key}" -v line="${key} = ${value}" '
        $0 ~ "^[[:space:]]*" key "[[:space:]]*=" { if (!done) print line; done = 1; next }
        { print }
        END { if (!done) print line }
    ' "${file}"
}

set_spice_tls() {
    local first="${work_folder}/qemu.conf.1" second="${work_folder}/qemu.conf.2"
    [[ -f "${qemu_settings}" ]] || fail "there is no ${qemu_settings}; is libvirt's QEMU driver installed?"
    make_folder "${spice_folder}" 0755 root:root
    with_setting "${qemu_settings}" spice_tls 1 >"${first}"
    with_setting "${first}" spice_tls_x509_cert_dir "\"${spice_folder}\"" >"${second}"
    if cmp -s -- "${second}" "${qemu_settings}"; then
        return
    fi
    if [[ ! -e "${qemu_settings}.before-berth" ]]; then
        cp --preserve=all -- "${qemu_settings}" "${qemu_settings}.before-berth"
    fi
    put "${qemu_settings}" "$(stat -c %a -- "${qemu_settings}")" "$(stat -c %U:%G -- "${qemu_settings}")" \
        'switched SPICE by TLS on (the old file is beside it as qemu.conf.before-berth)' <"${second}"
    libvirt_restart=yes
}

restart_libvirt() {
    local service
    if [[ "${libvirt_restart}" == no ]]; then
        return
    fi
    if [[ ! -d /run/systemd/system ]]; then
        say 'libvirtd must be restarted now, so that it reads qemu.conf; running machines go on.'
        return
    fi
    for service in libvirtd virtqemud; do
        if systemctl is-active --quiet "${service}"; then
            systemctl restart "${service}"
            changed "restarted ${service}; running machines went on"
        fi
    done
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
