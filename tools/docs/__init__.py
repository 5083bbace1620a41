"""Makes the guide: pages and pictures that follow from the code, and the site of all pages."""
