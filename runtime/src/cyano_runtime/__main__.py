"""`python -m cyano_runtime`: the program `cyano-rt`."""

from cyano_runtime.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
