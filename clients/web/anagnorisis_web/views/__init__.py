"""The pages, one module each, and what their forms do."""
