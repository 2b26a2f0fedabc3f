"""Run the command line as ``python -m siteplanner``."""

from siteplanner.cli import main

main()
