"""The worker process: `python -m cyano.page.work FD SETTINGS`. Nothing imports it."""
