#!/bin/sh
# Sets rating keys in GNOME: Super+Alt+1 to 0, and the others below. Run it once, as yourself.
# Your other custom keys stay. Run it with --remove to take these away again.
set -eu

SCHEMA=org.gnome.settings-daemon.plugins.media-keys
FOLDER=/org/gnome/settings-daemon/plugins/media-keys/custom-keybindings
METHOD_PREFIX="$FOLDER/anagnorisis-"
KEYS='1=1 2=2 3=3 4=4 5=5 6=6 7=7 8=8 9=9 0=10 plus=up minus=down BackSpace=undo Delete=clear
n=skip-and-lower a=skip-album l=more-like-this o=mood-off r=--menu'

command -v gsettings >/dev/null || { echo "gnome.sh: gsettings is missing; is this GNOME?" >&2; exit 1; }

# The paths of the listener's other keys, one a line.
others=$(gsettings get "$SCHEMA" custom-keybindings | tr -d "[]' " | sed 's/^@as//' | tr ',' '\n' |
  grep -v "^$METHOD_PREFIX" | grep . || true)
paths=$others

if [ "${1:-}" != --remove ]; then
  for entry in $KEYS; do
    key=${entry%%=*} action=${entry#*=}
    path="$METHOD_PREFIX$key/"
    binding="$SCHEMA.custom-keybinding:$path"
    gsettings set "$binding" name "Rate: $action"
    gsettings set "$binding" command "anagnorisis-rate $action"
    gsettings set "$binding" binding "<Super><Alt>$key"
    paths="$paths
$path"
  done
fi

list=$(printf '%s\n' "$paths" | grep . | sed "s/.*/'&'/" | paste -sd, -)
gsettings set "$SCHEMA" custom-keybindings "[$list]"
