"""What stands behind the ports, named for the tool."""
