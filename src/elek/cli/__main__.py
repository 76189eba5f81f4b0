"""`python -m elek.cli` is `elek`."""

from elek.cli import main

main()
