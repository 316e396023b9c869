"""`python -m demix` is the command `demix`."""

from demix.cli import main

if __name__ == "__main__":
    main()
