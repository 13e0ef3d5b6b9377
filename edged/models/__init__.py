"""Models on disk: packages, and where they lie."""
