#!/bin/sh
# Sets rating keys in KDE Plasma: Meta+Alt+1 to 0, and the others below. Run it once, as yourself.
# Each becomes a small application entry with a global shortcut; log out and in, or start
# `kglobalacceld` again, for the keys to work. Run it with --remove to take them away again.
set -eu

ENTRIES="${XDG_DATA_HOME:-$HOME/.local/share}/applications"
KEYS='1=1 2=2 3=3 4=4 5=5 6=6 7=7 8=8 9=9 0=10 +=up -=down Backspace=undo Del=clear
N=skip-and-lower A=skip-album L=more-like-this O=mood-off R=--menu'

mkdir -p "$ENTRIES"
for entry in $KEYS; do
  key=${entry%%=*} action=${entry#*=}
  file="$ENTRIES/anagnorisis-rate$(printf '%s' "-$action" | sed 's/--*/-/').desktop"
  if [ "${1:-}" = --remove ]; then
    rm -f "$file"
    continue
  fi
  cat > "$file" <<DESKTOP
[Desktop Entry]
Type=Application
Name=Rate: $action
Exec=anagnorisis-rate $action
NoDisplay=true
X-KDE-GlobalAccel-CommandShortcut=true
X-KDE-Shortcuts=Meta+Alt+$key
DESKTOP
done
