# shellcheck shell=bash
# What the installer is told, and whether that makes sense.
# Part of install.sh, which sets the variables and has the rest; it is not run by itself.
# shellcheck disable=SC2154,SC2034

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
        fail "the public key of the broker is missing or is not of the form 'ssh-ed25519 AAAA… name';\
 pass it with --public-key." 2
    for folder in "${roots[@]}" "${import_folder}"; do
        [[ "${folder}" =~ ${folder_form} && "${folder}" != *..* ]] ||
            fail "the directory '${folder}' must be an absolute path of letters, digits and . _ / + -." 2
    done
    [[ -z "${from_addresses}" || "${from_addresses}" =~ ${from_form} ]] ||
        fail "the value of --from must be addresses or networks with commas between them, such as 192.0.2.0/24." 2
}
