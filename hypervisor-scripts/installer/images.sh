# shellcheck shell=bash
# Who may reach the images: root, and QEMU by its group.
# Part of install.sh, which sets the variables and has the rest; it is not run by itself.
# shellcheck disable=SC2154

# The group that every QEMU of libvirt's is in: what qemu.conf says, else what distributions call it.
qemu_group() {
    local name
    name="$(sed -n 's/^[[:space:]]*group[[:space:]]*=[[:space:]]*"+\{0,1\}\([^"]*\)".*/\1/p' "${qemu_settings}" |
        tail -n 1)"
    if [[ -n "${name}" ]]; then
        getent group "${name}" >"${work_folder}/group" ||
            fail "${qemu_settings} names the group ${name}, which does not exist here."
        cut -d: -f1 -- "${work_folder}/group"
        return
    fi
    for name in libvirt-qemu qemu kvm; do
        if getent group "${name}" >/dev/null; then
            printf '%s\n' "${name}"
            return
        fi
    done
    printf 'root\n'
}

# Berth's own directories: QEMU reaches what it is told the name of, others neither list nor enter.
close_folders() {
    local name folder group
    group="$(qemu_group)"
    for name in images overlays transient; do
        folder="/var/lib/berth/${name}"
        # The helper makes what is missing; a link leads to a place that the administrator chose.
        if [[ -d "${folder}" && ! -L "${folder}" ]]; then
            own_folder "${folder}" 0710 "root:${group}"
        fi
    done
}

# Generations that an older Berth made can be read by every account of this host.
close_images() {
    local root image group
    group="$(qemu_group)"
    for root in "${roots[@]}"; do
        [[ -d "${root}/images" && ! -L "${root}/images" ]] || continue
        while IFS= read -r -d '' image; do
            chgrp --no-dereference -- "${group}" "${image}"
            chmod -- 0440 "${image}"
            changed "closed the image ${image}"
        done < <(find "${root}/images" -maxdepth 1 -type f -name '*.qcow2' -perm 0444 -print0)
    done
}
