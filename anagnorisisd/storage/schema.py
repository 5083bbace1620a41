"""SQL of the migrations: tables, indexes and triggers.

Rows refer to each other by integer ids; outside of the database, a track is identified by its audio
hash. A row of `files` means that a track is, or was, at a path, so a track without files still has
a title. Triggers update the columns of `tracks` that are derived from ratings, plays and files, so
that they cannot get out of date.
"""

import unicodedata
from hashlib import blake2b

from anagnorisisd.domain.track import split_disc

FIRST = """
CREATE TABLE tracks (
    id             INTEGER PRIMARY KEY,
    track_id       TEXT NOT NULL UNIQUE,
    added_at       REAL NOT NULL,
    -- from files
    file           INTEGER REFERENCES files (id),
    present        INTEGER NOT NULL DEFAULT 0,
    -- from ratings
    rating         REAL,
    rated_by       INTEGER REFERENCES ratings (sequence),
    -- from plays
    full_plays     INTEGER NOT NULL DEFAULT 0,
    skips          INTEGER NOT NULL DEFAULT 0,
    last_played_at REAL
) STRICT;
CREATE INDEX tracks_by_age ON tracks (added_at DESC, track_id);
CREATE INDEX tracks_rated ON tracks (rating) WHERE rating IS NOT NULL;

-- One row a path and track, kept when the file goes; one row a path and problem.
CREATE TABLE files (
    id               INTEGER PRIMARY KEY,
    path             BLOB NOT NULL,  -- bytes, because names need not be UTF-8
    track            INTEGER REFERENCES tracks (id),
    problem          TEXT,
    present          INTEGER NOT NULL,
    seen_at          REAL NOT NULL,
    size_bytes       INTEGER NOT NULL,
    mtime_ns         INTEGER NOT NULL,
    title            TEXT,
    artist           TEXT,
    album            TEXT,
    album_artist     TEXT,
    genre            TEXT,
    year             INTEGER,
    duration_seconds REAL,
    searched         TEXT NOT NULL,  -- title, artist, album and path, case-folded
    artist_code      INTEGER NOT NULL,  -- equal for equal names, 0 for none
    album_code       INTEGER NOT NULL,
    UNIQUE (path, track),
    CHECK ((track IS NULL) = (problem IS NOT NULL))
) STRICT;
CREATE INDEX files_of_track ON files (track);
CREATE UNIQUE INDEX files_present ON files (path) WHERE present;
CREATE INDEX files_with_problem ON files (path) WHERE track IS NULL;

CREATE TRIGGER file_added AFTER INSERT ON files WHEN NEW.track IS NOT NULL BEGIN
    UPDATE tracks SET (file, present) = (
        SELECT id, present FROM files WHERE track = NEW.track
        ORDER BY present DESC, seen_at DESC, id DESC LIMIT 1
    ) WHERE id = NEW.track;
END;
CREATE TRIGGER file_changed AFTER UPDATE ON files WHEN NEW.track IS NOT NULL BEGIN
    UPDATE tracks SET (file, present) = (
        SELECT id, present FROM files WHERE track = NEW.track
        ORDER BY present DESC, seen_at DESC, id DESC LIMIT 1
    ) WHERE id = NEW.track;
END;

CREATE TABLE ratings (
    sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
    track      INTEGER NOT NULL REFERENCES tracks (id),
    value      REAL CHECK (value BETWEEN 0 AND 10),  -- NULL: cleared
    previous   REAL,
    rated_at   REAL NOT NULL,
    source     TEXT NOT NULL,
    undoes     INTEGER UNIQUE REFERENCES ratings (sequence),
    request_id TEXT UNIQUE
) STRICT;
CREATE INDEX ratings_of_track ON ratings (track);

CREATE TRIGGER rating_added AFTER INSERT ON ratings BEGIN
    UPDATE tracks SET rating = NEW.value, rated_by = NEW.sequence WHERE id = NEW.track;
END;
CREATE TRIGGER ratings_stay BEFORE UPDATE ON ratings BEGIN
    SELECT RAISE(ABORT, 'ratings are append-only');
END;
CREATE TRIGGER ratings_remain BEFORE DELETE ON ratings BEGIN
    SELECT RAISE(ABORT, 'ratings are append-only');
END;

CREATE TABLE plays (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    track            INTEGER NOT NULL REFERENCES tracks (id),
    started_at       REAL NOT NULL,
    ended_at         REAL NOT NULL,
    heard_seconds    REAL NOT NULL,
    duration_seconds REAL,
    verdict          TEXT NOT NULL CHECK (verdict IN ('full', 'skip', 'neither')),
    reason           TEXT NOT NULL
) STRICT;

CREATE TRIGGER play_added AFTER INSERT ON plays BEGIN
    UPDATE tracks SET
        full_plays = full_plays + (NEW.verdict = 'full'),
        skips = skips + (NEW.verdict = 'skip'),
        -- A track that was only passed over, unheard, was not played.
        last_played_at = CASE WHEN NEW.verdict = 'neither' AND NEW.heard_seconds <= 0
            THEN last_played_at ELSE max(coalesce(last_played_at, NEW.ended_at), NEW.ended_at) END
    WHERE id = NEW.track;
END;
CREATE TRIGGER plays_stay BEFORE UPDATE ON plays BEGIN
    SELECT RAISE(ABORT, 'plays are append-only');
END;
CREATE TRIGGER plays_remain BEFORE DELETE ON plays BEGIN
    SELECT RAISE(ABORT, 'plays are append-only');
END;

CREATE TABLE embedders (
    id        INTEGER PRIMARY KEY,
    name      TEXT NOT NULL,
    version   TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    UNIQUE (name, version, dimension)
) STRICT;

CREATE TABLE embeddings (
    id       INTEGER PRIMARY KEY,
    embedder INTEGER NOT NULL REFERENCES embedders (id),
    track    INTEGER NOT NULL REFERENCES tracks (id),
    vector   BLOB NOT NULL,  -- float32, little-endian
    UNIQUE (embedder, track)
) STRICT;

CREATE TABLE failures (
    embedder  INTEGER NOT NULL REFERENCES embedders (id),
    track     INTEGER NOT NULL REFERENCES tracks (id),
    tries     INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    final     INTEGER NOT NULL,
    failed_at REAL NOT NULL,
    PRIMARY KEY (embedder, track)
) STRICT, WITHOUT ROWID;

CREATE TABLE evaluators (
    version      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind         TEXT NOT NULL,
    embedder     INTEGER NOT NULL REFERENCES embedders (id),
    trained_at   REAL NOT NULL,
    rating_count INTEGER NOT NULL,
    metrics      TEXT NOT NULL,  -- JSON
    notes        TEXT NOT NULL,  -- JSON
    status       TEXT NOT NULL CHECK (status IN ('current', 'kept_back', 'retired')),
    verdict      TEXT NOT NULL,
    blob         BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX evaluator_in_charge ON evaluators (status) WHERE status = 'current';

CREATE TABLE predictions (
    track   INTEGER PRIMARY KEY REFERENCES tracks (id),
    version INTEGER NOT NULL REFERENCES evaluators (version),
    mean    REAL NOT NULL,
    stddev  REAL NOT NULL
) STRICT;

CREATE TABLE trainings (
    id       INTEGER PRIMARY KEY,
    ended_at REAL NOT NULL,
    outcome  TEXT NOT NULL
) STRICT;

CREATE TABLE queue_entries (
    song_id  INTEGER PRIMARY KEY,
    track    INTEGER NOT NULL REFERENCES tracks (id),
    added_at REAL NOT NULL
) STRICT;

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

READER_LOSSES = """
CREATE TABLE reader_losses (
    path       BLOB PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    mtime_ns   INTEGER NOT NULL,
    losses     INTEGER NOT NULL,
    problem    TEXT NOT NULL,
    retry_at   REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""

STICKERS = """
CREATE TABLE stickers (
    name  TEXT NOT NULL,
    path  BLOB NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name, path)
) STRICT, WITHOUT ROWID;
"""

EVIDENCE = """
-- What a training could learn from; NULL for a failed one, and where an older version trained.
ALTER TABLE trainings ADD COLUMN newest_rating INTEGER;
ALTER TABLE trainings ADD COLUMN examples INTEGER;
"""

REPLACEMENTS = """
-- A track took the place of another one at a path.
CREATE TABLE replacements (
    id      INTEGER PRIMARY KEY,
    path    BLOB NOT NULL,
    before  INTEGER NOT NULL REFERENCES tracks (id),
    now     INTEGER NOT NULL REFERENCES tracks (id),
    known   INTEGER NOT NULL,  -- whether the library had the track `now` already
    -- NULL until the scan that saw it has ended
    outcome TEXT CHECK (outcome IN ('passed', 'undone', 'doubtful', 'elsewhere')),
    rating  INTEGER UNIQUE REFERENCES ratings (sequence),  -- what passed the rating on
    plays   TEXT NOT NULL DEFAULT '[]'  -- JSON: the ids of the plays that were passed on
) STRICT;
CREATE INDEX replacements_waiting ON replacements (id) WHERE outcome IS NULL;
CREATE INDEX replacements_passed ON replacements (before) WHERE outcome = 'passed';

-- A play may pass on to another track; what was heard stays as it was.
CREATE INDEX plays_of_track ON plays (track);
DROP TRIGGER plays_stay;
CREATE TRIGGER plays_stay BEFORE UPDATE OF
    id, started_at, ended_at, heard_seconds, duration_seconds, verdict, reason ON plays
BEGIN
    SELECT RAISE(ABORT, 'plays are append-only');
END;
CREATE TRIGGER play_passed AFTER UPDATE OF track ON plays BEGIN
    UPDATE tracks SET
        full_plays = full_plays - (NEW.verdict = 'full'),
        skips = skips - (NEW.verdict = 'skip'),
        last_played_at = (SELECT max(ended_at) FROM plays
            WHERE track = OLD.track AND NOT (verdict = 'neither' AND heard_seconds <= 0))
    WHERE id = OLD.track;
    UPDATE tracks SET
        full_plays = full_plays + (NEW.verdict = 'full'),
        skips = skips + (NEW.verdict = 'skip'),
        last_played_at = CASE WHEN NEW.verdict = 'neither' AND NEW.heard_seconds <= 0
            THEN last_played_at ELSE max(coalesce(last_played_at, NEW.ended_at), NEW.ended_at) END
    WHERE id = NEW.track;
END;

-- Taking the rating back takes the plays back, too.
CREATE TRIGGER replacement_undone AFTER INSERT ON ratings WHEN NEW.undoes NOT NULL BEGIN
    UPDATE plays SET track = (SELECT before FROM replacements WHERE rating = NEW.undoes)
        WHERE id IN (SELECT value FROM json_each(
            (SELECT plays FROM replacements WHERE rating = NEW.undoes)));
    UPDATE replacements SET outcome = 'undone' WHERE rating = NEW.undoes;
END;
"""

PLAYS_BY_TIME = """
CREATE INDEX plays_by_time ON plays (ended_at);
"""

STICKER_ENTRIES = """
CREATE TABLE stickers_seen (
    name  TEXT NOT NULL,
    path  BLOB NOT NULL,
    value TEXT,     -- NULL: there was no sticker
    entry INTEGER,  -- the rating that counted then, 0 for none; NULL: not known (earlier versions)
    PRIMARY KEY (name, path)
) STRICT, WITHOUT ROWID;
INSERT INTO stickers_seen (name, path, value) SELECT name, path, value FROM stickers;
DROP TABLE stickers;
"""

STANDARD_NAMES = """
ALTER TABLE plays RENAME COLUMN verdict TO outcome;
ALTER TABLE files RENAME COLUMN searched TO search_text;
ALTER TABLE tracks RENAME COLUMN rated_by TO rating_sequence;
ALTER TABLE stickers_seen RENAME COLUMN entry TO rating_sequence;
ALTER TABLE failures RENAME TO embedding_failures;
ALTER TABLE embedding_failures RENAME COLUMN tries TO attempts;
ALTER TABLE embedding_failures RENAME COLUMN final TO permanent;
ALTER TABLE reader_losses RENAME TO reader_failures;
ALTER TABLE reader_failures RENAME COLUMN losses TO failures;

ALTER TABLE evaluators RENAME COLUMN kind TO model;
ALTER TABLE evaluators RENAME COLUMN verdict TO promotion_reason;
-- A new column, as SQLite cannot change a CHECK, and predictions refer to the table.
ALTER TABLE evaluators ADD COLUMN new_status TEXT NOT NULL DEFAULT 'retired'
    CHECK (new_status IN ('current', 'not_promoted', 'retired'));
UPDATE evaluators SET
    new_status = CASE status WHEN 'kept_back' THEN 'not_promoted' ELSE status END;
DROP INDEX evaluator_in_charge;
ALTER TABLE evaluators DROP COLUMN status;
ALTER TABLE evaluators RENAME COLUMN new_status TO status;
CREATE UNIQUE INDEX current_evaluator ON evaluators (status) WHERE status = 'current';
UPDATE evaluators SET metrics = json_object(
    'mean_absolute_error', json_extract(metrics, '$.error'),
    'baseline_error', json_extract(metrics, '$.mean_error'),
    'rank_correlation', json_extract(metrics, '$.rank_correlation'),
    'within_one_stddev', json_extract(metrics, '$.within_one'),
    'within_two_stddev', json_extract(metrics, '$.within_two'),
    'model_errors', json_extract(metrics, '$.baseline_errors')
);
UPDATE evaluators SET notes = json_remove(
    json_set(notes, '$.implicit_feedback', json_extract(notes, '$.plays')), '$.plays'
) WHERE json_type(notes, '$.plays') NOT NULL;
UPDATE trainings SET outcome = 'not_promoted' WHERE outcome = 'kept';

CREATE TABLE new_replacements (
    id              INTEGER PRIMARY KEY,
    path            BLOB NOT NULL,
    old_track       INTEGER NOT NULL REFERENCES tracks (id),
    new_track       INTEGER NOT NULL REFERENCES tracks (id),
    new_track_known INTEGER NOT NULL,  -- whether the library had the new track already
    -- NULL until the scan that saw it has ended
    outcome         TEXT CHECK (outcome IN ('transferred', 'undone', 'uncertain', 'moved')),
    rating          INTEGER UNIQUE REFERENCES ratings (sequence),  -- the transferred rating
    plays           TEXT NOT NULL DEFAULT '[]'  -- JSON: the ids of the transferred plays
) STRICT;
INSERT INTO new_replacements SELECT id, path, before, now, known,
    CASE outcome WHEN 'passed' THEN 'transferred' WHEN 'doubtful' THEN 'uncertain'
        WHEN 'elsewhere' THEN 'moved' ELSE outcome END,
    rating, plays FROM replacements;
DROP TRIGGER replacement_undone;
DROP TABLE replacements;
ALTER TABLE new_replacements RENAME TO replacements;
CREATE INDEX replacements_pending ON replacements (id) WHERE outcome IS NULL;
CREATE INDEX replacements_transferred ON replacements (old_track) WHERE outcome = 'transferred';
CREATE TRIGGER replacement_undone AFTER INSERT ON ratings WHEN NEW.undoes NOT NULL BEGIN
    UPDATE plays SET track = (SELECT old_track FROM replacements WHERE rating = NEW.undoes)
        WHERE id IN (SELECT value FROM json_each(
            (SELECT plays FROM replacements WHERE rating = NEW.undoes)));
    UPDATE replacements SET outcome = 'undone' WHERE rating = NEW.undoes;
END;
"""

MOVED_PLAYS = """
ALTER TABLE ratings ADD COLUMN plays_only INTEGER NOT NULL DEFAULT 0;
DROP TRIGGER rating_added;
CREATE TRIGGER rating_added AFTER INSERT ON ratings WHEN NEW.plays_only = 0 BEGIN
    UPDATE tracks SET rating = NEW.value, rating_sequence = NEW.sequence WHERE id = NEW.track;
END;
"""
"""Entries of the history for plays that were transferred to a track whose rating did not change."""

LISTED_FILES = """
-- Whether MPD's database lists the file; one that it does not list cannot be picked.
ALTER TABLE files ADD COLUMN listed INTEGER NOT NULL DEFAULT 1;
DROP TRIGGER file_added;
DROP TRIGGER file_changed;
CREATE TRIGGER file_added AFTER INSERT ON files WHEN NEW.track IS NOT NULL BEGIN
    UPDATE tracks SET (file, present) = (
        SELECT id, present FROM files WHERE track = NEW.track
        ORDER BY present DESC, listed DESC, seen_at DESC, id DESC LIMIT 1
    ) WHERE id = NEW.track;
END;
CREATE TRIGGER file_changed AFTER UPDATE ON files WHEN NEW.track IS NOT NULL BEGIN
    UPDATE tracks SET (file, present) = (
        SELECT id, present FROM files WHERE track = NEW.track
        ORDER BY present DESC, listed DESC, seen_at DESC, id DESC LIMIT 1
    ) WHERE id = NEW.track;
END;
"""

CUE_SHEETS = """
CREATE TABLE cue_sheets (
    id         INTEGER PRIMARY KEY,
    path       BLOB NOT NULL UNIQUE,
    size_bytes INTEGER NOT NULL,
    mtime_ns   INTEGER NOT NULL
) STRICT;
CREATE TABLE cue_tracks (
    sheet        INTEGER NOT NULL REFERENCES cue_sheets (id),
    path         BLOB NOT NULL,     -- as MPD names the track
    source       BLOB NOT NULL,     -- the audio file
    start_ms     INTEGER NOT NULL,
    end_ms       INTEGER,           -- NULL: the end of the file
    hides_source INTEGER NOT NULL,  -- whether MPD lists the track in place of the file
    tags         TEXT NOT NULL,     -- JSON
    PRIMARY KEY (sheet, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX cue_tracks_of_source ON cue_tracks (source);

-- Of a track of a cue sheet: its audio file, that file's track, and the part.
ALTER TABLE files ADD COLUMN source BLOB;
ALTER TABLE files ADD COLUMN source_track INTEGER REFERENCES tracks (id);
ALTER TABLE files ADD COLUMN start_ms INTEGER;
ALTER TABLE files ADD COLUMN end_ms INTEGER;
-- Whether tracks of a cue sheet stand for the file. It counts as present only if MPD lists it, too.
ALTER TABLE files ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
CREATE INDEX files_of_source ON files (source) WHERE source NOT NULL;
CREATE INDEX files_of_source_track ON files (source_track) WHERE source_track NOT NULL;
DROP TRIGGER file_added;
DROP TRIGGER file_changed;
CREATE TRIGGER file_added AFTER INSERT ON files WHEN NEW.track IS NOT NULL BEGIN
    UPDATE tracks SET (file, present) = (
        SELECT id, present AND (listed OR NOT hidden) FROM files WHERE track = NEW.track
        ORDER BY present AND (listed OR NOT hidden) DESC, listed DESC, seen_at DESC, id DESC LIMIT 1
    ) WHERE id = NEW.track;
END;
CREATE TRIGGER file_changed AFTER UPDATE ON files WHEN NEW.track IS NOT NULL BEGIN
    UPDATE tracks SET (file, present) = (
        SELECT id, present AND (listed OR NOT hidden) FROM files WHERE track = NEW.track
        ORDER BY present AND (listed OR NOT hidden) DESC, listed DESC, seen_at DESC, id DESC LIMIT 1
    ) WHERE id = NEW.track;
END;
"""


TAG_PREFERENCES = """
-- A JSON array of `domain.evaluator.TagPreference`.
ALTER TABLE evaluators ADD COLUMN tag_preferences TEXT NOT NULL DEFAULT '[]';
"""

PLAYLISTS = """
-- Playlists of an MPD that the daemon created.
CREATE TABLE playlists (
    server TEXT NOT NULL,
    name   TEXT NOT NULL,
    kind   TEXT NOT NULL CHECK (kind IN ('rating', 'published')),
    state  TEXT NOT NULL CHECK (state IN ('owned', 'new', 'ready', 'taken')),
    target TEXT NOT NULL,
    PRIMARY KEY (server, name)
) STRICT, WITHOUT ROWID;
"""

PREFERRED_COPIES = """
-- Which copy of a track is picked and shown, of those that MPD lists: the lowest, then by path.
ALTER TABLE files ADD COLUMN preference INTEGER NOT NULL DEFAULT 0;
DROP TRIGGER file_added;
DROP TRIGGER file_changed;
CREATE TRIGGER file_added AFTER INSERT ON files WHEN NEW.track IS NOT NULL BEGIN
    UPDATE tracks SET (file, present) = (
        SELECT id, present AND (listed OR NOT hidden) FROM files WHERE track = NEW.track
        ORDER BY present AND (listed OR NOT hidden) DESC, listed DESC,
            CASE WHEN present THEN preference END, CASE WHEN present THEN source NOT NULL END,
            CASE WHEN present THEN path END, seen_at DESC, id DESC LIMIT 1
    ) WHERE id = NEW.track;
END;
CREATE TRIGGER file_changed AFTER UPDATE ON files WHEN NEW.track IS NOT NULL BEGIN
    UPDATE tracks SET (file, present) = (
        SELECT id, present AND (listed OR NOT hidden) FROM files WHERE track = NEW.track
        ORDER BY present AND (listed OR NOT hidden) DESC, listed DESC,
            CASE WHEN present THEN preference END, CASE WHEN present THEN source NOT NULL END,
            CASE WHEN present THEN path END, seen_at DESC, id DESC LIMIT 1
    ) WHERE id = NEW.track;
END;
"""

URI_IDENTITIES = """
-- Whether `track_id` is a hash of URI and duration, as the audio is not on this computer.
ALTER TABLE tracks ADD COLUMN identified_by_uri INTEGER NOT NULL DEFAULT 0;
"""


def searchable(text: str) -> str:
    """Return text for the column `search_text`: case-folded, in one Unicode normal form.

    File names from macOS are decomposed (NFD); tags and keyboards mostly give NFC.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def album_code(album: str | None, album_artist: str | None) -> int:
    """Return a number for an album, the same for all of its discs; 0 for none.

    Without an album artist, only the title counts: a compilation has many artists.
    """
    return name_hash(split_disc(album)[0], album_artist) if album else 0


def name_hash(*names: str | None) -> int:
    """Return a case-insensitive 64-bit hash of names, never 0."""
    folded = "\n".join(name or "" for name in names).casefold()
    digest = blake2b(folded.encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True) or 1
