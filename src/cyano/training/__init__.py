"""Training of detector and matcher: stages that take files and give files, each resumable after a kill."""
