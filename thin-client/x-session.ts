/**
 * What xinit runs inside the X server: monitors, window manager, then the viewer. Run as `sh -c
 * X_SESSION berth-x-session RESOLUTION MONITORS VIEWER [ARGUMENT]...`; RESOLUTION is WIDTHxHEIGHT
 * or `-`, MONITORS is `all` or `one`. `one`: every monitor shows the same picture. matchbox has no
 * keys with which to leave a kiosk, so it comes first; it knows one monitor only, so openbox comes
 * first when there are more. Output: sentences on standard error; the viewer's exit code on file
 * descriptor 3, since xinit itself ends with 0 whatever its client did.
 */
export const X_SESSION = `#!/bin/sh
set -u
resolution=$1
monitors=$2
shift 2

if command -v xset >/dev/null; then
    xset s off -dpms </dev/null
fi

if command -v xrandr >/dev/null; then
    first=
    previous=
    for output in $(xrandr --query </dev/null | sed -n 's/^\\([^ ]*\\) connected.*/\\1/p'); do
        if [ -z "$first" ]; then
            first=$output
            xrandr --output "$output" --auto --primary </dev/null
        elif [ "$monitors" = all ]; then
            xrandr --output "$output" --auto --right-of "$previous" </dev/null
        else
            xrandr --output "$output" --auto --same-as "$first" </dev/null
        fi
        previous=$output
    done
    if [ "$resolution" != - ] && ! xrandr --output "$first" --mode "$resolution" </dev/null; then
        echo "This display has no mode $resolution; it keeps its own." >&2
    fi
fi

if [ "$monitors" = all ]; then
    set -- openbox matchbox-window-manager -- "$@"
else
    set -- matchbox-window-manager openbox -- "$@"
fi
window_manager=
while [ "$1" != -- ]; do
    if [ -z "$window_manager" ] && command -v "$1" >/dev/null; then
        window_manager=$1
    fi
    shift
done
shift
case $window_manager in
    matchbox-window-manager) matchbox-window-manager -use_titlebar no -use_cursor yes 3>&- & ;;
    openbox) openbox 3>&- & ;;
    *)
        echo "There is no window manager (matchbox-window-manager or openbox);" \\
            "the viewer may not fill the screen." >&2
        ;;
esac

viewer_exit_code=0
"$@" 3>&- || viewer_exit_code=$?
echo "$viewer_exit_code" >&3
`
