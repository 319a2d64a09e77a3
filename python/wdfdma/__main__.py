"""`python -m wdfdma` is the command `wdfdma`."""

from wdfdma.cli import main

if __name__ == "__main__":
    main()
