# shellcheck shell=bash
# SPICE by TLS in the settings of libvirt.
# Part of install.sh, which sets the variables and has the rest; it is not run by itself.
# shellcheck disable=SC2154

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
