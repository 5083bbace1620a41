"""The report: numbers, figures, and the page that holds them. Runs in a worker process."""
