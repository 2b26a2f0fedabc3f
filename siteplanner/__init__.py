"""siteplanner: which branches should move, where to, in which order, and how sure are we."""

__version__ = "0.1.0"
