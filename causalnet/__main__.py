"""`python -m causalnet`: the same as the command `causalnet`."""

from causalnet.cli import main

if __name__ == "__main__":
    main()
