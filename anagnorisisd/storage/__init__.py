"""The SQLite database: schema, migrations, queries, backups."""
