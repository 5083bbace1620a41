"""Generated from `proto/anagnorisis/v1`."""
