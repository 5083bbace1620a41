#!/bin/sh
# Prints the newest Python that the project supports, or says what to install.
for python in python3.14 python3.13 python3.12 python3.11 python3; do
    if "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
    then
        command -v "$python"
        exit 0
    fi
done
echo "No Python 3.11 to 3.14 found; install one, on Debian or Ubuntu: apt-get install python3" >&2
exit 1
