"""`python -m riskbench` is the command line."""

from riskbench.cli import main

if __name__ == "__main__":
    main()
