"""`python -m observatory` is the command line."""

from observatory.cli import main

main()
