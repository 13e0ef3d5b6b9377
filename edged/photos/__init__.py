"""Photo libraries: what of a folder is labelled, and keywords beside the photos."""
