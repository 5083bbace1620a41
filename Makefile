# Everything a listener or a contributor types. `make` alone lists it.
.PHONY: help setup everything run test install uninstall check docs bench soak lock dist deb

# Programs that single tests hold ours against: clients, a rude neighbour, shells, a browser, a share
# that can hang.
PEERS = ncmpcpp tmux mpd-sima zsh fish chromium bindfs cantata Xvfb=xvfb xdotool \
	dbus-run-session=dbus-daemon

# With these, and as root, tests boot a systemd of their own; anybody else could not.
BOOTING = systemd-nspawn=systemd-container debootstrap

SETUP = python="$$(tools/find-python.sh)" && exec "$$python" -m tools.setup

# In two runs: the fast tests tell first what is wrong, and the slow ones, which need the memory, begin
# in fresh processes. A file's tests run in one process, in order: some share a server that is costly to
# start. A process that died is not replaced: pytest-xdist can then wait for ever.
PYTEST = .venv/bin/pytest -n 2 --dist loadfile --max-worker-restart 0

INSTALL = .venv/bin/pip install --quiet --constraint requirements.lock

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## Make .venv from the locked dependencies; EXTRAS="mert dask" adds parts, EXTRAS=all all
	@$(SETUP) report web $(EXTRAS)

everything:
	@$(SETUP) all

run: setup ## Set up and run in the foreground; MUSIC=/path/to/music chooses the folder
	@exec .venv/bin/python -m tools.run

test: check ## Check everything, tests against a real MPD included
	@.venv/bin/python -m tools.system_packages mpd mpc
	@.venv/bin/python -m tools.system_packages --if-possible $(PEERS)
	@[ "$$(id -u)" != 0 ] || .venv/bin/python -m tools.system_packages --if-possible $(BOOTING)
	@.venv/bin/python -m tools.node_packages
	@$(INSTALL) --group docs
	$(PYTEST) -m "not slow"
	$(PYTEST) -m slow

install: setup ## Put it into ~/.local for your session: unit, programs, man page, completions
	@$(INSTALL) --no-deps --no-build-isolation -e clients -e .
	@.venv/bin/anagnorisisd install

uninstall: setup ## Take that away again; what was learnt stays
	@.venv/bin/anagnorisisd uninstall

check: everything ## Check format, lint and types only
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy

docs: everything ## Make the guide: what follows from the code in docs/, and the site in build/site
	@$(INSTALL) --group docs
	@.venv/bin/python -m tools.docs

bench: everything ## Measure beside how others do it; PARTS="picks start" chooses, SIZE=full takes hours
	@$(INSTALL) --group bench
	.venv/bin/python -m bench $(PARTS) $(if $(filter full,$(SIZE)),--full)

soak: everything ## Kill the daemon 200 times, feed it 600 hostile files and 3,000 messages a method, play 20,000 songs; an hour
	ANAGNORISIS_CRASH_ROUNDS=200 .venv/bin/pytest --timeout 7200 -s tests/e2e/test_crash.py
	ANAGNORISIS_HOSTILE_FILES=600 .venv/bin/pytest --timeout 3600 -s tests/e2e/test_hostile_files.py tests/embedding/test_decode_hostile.py
	ANAGNORISIS_FUZZ_MESSAGES=3000 .venv/bin/pytest --timeout 3600 tests/rpc/test_fuzz.py
	ANAGNORISIS_DAMAGED_FILES=5000 .venv/bin/pytest --timeout 3600 tests/library/test_damaged_files.py
	ANAGNORISIS_HOSTILE_PICTURES=5000 .venv/bin/pytest --timeout 3600 tests/library/test_covers.py
	ANAGNORISIS_STICKER_STATES=2000 .venv/bin/pytest --timeout 7200 -s tests/ratings/stickers/test_comparison.py
	ANAGNORISIS_SOAK_PLAYS=20000 .venv/bin/pytest --timeout 3600 -s tests/e2e/test_soak.py

dist: setup ## Build wheels and source archives in dist/, the same bytes each time
	@.venv/bin/python -m tools.dist

deb: dist ## Build a Debian package in dist/, for the release of Debian this runs on
	@/usr/bin/python3 -m tools.deb

lock: everything ## Pin what is installed in .venv as requirements.lock
	@.venv/bin/python -m tools.lock
