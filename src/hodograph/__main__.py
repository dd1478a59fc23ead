"""`python -m hodograph`: the command line, for launchers that start a module."""

from hodograph.cli import main

if __name__ == "__main__":  # workers that are spawned import this file too
    main()
