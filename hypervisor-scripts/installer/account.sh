# shellcheck shell=bash
# The account of the broker, its key and its one sudo rule.
# Part of install.sh, which sets the variables and has the rest; it is not run by itself.
# shellcheck disable=SC2154

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
    make_folder "${account_home}/.ssh" 0755 root:root
    # An older installer gave it to the account: what the account may have put there by then is not followed.
    own_folder "${account_home}" 0755 root:root
    own_folder "${account_home}/.ssh" 0755 root:root
    if [[ -L "${account_home}/.ssh/authorized_keys" || ! -f "${account_home}/.ssh/authorized_keys" ]]; then
        rm -rf -- "${account_home}/.ssh/authorized_keys"
    fi
}

write_authorized_key() {
    local options="restrict,port-forwarding,command=\"sudo -n ${helper_path}\""
    if [[ -n "${from_addresses}" ]]; then
        options="from=\"${from_addresses}\",${options}"
    fi
    printf '%s %s\n' "${options}" "${public_key}" |
        put "${account_home}/.ssh/authorized_keys" 0644 root:root 'wrote the key of the broker'
}

write_sudo_rule() {
    local draft="${work_folder}/sudoers"
    # The helper talks through a pipe: without a terminal, and without sudo copying every byte.
    cat >"${draft}" <<-RULES
		# Berth: the broker's account may start the helper, without arguments, and nothing else.
		Defaults:${account} !requiretty, !use_pty
		${account} ALL=(root) NOPASSWD: ${helper_path} ""
	RULES
    visudo -cqf "${draft}" ||
        fail "sudo on this host does not accept the rule in ${sudoers_path}; is its version very old?"
    make_folder "${sudoers_path%/*}" 0750 root:root
    put "${sudoers_path}" 0440 root:root 'wrote the sudo rule' <"${draft}"
}
