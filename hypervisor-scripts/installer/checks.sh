# shellcheck shell=bash
# What must be on a host already.
# Part of install.sh, which sets the variables and has the rest; it is not run by itself.
# shellcheck disable=SC2154

# What must be here already; each with the words that help.
check_host() {
    local program
    ((EUID == 0)) || fail 'this must run as root; use sudo.'
    [[ -x /usr/bin/python3 ]] || fail 'there is no /usr/bin/python3; install python3.'
    /usr/bin/python3 -I -c 'import sys; sys.exit(sys.version_info < (3, 9))' ||
        fail 'Python is older than 3.9; use a newer release of this system.'
    command -v libvirtd >/dev/null || command -v virtqemud >/dev/null ||
        fail 'libvirt is not installed; install libvirt-daemon-system (Debian, Ubuntu) or libvirt-daemon-kvm (RHEL).'
    /usr/bin/python3 -I -c 'import libvirt, libvirt_qemu' 2>/dev/null ||
        fail 'the Python module libvirt is missing; install python3-libvirt (Debian, Ubuntu, RHEL).'
    command -v qemu-system-x86_64 >/dev/null || [[ -x /usr/libexec/qemu-kvm ]] ||
        fail 'QEMU is not installed; install qemu-system-x86 (Debian, Ubuntu) or qemu-kvm (RHEL).'
    command -v qemu-img >/dev/null ||
        fail 'qemu-img is missing; install qemu-utils (Debian, Ubuntu) or qemu-img (RHEL).'
    for program in sudo visudo openssl setpriv prlimit useradd usermod ip; do
        command -v "${program}" >/dev/null || fail "${program} is missing; install it."
    done
    getent group libvirt >/dev/null || fail 'there is no group libvirt; is libvirt completely installed?'
    check_roots
    check_sshd
}

# QEMU runs as a user of its own and must pass through; the data directory of a broker on this host is closed, for one.
check_roots() {
    local root mode
    for root in "${roots[@]}"; do
        [[ -d "${root}" ]] || continue
        mode="$(stat -c %a -- "${root}")"
        ((8#${mode} & 1)) ||
            fail "QEMU cannot enter ${root} (mode ${mode}), which the broker has for itself \
where it runs on this host; pass another directory with --root."
    done
}

# The effective settings for our account, Match blocks included.
check_sshd() {
    local settings sshd=/usr/sbin/sshd
    [[ -x "${sshd}" ]] || fail 'there is no /usr/sbin/sshd; install openssh-server.'
    settings="$("${sshd}" -T -C "user=${account},host=localhost,addr=127.0.0.1" 2>"${work_folder}/sshd")" ||
        fail "sshd refuses its own settings: $(head -n 1 -- "${work_folder}/sshd")"
    grep -qxE 'allowtcpforwarding (yes|all|local)' <<<"${settings}" ||
        fail "sshd forbids port forwarding; set 'AllowTcpForwarding yes' for user ${account} \
in /etc/ssh/sshd_config and restart sshd."
    grep -qxE 'allowstreamlocalforwarding (yes|all|local)' <<<"${settings}" ||
        fail "sshd forbids forwarding to sockets; set 'AllowStreamLocalForwarding yes' for \
user ${account} in /etc/ssh/sshd_config and restart sshd."
    if grep -qx 'disableforwarding yes' <<<"${settings}"; then
        fail "sshd forbids all forwarding; remove 'DisableForwarding yes' from /etc/ssh/sshd_config and restart sshd."
    fi
    grep -qx 'pubkeyauthentication yes' <<<"${settings}" ||
        fail "sshd refuses keys; set 'PubkeyAuthentication yes' in /etc/ssh/sshd_config and restart sshd."
    grep -qE '^authorizedkeysfile (.* )?(%h/)?\.ssh/authorized_keys( |$)' <<<"${settings}" ||
        fail "sshd does not read .ssh/authorized_keys; add it to AuthorizedKeysFile in \
/etc/ssh/sshd_config and restart sshd."
    if grep -q '^allowusers ' <<<"${settings}" && ! grep -qE "^allowusers ${account}(@|\$)" <<<"${settings}"; then
        fail "sshd lets only some users in; add ${account} to AllowUsers in /etc/ssh/sshd_config and restart sshd."
    fi
}
