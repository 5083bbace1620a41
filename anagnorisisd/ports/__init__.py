"""What the services need from outside, as protocols named for the role."""
