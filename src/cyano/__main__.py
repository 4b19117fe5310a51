"""`python -m cyano`: the program `cyano`."""

from cyano.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
