"""Sets of image pairs whose truth is known: from folders, from scenes, from controlled changes."""
