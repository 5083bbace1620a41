"""Functions of the commands of the command line."""
